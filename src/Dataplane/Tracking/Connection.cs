using System.Runtime.InteropServices;

namespace Dataplane.Tracking;

/// <summary>What is followed of a flow beside its entries: one cache line, which only packets that change something touch, and all of TCP.</summary>
[StructLayout(LayoutKind.Sequential, Size = 64)]
internal struct Connection
{
    /// <summary>The end that sent the first packet.</summary>
    public TcpEnd Client;

    /// <summary>The other.</summary>
    public TcpEnd Server;

    /// <summary>Sequence number of the client's SYN; while the connection is up, of one that may begin another (RFC 5961 4).</summary>
    public uint Syn;

    /// <summary>Sequence number behind the server's SYN; before it, the acknowledgment of a segment that challenged the client's.</summary>
    public uint ServerStart;

    /// <summary>Window of the SYN that may begin another connection.</summary>
    public ushort SynWindow;

    /// <summary>Its window option, with <see cref="NoScale"/> for none.</summary>
    public byte SynScale;

    /// <summary>Where it is.</summary>
    public TcpPhase Phase;

    /// <summary>Whether the other side has answered.</summary>
    public bool IsAnswered;

    /// <summary>Whether a SYN that may begin another connection has been seen, or a segment that challenges the first.</summary>
    public bool IsPending;

    /// <summary>In place of a shift: the option was not there.</summary>
    public const byte NoScale = 255;
}
