using System.IO.Pipelines;
using System.Net.Security;
using System.Net.Sockets;
using Dataplane.Mesh.Tls;

namespace Dataplane.Mesh.Relay;

/// <summary>One side of a relayed connection: its socket, and the TLS on it if there is any.</summary>
/// <remarks>
/// The reader asks to be woken before it takes memory, so a side that says nothing holds no buffer. What it has read goes to the other side before
/// more is read: that is the back-pressure, and one piece of <see cref="PieceBytes"/> is all a busy direction holds besides a record of TLS.
/// </remarks>
internal sealed class Leg : IDisposable
{
    /// <summary>Bytes of one read at most.</summary>
    internal const int PieceBytes = 64 << 10;

    /// <summary>Above this TLS makes several records of one piece; they are sent in one call.</summary>
    private const int RecordBytes = 16 << 10;

    private static readonly StreamPipeReaderOptions s_reading =
        new(bufferSize: PieceBytes, minimumReadSize: PieceBytes / 2, leaveOpen: true, useZeroByteReads: true);

    internal Leg(TransportStream transport, SslStream? tls)
    {
        Transport = transport;
        Tls = tls;
        Reader = PipeReader.Create((Stream?)tls ?? transport, s_reading);
    }

    internal TransportStream Transport { get; }

    /// <summary>The TLS that ends here; null when there is none.</summary>
    internal SslStream? Tls { get; }

    internal PipeReader Reader { get; }

    /// <summary>Whether the stream ended, if it did, as TLS demands.</summary>
    internal bool IsTruncated => Tls is not null && Transport.HasEnded;

    /// <summary>Sends a piece.</summary>
    internal ValueTask WriteAsync(ReadOnlyMemory<byte> piece) =>
        Tls is null ? Transport.WriteAsync(piece)
        : piece.Length <= RecordBytes ? Tls.WriteAsync(piece)
        : WriteRecordsAsync(Tls, piece);

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
