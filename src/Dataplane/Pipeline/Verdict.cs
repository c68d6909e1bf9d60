namespace Dataplane.Pipeline;

/// <summary>What has been decided about a packet. A stage touches only packets that are still <see cref="Continue"/>,
/// except for the last ones, which carry out what is decided.</summary>
public enum Verdict : byte
{
    /// <summary>Nothing yet: the next stage looks at it.</summary>
    Continue = 0,

    /// <summary>To be forwarded: the way out (port, next hop) is chosen, headers are still to be rewritten.</summary>
    Forward,

    /// <summary>To be sent as it stands by the port chosen.</summary>
    Transmit,

    /// <summary>Not to be sent, for the reason given.</summary>
    Drop,

    /// <summary>Copied out of the batch; it waits for its next hop to be resolved and comes back later.</summary>
    Hold,
}
