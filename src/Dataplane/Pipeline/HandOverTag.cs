namespace Dataplane.Pipeline;

/// <summary>What the worker that gets a frame is to do with it, and the port this is about.</summary>
internal readonly record struct HandOverTag(HandOverKind Kind, ushort Port);

/// <summary>Why a frame goes from one worker to another.</summary>
internal enum HandOverKind : byte
{
    /// <summary>It belongs to a flow of that worker; the port is the one it came by.</summary>
    Forward = 0,

    /// <summary>It goes from one inside host to another by their outside addresses, has the sender's already, and is for a mapped port of that worker.</summary>
    Hairpin,

    /// <summary>It leaves by a port of that worker, as it stands.</summary>
    Transmit,

    /// <summary>A copy of an ARP or neighbour discovery message: to be learnt from, not answered, and no packet in any count.</summary>
    Overheard,
}
