namespace Dataplane.Native;

/// <summary>What may be left undone in frames, because whoever takes them finishes it.</summary>
[Flags]
public enum FrameOffloads
{
    /// <summary>Nothing: frames are as they would be on a wire.</summary>
    None = 0,

    /// <summary>A TCP or UDP checksum that holds the pseudo-header's sum only (CHECKSUM_PARTIAL in include/linux/skbuff.h).</summary>
    Checksum = 1,

    /// <summary>TCP data of up to 64 KB in one frame (TSO).</summary>
    Tcp = 2,

    /// <summary>UDP datagrams of one size and one flow in one frame of up to 64 KB (USO).</summary>
    Udp = 4,
}
