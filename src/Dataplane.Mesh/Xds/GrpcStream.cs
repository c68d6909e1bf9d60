using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Net;
using System.Net.Http.Headers;

namespace Dataplane.Mesh.Xds;

/// <summary>One call of gRPC with a stream each way (grpc.io: gRPC over HTTP2), over <see cref="HttpClient"/>.</summary>
/// <remarks>One thread may read and one may write at a time.</remarks>
internal sealed class GrpcStream : IAsyncDisposable
{
    private const int HeaderBytes = 5;

    /// <summary>Without a limit: what is asked is bounded by itself, and nobody takes it from here while the connection is not there.</summary>
    private readonly Pipe _requests = new(new PipeOptions(pauseWriterThreshold: 0, useSynchronizationContext: false));
    private readonly CancellationTokenSource _ending;
    private readonly Task<HttpResponseMessage> _sending;
    private readonly int _maxBytes;
    private HttpResponseMessage? _response;
    private Stream? _body;

    /// <summary>Begins the call. The first message must be written before one is read: servers answer with the headers of the first answer.</summary>
    /// <param name="http">A client that speaks HTTP/2.</param>
    /// <param name="method">Full address of the method.</param>
    /// <param name="maxBytes">The longest message that is taken.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    public GrpcStream(HttpClient http, Uri method, int maxBytes, CancellationToken cancellationToken)
    {
        _maxBytes = maxBytes;
        _ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var request = new HttpRequestMessage(HttpMethod.Post, method)
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new RequestBody(_requests.Reader),
        };
        request.Headers.TE.Add(new TransferCodingWithQualityHeaderValue("trailers"));
        request.Headers.UserAgent.Add(new ProductInfoHeaderValue("dataplane", null));
        _sending = http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, _ending.Token);
    }

    /// <summary>Sends a message.</summary>
    public async Task WriteAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
    {
        // Messages of this side are not compressed: flag 0.
        Memory<byte> frame = _requests.Writer.GetMemory(HeaderBytes + message.Length);
        frame.Span[0] = 0;
        BinaryPrimitives.WriteInt32BigEndian(frame.Span[1..], message.Length);
        message.CopyTo(frame[HeaderBytes..]);
        _requests.Writer.Advance(HeaderBytes + message.Length);
        await _requests.Writer.FlushAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Waits for the next message.</summary>
    /// <returns>Null when the server ended the call well.</returns>
    /// <exception cref="IOException">The server refused, broke off, or sent what is no message.</exception>
    public async Task<byte[]?> ReadAsync(CancellationToken cancellationToken)
    {
        if (_body is null)
        {
            _response = await _sending.WaitAsync(cancellationToken).ConfigureAwait(false);
            if (_response.StatusCode != HttpStatusCode.OK || _response.Content.Headers.ContentType?.MediaType?.StartsWith("application/grpc", StringComparison.Ordinal) != true)
            {
                throw new IOException($"the server does not speak gRPC here: {(int)_response.StatusCode} {_response.Content.Headers.ContentType}");
            }

            _body = await _response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        }

        byte[] header = new byte[HeaderBytes];
        int length = await _body.ReadAtLeastAsync(header, HeaderBytes, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
        if (length == 0)
        {
            ThrowUnlessWell();
            return null;
        }

        int size = length == HeaderBytes ? BinaryPrimitives.ReadInt32BigEndian(header.AsSpan(1)) : -1;
        if (header[0] != 0 || size < 0 || size > _maxBytes)
        {
            throw new IOException(header[0] != 0 ? "a message is compressed, which was not asked for"
                : size < 0 ? "the stream ends within a message" : $"a message has {size} bytes, {_maxBytes} are allowed");
        }

        byte[] message = new byte[size];
        await _body.ReadExactlyAsync(message, cancellationToken).ConfigureAwait(false);
        return message;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _requests.Writer.CompleteAsync().ConfigureAwait(false);
        await _ending.CancelAsync().ConfigureAwait(false);
        await ((Task)_sending).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _response?.Dispose();
        _ending.Dispose();
    }

    /// <summary>The status comes behind the last message, or with the headers when there is none.</summary>
    private void ThrowUnlessWell()
    {
        string? Find(string name) => (_response!.TrailingHeaders.TryGetValues(name, out IEnumerable<string>? values) || _response.Headers.TryGetValues(name, out values)) ? values.First() : null;
        if (Find("grpc-status") is not "0" and var status)
        {
            string? message = Find("grpc-message");
            throw new IOException($"gRPC status {status ?? "none"}{(message is null ? "" : ": " + Uri.UnescapeDataString(message))}");
        }
    }

    private sealed class RequestBody : HttpContent
    {
        private readonly PipeReader _reader;

        public RequestBody(PipeReader reader)
        {
            _reader = reader;
            Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
        }

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, CancellationToken.None);

        /// <summary>Each message leaves at once: the call lasts as long as the source.</summary>
        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
        {
            while (true)
            {
                ReadResult read = await _reader.ReadAsync(cancellationToken).ConfigureAwait(false);
                foreach (ReadOnlyMemory<byte> part in read.Buffer)
                {
                    await stream.WriteAsync(part, cancellationToken).ConfigureAwait(false);
                }

                _reader.AdvanceTo(read.Buffer.End);
                await stream.FlushAsync(cancellationToken).ConfigureAwait(false);
                if (read.IsCompleted)
                {
                    return;
                }
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
