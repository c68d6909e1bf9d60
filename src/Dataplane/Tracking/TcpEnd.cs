namespace Dataplane.Tracking;

/// <summary>What is known of one end of a TCP connection: what it has sent, and may send.</summary>
internal struct TcpEnd
{
    /// <summary>Sequence number behind the last byte it has sent; means something when <see cref="IsKnown"/>.</summary>
    public uint End;

    /// <summary>Sequence number up to which the other end has offered to take data; when <see cref="IsBounded"/>.</summary>
    public uint MaxEnd;

    /// <summary>Largest window it has offered, in bytes; never 0.</summary>
    public uint MaxWindow;

    /// <summary>Highest acknowledgment it has sent; when <see cref="HasAcknowledged"/>.</summary>
    public uint MaxAcknowledgment;

    /// <summary>Shift of the windows it sends.</summary>
    public byte Scale;

    /// <summary>Whether it has sent anything.</summary>
    public bool IsKnown;

    /// <summary>Whether the other end has offered a window.</summary>
    public bool IsBounded;

    /// <summary>Whether it has acknowledged anything.</summary>
    public bool HasAcknowledged;

    /// <summary>Whether it has sent FIN, which then is the last number before <see cref="End"/>.</summary>
    public bool HasFinished;

    /// <summary>Whether the other end has acknowledged that.</summary>
    public bool IsFinishAcknowledged;
}
