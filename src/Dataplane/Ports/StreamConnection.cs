using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Net.Sockets;

namespace Dataplane.Ports;

/// <summary>One connection with a peer: a loop that receives into one ring, and a loop that sends what is in the other.</summary>
/// <remarks>
/// Both run on the thread pool and go on until one ends; then the connection is over. Many frames are one read and one write: what lies in the
/// ring when a write is done makes the next, up to <see cref="WriteBytes"/>. When the peer takes nothing, the write stays
/// open, the ring fills and the worker's frames are dropped there. When the worker takes nothing, reading stops, and the peer's sending with it.
/// </remarks>
internal sealed class StreamConnection : IDisposable
{
    /// <summary>Bytes of a write and of a read at most; no frame is longer.</summary>
    private const int WriteBytes = 64 << 10;

    private const int MaxBurst = 256;

    private static readonly StreamPipeReaderOptions s_reading = new(bufferSize: WriteBytes, minimumReadSize: WriteBytes / 4, leaveOpen: true);
    private static readonly StreamPipeWriterOptions s_writing = new(minimumBufferSize: WriteBytes, leaveOpen: true);
    private static readonly Exception s_over = new OperationCanceledException();
    private static readonly TimeSpan s_lastWords = TimeSpan.FromSeconds(1);

    private readonly Socket _socket;
    private readonly Stream _stream;
    private readonly IDisposable? _credentials;
    private readonly StreamLink _link;
    private readonly long _begunMs = Environment.TickCount64;
    private long _writingSince;
    private bool _isOver;

    /// <summary>Takes over a socket whose handshake, if any, is done.</summary>
    internal StreamConnection(StreamLink link, Socket socket, Stream stream, IDisposable? credentials, string peer)
    {
        _link = link;
        _socket = socket;
        _stream = stream;
        _credentials = credentials;
        Peer = peer;
    }

    /// <summary>The link whose rings it serves.</summary>
    internal StreamLink Link => _link;

    /// <summary>Who the peer is, and how the connection is protected.</summary>
    internal string Peer { get; }

    /// <summary>Milliseconds since the handshake.</summary>
    internal long AgeMs => Environment.TickCount64 - _begunMs;

    /// <summary>Whether the peer has sent anything.</summary>
    internal bool HasReceived { get; private set; }

    /// <summary>How long the peer has taken nothing of a write, in whole seconds. Any thread.</summary>
    internal int StalledSeconds
    {
        get
        {
            long since = Volatile.Read(ref _writingSince);
            return since == 0 ? 0 : (int)((Environment.TickCount64 - since) / 1000);
        }
    }

    /// <summary>Carries frames until the connection ends or the port closes.</summary>
    internal async Task<StreamEnd> RunAsync()
    {
        Task<StreamEnd> receiving = Task.Run(ReceiveAsync), sending = Task.Run(SendAsync);
        Task<StreamEnd> first = await Task.WhenAny(receiving, sending).ConfigureAwait(false);
        StreamEnd end = await first.ConfigureAwait(false);
        if (first == sending && end.Reason != StreamReason.Closed)
        {
            // A write fails because the peer is gone; why, such as an alert of TLS, stands in what can still be read.
            await Task.WhenAny(receiving, Task.Delay(s_lastWords)).ConfigureAwait(false);
            end = receiving.IsCompleted ? await receiving.ConfigureAwait(false) : end;
        }

        Abort();
        await Task.WhenAll(receiving, sending).ConfigureAwait(false);
        return end;
    }

    /// <summary>Ends both loops at once. Any thread.</summary>
    internal void Abort()
    {
        Volatile.Write(ref _isOver, true);
        _socket.Dispose();
        _link.WakeLoops();
    }

    /// <summary>Gives everything back; the loops have ended.</summary>
    public void Dispose()
    {
        _socket.Dispose();
        _stream.Dispose();
        _credentials?.Dispose();
    }

    private async Task<StreamEnd> ReceiveAsync()
    {
        PipeReader reader = PipeReader.Create(_stream, s_reading);
        try
        {
            while (true)
            {
                ReadResult result = await reader.ReadAsync().ConfigureAwait(false);
                ReadOnlySequence<byte> buffer = result.Buffer;
                HasReceived |= !buffer.IsEmpty;
                StreamReason reason = _link.Decoder.Take(ref buffer, out bool isFull);
                while (isFull && !Volatile.Read(ref _isOver))
                {
                    await _link.WaitForRoomAsync().ConfigureAwait(false);
                    reason = _link.Decoder.Take(ref buffer, out isFull);
                }

                bool isWhole = buffer.IsEmpty && _link.Decoder.IsBetweenFrames;
                reader.AdvanceTo(buffer.Start, buffer.End);
                if (reason != StreamReason.None)
                    return new StreamEnd(reason);
                if (result.IsCompleted)
                    return new StreamEnd(isWhole ? StreamReason.PeerClosed : StreamReason.FrameTruncated);
            }
        }
        catch (Exception error) when (IsOfTheStream(error))
        {
            return StreamErrors.Of(error);
        }
        finally
        {
            reader.Complete();
        }
    }

    private async Task<StreamEnd> SendAsync()
    {
        PipeWriter writer = PipeWriter.Create(_stream, s_writing);
        FrameRing ring = _link.ToSend;
        int unsent = 0;
        try
        {
            while (!Volatile.Read(ref _isOver))
            {
                // Looked at before the ring: what was queued before the port began to close is sent.
                bool isFinishing = _link.IsFinishing;
                int taken = ring.Take(MaxBurst);
                if (taken == 0)
                {
                    if (isFinishing)
                        return await FinishAsync().ConfigureAwait(false);
                    await _link.WaitForFramesAsync().ConfigureAwait(false);
                }

                while (taken > 0)
                {
                    unsent = Write(writer, ring, taken);
                    taken -= unsent;
                    ring.Release(unsent);
                    Volatile.Write(ref _writingSince, Environment.TickCount64);
                    await writer.FlushAsync().ConfigureAwait(false);
                    Volatile.Write(ref _writingSince, 0);
                    unsent = 0;
                }
            }

            return new StreamEnd(StreamReason.Closed);
        }
        catch (Exception error) when (IsOfTheStream(error))
        {
            ring.ReleaseTaken();
            _link.CountLost(unsent);
            return StreamErrors.Of(error);
        }
        finally
        {
            Volatile.Write(ref _writingSince, 0);

            // With an exception the writer gives its memory back and writes nothing more.
            writer.Complete(s_over);
        }
    }

    /// <summary>Copies frames, each behind its length, until the write is full.</summary>
    /// <param name="writer">Where to.</param>
    /// <param name="ring">Where from.</param>
    /// <param name="taken">Frames that are taken and not yet copied.</param>
    /// <returns>How many were copied.</returns>
    private static int Write(PipeWriter writer, FrameRing ring, int taken)
    {
        // One piece for all: what a write holds is one segment, one call of the socket and as few records of TLS as can be.
        Span<byte> target = writer.GetSpan(WriteBytes);
        int at = 0, count = 0;
        for (; count < taken; count++)
        {
            ReadOnlySpan<byte> frame = ring.TakenFrame(taken - count);
            if (target.Length - at < StreamDecoder.PrefixBytes + frame.Length)
                break;
            BinaryPrimitives.WriteInt32BigEndian(target[at..], frame.Length);
            frame.CopyTo(target[(at + StreamDecoder.PrefixBytes)..]);
            at += StreamDecoder.PrefixBytes + frame.Length;
        }

        writer.Advance(at);
        return count;
    }

    /// <summary>Says goodbye: everything queued has been handed to the socket.</summary>
    private async Task<StreamEnd> FinishAsync()
    {
        if (_stream is System.Net.Security.SslStream secured)
            await secured.ShutdownAsync().ConfigureAwait(false);
        _socket.Shutdown(SocketShutdown.Send);
        return new StreamEnd(StreamReason.Closed);
    }

    /// <summary>What a stream throws when it is closed under a read or write, or the other side does something; all else is a fault of ours.</summary>
    private static bool IsOfTheStream(Exception error) => error is IOException or SocketException or ObjectDisposedException
        or InvalidOperationException or OperationCanceledException or System.Security.Authentication.AuthenticationException

        // OpenSSL refuses to say goodbye while messages behind the handshake are under way.
        or System.Security.Cryptography.CryptographicException;
}
