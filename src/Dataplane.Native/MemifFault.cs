namespace Dataplane.Native;

/// <summary>What a peer wrote into a ring that cannot be; the ring is not used any more.</summary>
internal enum MemifFault
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>The peer's index went back, or further ahead than the ring is long.</summary>
    IndexOutOfRing,

    /// <summary>A buffer that the peer lent for frames to it lies outside its regions or is too small for any.</summary>
    BufferOutOfRegion,
}
