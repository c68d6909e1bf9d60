using System.Buffers;
using System.IO.Pipelines;
using System.Net.Security;
using System.Net.Sockets;
using Dataplane.Mesh.Tls;

namespace Dataplane.Mesh.Relay;

/// <summary>One side of a relayed connection: its socket, and the TLS on it if there is any. One reader and one writer at a time.</summary>
/// <remarks>
/// Waiting takes no memory, so a side that says nothing holds no buffer. What was read goes to the other side before more is read: that is the
/// back-pressure, and one piece of <see cref="PieceBytes"/> is all a busy direction holds besides a record of TLS.
/// </remarks>
internal sealed class Leg : IDisposable
{
    /// <summary>Bytes of one read at most.</summary>
    internal const int PieceBytes = 64 << 10;

    /// <summary>Plain bytes of a record of TLS at most. Above this TLS makes several records of one piece; they are sent in one call.</summary>
    internal const int RecordBytes = 16 << 10;

    private PipeReader? _ahead;

    internal Leg(TransportStream transport, SslStream? tls)
    {
        Transport = transport;
        Tls = tls;
        transport.BeginRecords();
    }

    internal TransportStream Transport { get; }

    /// <summary>The TLS that ends here; null when there is none.</summary>
    internal SslStream? Tls { get; }

    /// <summary>Reads what is only looked at: what it leaves is the first that <see cref="SendAheadAsync"/> sends on.</summary>
    internal PipeReader Ahead => _ahead ??= PipeReader.Create((Stream?)Tls ?? Transport, new StreamPipeReaderOptions(leaveOpen: true, useZeroByteReads: true));

    /// <summary>Whether the stream ended, if it did, as TLS demands.</summary>
    internal bool IsTruncated => Tls is not null && Transport.HasEnded;

    /// <summary>Whether all that came has been read, so that the next byte comes by the socket.</summary>
    /// <remarks>
    /// After several records TLS may hold one that it has not told of, such as close_notify behind data; after one, of which there was data, it holds nothing.
    /// </remarks>
    internal bool IsDrained => Tls is null || Transport.HasOneRecord;

    /// <summary>Waits until there is something to read, or the end.</summary>
    /// <remarks>
    /// Where only the socket can have more, it alone is waited for: the reading of TLS then runs through without a stop. Nothing is decided by the wait; a
    /// read after it may wait as well.
    /// </remarks>
    internal ValueTask<int> WaitAsync()
    {
        if (IsDrained)
            return Transport.WaitAsync();
        Transport.CountRecords();
        return Tls!.ReadAsync(Memory<byte>.Empty);
    }

    /// <summary>Reads what there is; 0 at the end.</summary>
    internal ValueTask<int> ReadAsync(Memory<byte> buffer) => Tls is null ? Transport.ReadAsync(buffer) : Tls.ReadAsync(buffer);

    /// <summary>Sends a piece.</summary>
    internal ValueTask WriteAsync(ReadOnlyMemory<byte> piece) =>
        Tls is null ? Transport.WriteAsync(piece)
        : piece.Length <= RecordBytes ? Tls.WriteAsync(piece)
        : WriteRecordsAsync(Tls, piece);

    /// <summary>Sends on to another what was read ahead and left.</summary>
    /// <returns>The bytes of it.</returns>
    internal async ValueTask<int> SendAheadAsync(Leg to)
    {
        int count = 0;
        if (_ahead is null)
            return count;
        if (_ahead.TryRead(out ReadResult read))
        {
            foreach (ReadOnlyMemory<byte> piece in read.Buffer)
            {
                await to.WriteAsync(piece).ConfigureAwait(false);
                count += piece.Length;
            }

            _ahead.AdvanceTo(read.Buffer.End);
        }

        return count;
    }

    /// <summary>Says that nothing more will be sent; receiving goes on (RFC 8446, 6.1: each side ends its own direction).</summary>
    internal async ValueTask EndSendingAsync()
    {
        if (Tls is not null)
            await Tls.ShutdownAsync().ConfigureAwait(false);
        Transport.Socket.Shutdown(SocketShutdown.Send);
    }

    /// <summary>Ends it so that the peer knows it did not end in order (RST). Any thread.</summary>
    internal void Reset() => Sockets.Reset(Transport.Socket);

    public void Dispose()
    {
        _ahead?.Complete();
        Transport.DropBatch();
        Tls?.Dispose();
        Transport.Dispose();
    }

    private async ValueTask WriteRecordsAsync(SslStream tls, ReadOnlyMemory<byte> piece)
    {
        Transport.BeginBatch();
        await tls.WriteAsync(piece).ConfigureAwait(false);
        await Transport.EndBatchAsync(CancellationToken.None).ConfigureAwait(false);
    }
}
