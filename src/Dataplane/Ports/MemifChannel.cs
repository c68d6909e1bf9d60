using System.Runtime.InteropServices;
using Dataplane.Native;
using Dataplane.Native.Abi;

namespace Dataplane.Ports;

/// <summary>A socket and the session on it. The agent's.</summary>
internal sealed class MemifChannel(FileDescriptor socket, MemifSession session, long bornNs) : IDisposable
{
    /// <summary>Messages taken in one go, so that a chatterer does not keep the agent from others.</summary>
    private const int MaxBurst = 64;

    /// <summary>Longest time from connect to CONNECTED.</summary>
    private const long HandshakeNs = 2_000_000_000;

    private readonly byte[] _buffer = new byte[memif_msg.Bytes];

    /// <summary>The socket.</summary>
    public FileDescriptor Socket { get; } = socket;

    /// <summary>The state machine.</summary>
    public MemifSession Session { get; } = session;

    /// <summary>The port that has accepted the session; null until then.</summary>
    public MemifPort? Port { get; set; }

    /// <summary>Where a client came from; null on the client's side.</summary>
    public MemifListener? Listener { get; init; }

    /// <summary>When the handshake must have ended.</summary>
    public long DeadlineNs { get; } = bornNs + HandshakeNs;

    /// <summary>Takes waiting messages and answers them.</summary>
    /// <returns>Why the channel must be closed, or <see cref="MemifReason.None"/>.</returns>
    public MemifReason Take(long nowNs)
    {
        for (int i = 0; i < MaxBurst && Session.Connection is null; i++)
        {
            MemifReason reason = TakeOne(out bool isEmpty);
            if (isEmpty)
                return nowNs >= DeadlineNs ? MemifReason.TimedOut : MemifReason.None;
            if (reason != MemifReason.None)
                return reason;
        }

        return MemifReason.None;
    }

    /// <summary>Takes what comes while the connection stands: nothing but its end.</summary>
    public MemifReason TakeEnd()
    {
        MemifReason reason = TakeOne(out bool isEmpty);
        return isEmpty ? MemifReason.None : reason;
    }

    /// <summary>Tells the peer why, if it is there, and closes.</summary>
    public void Close(MemifReason reason)
    {
        if (reason is not (MemifReason.PeerClosed or MemifReason.PeerDisconnected))
            TrySend(MemifSession.Disconnection(reason), null);
        Dispose();
    }

    /// <summary>Sends a message.</summary>
    public bool TrySend(memif_msg message, FileDescriptor? passed) =>
        UnixSocket.TrySend(Socket, MemoryMarshal.AsBytes(new ReadOnlySpan<memif_msg>(in message)), passed);

    /// <summary>Closes; a connection made stays whole.</summary>
    public void Dispose()
    {
        Session.Dispose();
        Socket.Dispose();
    }

    private MemifReason TakeOne(out bool isEmpty)
    {
        int length = UnixSocket.Receive(Socket, _buffer, out FileDescriptor? passed, out int descriptors);
        isEmpty = length < 0;
        if (length <= 0)
        {
            passed?.Dispose();
            return MemifReason.PeerClosed;
        }

        MemifReason reason;
        memif_msg reply;
        FileDescriptor? replyDescriptor;
        try
        {
            reason = Session.Take(_buffer, length, passed, descriptors, out reply, out replyDescriptor);
        }
        catch (IOException)
        {
            // No descriptor is left, or /proc is not there: one connection less, and not the end of the thread.
            return MemifReason.NoMemory;
        }

        if (reason != MemifReason.None || reply.type == Memif.MEMIF_MSG_TYPE_NONE)
            return reason;
        return TrySend(reply, replyDescriptor) ? MemifReason.None : MemifReason.PeerClosed;
    }
}
