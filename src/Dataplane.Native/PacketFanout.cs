// syscalls: getsockopt setsockopt
using System.Runtime.InteropServices;
using Dataplane.Native.Abi;
using static Dataplane.Native.Abi.Packet;

namespace Dataplane.Native;

/// <summary>Packet sockets of one interface that share its frames: each gets its part of the flows (PACKET_FANOUT).</summary>
/// <remarks>
/// <para>By hash: the kernel's symmetric flow hash, so that both directions of a flow come to the socket of the same number. Two flags are left out on purpose.
/// PACKET_FANOUT_FLAG_ROLLOVER would give what a full ring has no room for to another socket: a flow would overtake itself and come to another worker, to save
/// frames that an overloaded worker had to drop anyway. PACKET_FANOUT_FLAG_DEFRAG would put IPv4 datagrams together, longer than the MTU, and IPv6 ones not;
/// fragments are followed by the engine. Without it, all fragments of two hosts come to one socket, the first ones too.</para>
/// <para>A group leaves its own numbers to the kernel (PACKET_FANOUT_FLAG_UNIQUEID), so that it never meets another program's.</para>
/// </remarks>
internal sealed unsafe class PacketFanout
{
    private int _group = -1;

    /// <summary>Ties a socket to the interface, as one of the group; the first makes the group.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    internal void Bind(FileDescriptor socket, NetworkInterfaceInfo info)
    {
        const int Way = PACKET_FANOUT_HASH | PACKET_FANOUT_FLAG_IGNORE_OUTGOING;
        if (_group < 0)
        {
            PacketSocket.Bind(socket, info, ETH_P_ALL);
            Join(socket, info, (Way | PACKET_FANOUT_FLAG_UNIQUEID) << 16);
            _group = Ask(socket, info) & ushort.MaxValue;
            return;
        }

        // Between the two calls the socket would get every frame, also those of the others: it refuses them until it is one of the group.
        SetFilter(socket, info);
        PacketSocket.Bind(socket, info, ETH_P_ALL);
        Join(socket, info, (Way << 16) | _group);
        int nothing = 0;
        if (Libc.Setsockopt(socket.Number, Socket.SOL_SOCKET, Socket.SO_DETACH_FILTER, &nothing, sizeof(int)) != 0)
            throw LinuxException.FromLastError("setsockopt(SO_DETACH_FILTER)", info.Name);
    }

    private static void Join(FileDescriptor socket, NetworkInterfaceInfo info, int group)
    {
        if (Libc.Setsockopt(socket.Number, SOL_PACKET, PACKET_FANOUT, &group, sizeof(int)) == 0)
            return;
        string? remedy = Marshal.GetLastPInvokeError() == Errno.EINVAL ? "put the interface up first (older kernels let only running sockets share frames), or use one queue" : null;
        throw LinuxException.FromLastError("setsockopt(PACKET_FANOUT)", info.Name, remedy);
    }

    private static int Ask(FileDescriptor socket, NetworkInterfaceInfo info)
    {
        int group = 0;
        uint size = sizeof(int);
        return Libc.Getsockopt(socket.Number, SOL_PACKET, PACKET_FANOUT, &group, &size) == 0
            ? group
            : throw LinuxException.FromLastError("getsockopt(PACKET_FANOUT)", info.Name);
    }

    /// <summary>A filter of one instruction, which lets nothing in.</summary>
    private static void SetFilter(FileDescriptor socket, NetworkInterfaceInfo info)
    {
        var nothing = new sock_filter { code = BPF_RET, k = 0 };
        var program = new sock_fprog { len = 1, filter = (nint)(&nothing) };
        if (Libc.Setsockopt(socket.Number, Socket.SOL_SOCKET, Socket.SO_ATTACH_FILTER, &program, (uint)sizeof(sock_fprog)) != 0)
            throw LinuxException.FromLastError("setsockopt(SO_ATTACH_FILTER)", info.Name);
    }
}
