namespace Dataplane.Pipeline;

/// <summary>Why a packet is held, and with that how it goes on; said by captures.</summary>
internal enum HoldReason : byte
{
    /// <summary>Its next hop's hardware address is being asked for.</summary>
    Neighbour,

    /// <summary>A later fragment that came before the first.</summary>
    FirstFragment,

    /// <summary>Handed to another worker, which has its flow, the mapped port it is for, or the port it leaves by.</summary>
    OtherWorker,

    /// <summary>Taken apart: the frame inside goes on as one of its own.</summary>
    Decapsulated,

    /// <summary>Put into a packet that the engine makes around it.</summary>
    Encapsulated,

    /// <summary>From one inside host to another by its outside address: goes on as what comes from outside.</summary>
    Hairpin,

    /// <summary>Copies of it leave by several ports.</summary>
    Flooded,
}
