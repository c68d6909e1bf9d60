using Dataplane.Native;

namespace Dataplane.Succession;

/// <summary>What one message between the process that ends and its successor is about: its first byte. The first three are the same in every version.</summary>
internal enum SuccessionKind : byte
{
    /// <summary>Not a message: the other process is gone, has closed the connection, or said nothing in time.</summary>
    Gone = 0,

    /// <summary>Successor: which version it speaks, and which states it can read.</summary>
    Hello,

    /// <summary>Predecessor: nothing can be handed over, and why.</summary>
    Refused,

    /// <summary>Successor: end without handing over; it starts cold.</summary>
    End,

    /// <summary>Predecessor: seed of its hashes, and how many queues can be passed.</summary>
    Welcome,

    /// <summary>Predecessor: what a queue is, and its descriptor.</summary>
    Queue,

    /// <summary>Successor: which of the queues it goes on with.</summary>
    Takes,

    /// <summary>Predecessor: flows, in shared memory.</summary>
    Flows,

    /// <summary>Successor: the flows are there.</summary>
    Loaded,

    /// <summary>Predecessor: the flows that have changed until it stopped receiving, in shared memory. Not answered.</summary>
    LastFlows,

    /// <summary>Predecessor: it receives no more; since when, and where in each queue to go on.</summary>
    Stopped,

    /// <summary>Predecessor: neighbours, in shared memory.</summary>
    Neighbours,

    /// <summary>Successor: from here on everything is its own.</summary>
    Taken,

    /// <summary>Predecessor: learnt routes, backends that are down, clients with affinity, in shared memory: before the flows, and what of it packets change once more at the end. Not answered.</summary>
    Knowledge,
}

/// <summary>A message as it was received.</summary>
/// <param name="Kind">What it is about.</param>
/// <param name="Body">Its bytes after the first.</param>
/// <param name="Passed">The descriptor that came along, which whoever receives it closes; null for none.</param>
internal readonly record struct SuccessionMessage(SuccessionKind Kind, byte[] Body, FileDescriptor? Passed);
