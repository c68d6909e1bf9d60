namespace Dataplane.Native;

/// <summary>Why memory that a peer offered was not taken.</summary>
internal enum SharedRegionRefusal
{
    /// <summary>It was taken.</summary>
    None,

    /// <summary>Nothing, or more than 1 GB.</summary>
    LengthOutOfRange,

    /// <summary>The descriptor is not of a file that can be sealed.</summary>
    NotSealable,

    /// <summary>The file may shrink under the mapping: F_SEAL_SHRINK is missing.</summary>
    MayShrink,

    /// <summary>The file lies elsewhere than in ordinary shared memory.</summary>
    NotSharedMemory,

    /// <summary>The file is shorter than the message says.</summary>
    ShorterThanClaimed,

    /// <summary>The kernel does not map it for reading and writing.</summary>
    NotMappable,
}
