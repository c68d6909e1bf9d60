namespace Dataplane.Native;

/// <summary>How the kernel hands received frames over (<c>linux/if_packet.h</c>).</summary>
public enum AfPacketRing
{
    /// <summary>
    /// Each frame in a slot of its own, handed over at once (TPACKET_V2): what sleeps in poll is awake as soon as a frame has come. A frame that is longer than a slot,
    /// as super-frames are, waits in the socket's buffer and costs one system call more; without CAP_NET_ADMIN that buffer is twice net.core.rmem_max, which is few of them.
    /// </summary>
    Slots,

    /// <summary>
    /// Frames behind each other in blocks, handed over when a block is full or its time is up (TPACKET_V3): more frames fit into the same memory, and each waits for up to
    /// <see cref="AfPacketReceiveOptions.RetireTimeoutMs"/> while there is little traffic.
    /// </summary>
    Blocks,
}
