using System.Buffers;
using System.IO.Pipelines;
using System.Text.Json;

namespace Dataplane.Mesh.Kubernetes;

/// <summary>The events of a watch, one JSON object a line, however the bytes are split on their way.</summary>
internal sealed class WatchStream : IAsyncDisposable
{
    /// <summary>The longest event: objects in etcd have 1.5 MB at most, and JSON makes more of them.</summary>
    private const int MaxLineBytes = 16 << 20;

    private readonly HttpResponseMessage _response;
    private readonly PipeReader _reader;
    private readonly TimeSpan _idle;

    public WatchStream(HttpResponseMessage response, Stream body, TimeSpan idle)
    {
        (_response, _idle) = (response, idle);
        _reader = PipeReader.Create(body, new StreamPipeReaderOptions(bufferSize: 65536));
    }

    /// <summary>The next event.</summary>
    /// <returns>Null when the server has ended the stream; what it had begun to say then is not an event.</returns>
    /// <exception cref="TimeoutException">Nothing came for too long.</exception>
    /// <exception cref="KubernetesException">An event is too long.</exception>
    public async Task<JsonDocument?> NextAsync(CancellationToken cancellationToken)
    {
        long searched = 0;
        while (true)
        {
            ReadResult result = await ReadAsync(cancellationToken).ConfigureAwait(false);
            ReadOnlySequence<byte> bytes = result.Buffer;
            SequencePosition? end = bytes.Slice(searched).PositionOf((byte)'\n');
            if (end is { } at)
            {
                ReadOnlySequence<byte> line = bytes.Slice(0, at);

                // A copy: a document keeps to the memory it was parsed from, and this is taken back.
                JsonDocument? parsed = line.Length > 1 ? JsonDocument.Parse(line.ToArray()) : null;
                _reader.AdvanceTo(bytes.GetPosition(1, at));
                searched = 0;
                if (parsed is not null)
                {
                    return parsed;
                }

                continue;
            }

            searched = bytes.Length;
            _reader.AdvanceTo(bytes.Start, bytes.End);
            if (result.IsCompleted)
            {
                return null;
            }

            if (searched > MaxLineBytes)
            {
                throw new KubernetesException(0, $"an event is longer than {MaxLineBytes} bytes");
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _reader.CompleteAsync().ConfigureAwait(false);
        _response.Dispose();
    }

    private async Task<ReadResult> ReadAsync(CancellationToken cancellationToken)
    {
        if (_reader.TryRead(out ReadResult ready))
        {
            return ready;
        }

        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(_idle);
        try
        {
            return await _reader.ReadAsync(patience.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException("the watch said nothing for too long");
        }
    }
}
