// syscalls: ioctl
using System.Runtime.InteropServices;
using Dataplane.Native.Abi;
using static Dataplane.Native.Abi.Tun;

namespace Dataplane.Native;

/// <summary>What a TAP device and its holder leave each other to finish.</summary>
/// <param name="HeaderBytes">Length of the header in front of every frame that says so; 0: there is none.</param>
/// <param name="Granted">What the kernel agreed to.</param>
/// <param name="Note">What it refused, in words.</param>
internal readonly unsafe record struct TapOffload(int HeaderBytes, FrameOffloads Granted, string Note)
{
    private const uint Tcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;

    /// <summary>Whether the driver has the header at all.</summary>
    internal static bool IsKnown(int fd)
    {
        uint features = 0;
        return Libc.Ioctl(fd, TUNGETFEATURES, &features) == 0 && (features & (ushort)IFF_VNET_HDR) != 0;
    }

    /// <summary>Asks for all, and for less where that is refused: UDP segmentation is known since 6.2, and the kernel grants everything asked for or nothing.</summary>
    internal static TapOffload Negotiate(int fd, short flags, bool wanted)
    {
        if ((flags & IFF_VNET_HDR) == 0)
            return new TapOffload(0, FrameOffloads.None, wanted ? "the kernel's tun driver has no offload header (IFF_VNET_HDR)" : "");

        int size = sizeof(virtio_net_hdr);
        if (Libc.Ioctl(fd, TUNSETVNETHDRSZ, &size) != 0)
            throw LinuxException.FromLastError($"ioctl(TUNSETVNETHDRSZ, {size})");
        if (!wanted)
            return Set(fd, 0) ? new TapOffload(size, FrameOffloads.None, "") : throw LinuxException.FromLastError("ioctl(TUNSETOFFLOAD, 0)");
        if (Set(fd, Tcp | TUN_F_USO4 | TUN_F_USO6))
            return new TapOffload(size, FrameOffloads.Checksum | FrameOffloads.Tcp | FrameOffloads.Udp, "");
        if (Set(fd, Tcp))
            return new TapOffload(size, FrameOffloads.Checksum | FrameOffloads.Tcp, "the kernel refused UDP segmentation (known since 6.2)");
        string error = Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError());
        return new TapOffload(size, FrameOffloads.None, $"the kernel refused TCP segmentation and checksums ({error})");
    }

    // TUNSETOFFLOAD takes its flags as the argument itself, not as a pointer to them.
    private static bool Set(int fd, uint offloads) => Libc.Ioctl(fd, TUNSETOFFLOAD, (void*)(nuint)offloads) == 0;
}
