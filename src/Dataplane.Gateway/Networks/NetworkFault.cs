namespace Dataplane.Gateway.Networks;

/// <summary>Why a request was refused.</summary>
internal enum NetworkFault
{
    /// <summary>What was asked for makes no sense.</summary>
    Invalid,

    /// <summary>The network or endpoint is not there.</summary>
    NotFound,

    /// <summary>It is there already, in use, or taken by another.</summary>
    Conflict,

    /// <summary>Nothing is left to give.</summary>
    Exhausted,

    /// <summary>The kernel or the disk refused.</summary>
    Failed,

    /// <summary>No service answers.</summary>
    Unreachable,
}

/// <summary>A request was refused; nothing has changed.</summary>
internal sealed class NetworkException(NetworkFault fault, string message, Exception? inner = null) : IOException(message, inner)
{
    public NetworkFault Fault { get; } = fault;
}
