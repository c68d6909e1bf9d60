namespace Dataplane.Tracking;

/// <summary>Why a packet has the state it has. Those from <see cref="BadFlags"/> on are invalid.</summary>
internal enum StateReason : byte
{
    /// <summary>Not asked.</summary>
    None = 0,

    /// <summary>Nothing is known about it, and it may begin something.</summary>
    Unknown,

    /// <summary>Of a connection that the other side has not answered yet.</summary>
    Unanswered,

    /// <summary>Of a connection that the other side has answered.</summary>
    Answered,

    /// <summary>In the middle of a TCP connection that is not known, where such are picked up.</summary>
    PickedUp,

    /// <summary>A SYN behind the end of the connection: it begins another.</summary>
    Reopens,

    /// <summary>Passes so that the receiver can answer it with a challenge, and changes nothing (RFC 5961 3 and 4).</summary>
    Challenge,

    /// <summary>An ICMP error about a known connection.</summary>
    QuotesConnection,

    /// <summary>Flags that no sender sets together, or none.</summary>
    BadFlags,

    /// <summary>A segment other than SYN of no known connection.</summary>
    NoConnection,

    /// <summary>Not what the handshake, or the end of the connection, leaves to be sent.</summary>
    OutOfTurn,

    /// <summary>Data beyond what the receiver has offered to take.</summary>
    AboveWindow,

    /// <summary>Data older than anything that could have to be sent again.</summary>
    BelowWindow,

    /// <summary>Acknowledges what has never been sent.</summary>
    AcknowledgesUnsent,

    /// <summary>Acknowledges what was acknowledged long ago.</summary>
    AcknowledgesOld,

    /// <summary>A reset outside the window (RFC 5961 3).</summary>
    ResetOutOfWindow,

    /// <summary>An answer that nobody has asked for.</summary>
    UnaskedAnswer,

    /// <summary>An ICMP error that quotes no known connection.</summary>
    QuotesNothing,

    /// <summary>An ICMP error that quotes a TCP segment which cannot be on its way (RFC 5927 4.1).</summary>
    QuotesOutOfWindow,

    /// <summary>An ICMP error to another host than the one whose packet it quotes.</summary>
    QuotesOther,
}
