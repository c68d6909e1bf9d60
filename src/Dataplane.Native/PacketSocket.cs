// syscalls: socket setsockopt getsockopt bind
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Dataplane.Native.Abi;
using static Dataplane.Native.Abi.Packet;

namespace Dataplane.Native;

/// <summary>Makes packet sockets and sets their options, with errors that name the interface.</summary>
internal static unsafe class PacketSocket
{
    /// <summary>Opens a socket that receives nothing until it is bound with a protocol, and looks up its interface.</summary>
    /// <exception cref="LinuxException">CAP_NET_RAW is missing, or there is no such interface or namespace.</exception>
    /// <exception cref="IOException">The interface does not carry Ethernet frames.</exception>
    internal static FileDescriptor Open(string interfaceName, string? networkNamespace, out NetworkInterfaceInfo info)
    {
        int fd = NamespaceThread.Run(networkNamespace, () =>
        {
            int number = Libc.Socket(Socket.AF_PACKET, Socket.SOCK_RAW | Socket.SOCK_CLOEXEC | Socket.SOCK_NONBLOCK, 0);
            return number >= 0 ? number : throw LinuxException.FromLastError("socket(AF_PACKET)", interfaceName);
        });
        var socket = new FileDescriptor(fd);
        try
        {
            info = new InterfaceControl(socket).TryRead(interfaceName) ?? throw new LinuxException(Errno.ENODEV, "ioctl(SIOCGIFINDEX)", interfaceName);
            if (!info.IsEthernet)
                throw new IOException($"Interface {interfaceName} does not carry Ethernet frames; use one that does (veth, bridge, NIC, TAP).");
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Ties the socket to its interface.</summary>
    /// <param name="socket">The socket.</param>
    /// <param name="info">The interface.</param>
    /// <param name="protocol">ETH_P_ALL to receive, 0 to send only.</param>
    internal static void Bind(FileDescriptor socket, NetworkInterfaceInfo info, int protocol)
    {
        ushort order = BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness((ushort)protocol) : (ushort)protocol;
        var address = new sockaddr_ll { sll_family = Socket.AF_PACKET, sll_protocol = order, sll_ifindex = info.Index };
        if (Libc.Bind(socket.Number, &address, (uint)sizeof(sockaddr_ll)) != 0)
            throw LinuxException.FromLastError("bind(AF_PACKET)", info.Name);
    }

    /// <summary>Sets an option of the packet level.</summary>
    internal static void Set<T>(FileDescriptor socket, int option, T value, string optionName, string interfaceName)
        where T : unmanaged
    {
        if (Libc.Setsockopt(socket.Number, SOL_PACKET, option, &value, (uint)sizeof(T)) != 0)
            throw LinuxException.FromLastError($"setsockopt({optionName}, AF_PACKET)", interfaceName);
    }

    /// <summary>Asks for a send buffer; a process without CAP_NET_ADMIN gets at most net.core.wmem_max.</summary>
    internal static void SetSendBuffer(FileDescriptor socket, int bytes)
    {
        if (Libc.Setsockopt(socket.Number, Socket.SOL_SOCKET, Socket.SO_SNDBUFFORCE, &bytes, sizeof(int)) != 0)
            Libc.Setsockopt(socket.Number, Socket.SOL_SOCKET, Socket.SO_SNDBUF, &bytes, sizeof(int));
    }

    /// <summary>Asks for a receive buffer; a process without CAP_NET_ADMIN gets at most net.core.rmem_max.</summary>
    internal static void SetReceiveBuffer(FileDescriptor socket, int bytes)
    {
        if (Libc.Setsockopt(socket.Number, Socket.SOL_SOCKET, Socket.SO_RCVBUFFORCE, &bytes, sizeof(int)) != 0)
            Libc.Setsockopt(socket.Number, Socket.SOL_SOCKET, Socket.SO_RCVBUF, &bytes, sizeof(int));
    }

    /// <summary>Takes the pending error of the socket, so that poll(2) no longer reports it.</summary>
    /// <returns>The error number, or 0 for none.</returns>
    internal static int TakeError(FileDescriptor socket)
    {
        int error = 0;
        uint size = sizeof(int);
        return Libc.Getsockopt(socket.Number, Socket.SOL_SOCKET, Socket.SO_ERROR, &error, &size) == 0 ? error : Marshal.GetLastPInvokeError();
    }

    /// <summary>Takes the ring's counters, which the kernel sets to zero thereby.</summary>
    internal static tpacket_stats_v3 TakeStatistics(FileDescriptor socket)
    {
        tpacket_stats_v3 statistics = default;
        uint size = (uint)sizeof(tpacket_stats_v3);
        return Libc.Getsockopt(socket.Number, SOL_PACKET, PACKET_STATISTICS, &statistics, &size) == 0 ? statistics : default;
    }
}
