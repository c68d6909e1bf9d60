// syscalls: socket ioctl
using System.Runtime.InteropServices;
using System.Text;
using Dataplane.Native.Abi;
using static Dataplane.Native.Abi.Interface;

namespace Dataplane.Native;

/// <summary>Reads and changes network interfaces of one network namespace. Calls from several threads are safe.</summary>
public sealed unsafe class InterfaceControl : IDisposable
{
    private readonly FileDescriptor _socket;

    /// <summary>Uses a socket of any family: interface requests go to the namespace that it was made in.</summary>
    internal InterfaceControl(FileDescriptor socket) => _socket = socket;

    /// <summary>Opens the door to a namespace's interfaces.</summary>
    /// <param name="networkNamespace">Null for the current namespace; a name as in <c>ip netns list</c>; or a path such as <c>/proc/PID/ns/net</c>.</param>
    /// <exception cref="LinuxException">The namespace cannot be entered.</exception>
    public static InterfaceControl Open(string? networkNamespace = null) => NamespaceThread.Run(networkNamespace, static () =>
    {
        int fd = Libc.Socket(Socket.AF_INET, Socket.SOCK_DGRAM | Socket.SOCK_CLOEXEC, 0);
        return fd >= 0 ? new InterfaceControl(new FileDescriptor(fd)) : throw LinuxException.FromLastError("socket(AF_INET)");
    });

    /// <summary>Reads an interface.</summary>
    /// <returns>Null when there is no such interface.</returns>
    /// <exception cref="LinuxException">The kernel refused to answer.</exception>
    public NetworkInterfaceInfo? TryRead(string name)
    {
        var number = new ifreq_int { ifr_name = NameOf(name) };
        if (!TryIoctl(SIOCGIFINDEX, &number, "ioctl(SIOCGIFINDEX)", name))
            return null;
        int index = number.ifr_value;
        var hardware = new ifreq_hwaddr { ifr_name = number.ifr_name };
        var flags = new ifreq_flags { ifr_name = number.ifr_name };
        bool complete = TryIoctl(SIOCGIFMTU, &number, "ioctl(SIOCGIFMTU)", name)
            && TryIoctl(SIOCGIFHWADDR, &hardware, "ioctl(SIOCGIFHWADDR)", name)
            && TryIoctl(SIOCGIFFLAGS, &flags, "ioctl(SIOCGIFFLAGS)", name);
        if (!complete)
            return null;
        return new NetworkInterfaceInfo
        {
            Name = name,
            Index = index,
            HardwareAddress = hardware.sa_family == ARPHRD_ETHER ? ReadAddress(hardware.sa_data) : 0,
            IsEthernet = hardware.sa_family is ARPHRD_ETHER or ARPHRD_LOOPBACK,
            MtuBytes = number.ifr_value,
            IsUp = (flags.ifr_flags & IFF_UP) != 0,
            IsRunning = (flags.ifr_flags & IFF_RUNNING) != 0,
            IsLoopback = (flags.ifr_flags & IFF_LOOPBACK) != 0,
        };
    }

    /// <summary>Whether the interface of a number can pass frames now, whatever it is called by now. Three short system calls.</summary>
    /// <exception cref="LinuxException">The kernel refused to answer.</exception>
    public InterfaceState StateOf(int index)
    {
        var number = new ifreq_int { ifr_value = index };
        if (!TryIoctl(SIOCGIFNAME, &number, "ioctl(SIOCGIFNAME)", null))
            return InterfaceState.Gone;
        var flags = new ifreq_flags { ifr_name = number.ifr_name };
        if (!TryIoctl(SIOCGIFFLAGS, &flags, "ioctl(SIOCGIFFLAGS)", null))
            return InterfaceState.Gone;
        if ((flags.ifr_flags & IFF_UP) == 0)
            return InterfaceState.Down;

        // The kernel's summary first. The driver's own word takes the lock of all interfaces (RTNL), which others may hold for milliseconds, and it is a worker that asks.
        return (flags.ifr_flags & IFF_RUNNING) != 0 || HasCarrier(flags) ? InterfaceState.Up : InterfaceState.Down;
    }

    /// <summary>Puts an interface up or down.</summary>
    /// <exception cref="LinuxException">No such interface, or CAP_NET_ADMIN is missing.</exception>
    public void SetUp(string name, bool up)
    {
        var request = new ifreq_flags { ifr_name = NameOf(name) };
        Demand(SIOCGIFFLAGS, &request, "ioctl(SIOCGIFFLAGS)", name);
        request.ifr_flags = (short)(up ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP);
        Demand(SIOCSIFFLAGS, &request, up ? "ioctl(SIOCSIFFLAGS, up)" : "ioctl(SIOCSIFFLAGS, down)", name);
    }

    /// <summary>Sets the largest layer 3 packet in bytes.</summary>
    /// <exception cref="LinuxException">No such interface, a size it does not take, or CAP_NET_ADMIN is missing.</exception>
    public void SetMtu(string name, int mtuBytes)
    {
        var request = new ifreq_int { ifr_name = NameOf(name), ifr_value = mtuBytes };
        Demand(SIOCSIFMTU, &request, $"ioctl(SIOCSIFMTU, {mtuBytes})", name);
    }

    /// <summary>Sets the MAC address.</summary>
    /// <param name="name">Name of the interface.</param>
    /// <param name="hardwareAddress">The 48 bits, the first byte on the wire most significant; not a group address.</param>
    /// <exception cref="LinuxException">No such interface, an address it does not take, or CAP_NET_ADMIN is missing.</exception>
    public void SetHardwareAddress(string name, ulong hardwareAddress)
    {
        var request = new ifreq_hwaddr { ifr_name = NameOf(name), sa_family = ARPHRD_ETHER };
        for (int i = 0; i < 6; i++)
            request.sa_data[i] = (byte)(hardwareAddress >> (40 - (8 * i)));
        Demand(SIOCSIFHWADDR, &request, "ioctl(SIOCSIFHWADDR)", name);
    }

    /// <summary>Says whether the kernel may leave checksums of what it sends by an interface to the other end (<c>ethtool -K IF tx on|off</c>).</summary>
    /// <exception cref="LinuxException">No such interface, a driver that does not let itself be told, or CAP_NET_ADMIN is missing.</exception>
    public void SetTransmitChecksums(string name, bool left)
    {
        var setting = new ethtool_value { cmd = ETHTOOL_STXCSUM, data = left ? 1u : 0u };
        var request = new ifreq_data { ifr_name = NameOf(name), ifr_data = (nint)(&setting) };
        Demand(SIOCETHTOOL, &request, "ioctl(ETHTOOL_STXCSUM)", name);
    }

    /// <summary>Closes the door.</summary>
    public void Dispose() => _socket.Dispose();

    /// <summary>A name in the kernel's form.</summary>
    /// <exception cref="ArgumentException">The name is empty or longer than 15 bytes.</exception>
    internal static InterfaceName NameOf(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        int length = Encoding.UTF8.GetByteCount(name);
        if (length >= IFNAMSIZ)
            throw new ArgumentException($"'{name}' cannot be the name of an interface: it has {length} bytes, 15 are allowed.", nameof(name));
        InterfaceName result = default;
        Encoding.UTF8.GetBytes(name, result);
        return result;
    }

    /// <summary>Whether the link works, asked of the driver.</summary>
    /// <remarks>IFF_RUNNING alone comes up to a second late: the kernel spares itself link changes (net/core/link_watch.c).</remarks>
    private bool HasCarrier(in ifreq_flags flags)
    {
        var question = new ethtool_value { cmd = ETHTOOL_GLINK };
        var request = new ifreq_data { ifr_name = flags.ifr_name, ifr_data = (nint)(&question) };
        return Ioctl(SIOCETHTOOL, &request) == 0 ? question.data != 0 : (flags.ifr_flags & IFF_RUNNING) != 0;
    }

    internal static ulong ReadAddress(ReadOnlySpan<byte> bytes)
    {
        ulong address = 0;
        for (int i = 0; i < 6; i++)
            address = (address << 8) | bytes[i];
        return address;
    }

    private bool TryIoctl(uint request, void* argument, string call, string? subject)
    {
        if (Ioctl(request, argument) == 0)
            return true;
        int errno = Marshal.GetLastPInvokeError();
        return errno is Errno.ENODEV or Errno.ENXIO ? false : throw new LinuxException(errno, call, subject);
    }

    private void Demand(uint request, void* argument, string call, string subject)
    {
        if (Ioctl(request, argument) != 0)
            throw LinuxException.FromLastError(call, subject);
    }

    private int Ioctl(uint request, void* argument)
    {
        bool held = false;
        try
        {
            _socket.DangerousAddRef(ref held);
            return Libc.Ioctl(_socket.Number, request, argument);
        }
        finally
        {
            if (held)
                _socket.DangerousRelease();
        }
    }
}
