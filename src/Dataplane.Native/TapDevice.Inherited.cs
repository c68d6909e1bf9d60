// syscalls: ioctl fcntl
using System.Text;
using Dataplane.Native.Abi;

namespace Dataplane.Native;

// A device that another process has opened and handed in.
public sealed unsafe partial class TapDevice
{
    /// <summary>Takes over a descriptor of a TAP device, such as a parent leaves open for its child. Needs no privilege.</summary>
    /// <remarks>The interface may be in any network namespace, and is left as it is. Its MTU cannot be asked for by the descriptor.</remarks>
    /// <param name="descriptor">Number of the descriptor; it is closed with the device.</param>
    /// <param name="options">MTU as the interface has it (0 stands for 1,500) and whether to use offloads; everything else is the parent's business.</param>
    /// <exception cref="LinuxException">There is no such descriptor, or it is none of a TAP device.</exception>
    /// <exception cref="IOException">It is of a TUN device, or of one that puts other headers before its frames.</exception>
    public static TapDevice FromDescriptor(int descriptor, TapOptions? options = null) => From(descriptor, null, options ?? new TapOptions());

    /// <summary>Goes on with a device that another process opened by name with the same options, and still has open: it is left as it is.</summary>
    /// <param name="descriptor">Its descriptor, which belongs to the device once this has returned.</param>
    /// <param name="options">As it was opened.</param>
    /// <exception cref="LinuxException">It is no descriptor of a TAP device, or the namespace cannot be entered.</exception>
    /// <exception cref="IOException">It is of another kind of device, or the interface is not in the namespace.</exception>
    internal static TapDevice Adopt(FileDescriptor descriptor, TapOptions options)
    {
        TapDevice device = From(descriptor.Number, descriptor, options);
        InterfaceControl control = InterfaceControl.Open(options.NetworkNamespace);
        if (control.TryRead(device.Interface.Name) is { } info)
        {
            var known = new TapDevice(descriptor, control, info, new TapOffload(device.HeaderBytes, device.Offloads, device.OffloadNote));
            known.RefreshState();
            return known;
        }

        control.Dispose();
        throw new IOException($"Interface {device.Interface.Name} of {descriptor} is not in the network namespace that the port is configured for.");
    }

    private static TapDevice From(int descriptor, FileDescriptor? owned, TapOptions options)
    {
        string subject = $"descriptor {descriptor}";
        ifreq_flags request = default;
        if (Libc.Ioctl(descriptor, Tun.TUNGETIFF, &request) != 0)
            throw LinuxException.FromLastError("ioctl(TUNGETIFF)", subject, "hand in a descriptor of /dev/net/tun after TUNSETIFF, and keep it open across exec");
        if ((request.ifr_flags & (Tun.IFF_TAP | Tun.IFF_NO_PI)) != (Tun.IFF_TAP | Tun.IFF_NO_PI))
            throw new IOException($"The device of {subject} does not carry plain Ethernet frames; make it with IFF_TAP and IFF_NO_PI.");

        ReadOnlySpan<byte> given = request.ifr_name;
        var hardware = new ifreq_hwaddr { ifr_name = request.ifr_name };
        if (Libc.Ioctl(descriptor, Abi.Interface.SIOCGIFHWADDR, &hardware) != 0)
            throw LinuxException.FromLastError("ioctl(SIOCGIFHWADDR)", subject);
        int status = Libc.Fcntl(descriptor, Socket.F_GETFL, 0);
        if (status < 0 || Libc.Fcntl(descriptor, Socket.F_SETFL, status | Socket.O_NONBLOCK) != 0 || Libc.Fcntl(descriptor, Socket.F_SETFD, Socket.FD_CLOEXEC) != 0)
            throw LinuxException.FromLastError("fcntl(F_SETFL, O_NONBLOCK)", subject);
        var info = new NetworkInterfaceInfo
        {
            Name = Encoding.UTF8.GetString(given[..given.IndexOf((byte)0)]),
            Index = 0,
            HardwareAddress = InterfaceControl.ReadAddress(hardware.sa_data),
            IsEthernet = true,
            MtuBytes = options.MtuBytes == 0 ? 1500 : options.MtuBytes,
            IsUp = true,
            IsRunning = true,
            IsLoopback = false,
        };
        TapOffload offload = TapOffload.Negotiate(descriptor, request.ifr_flags, options.Offload);
        if (options.Offload && offload.HeaderBytes == 0)
            offload = offload with { Note = "the descriptor was made without an offload header (IFF_VNET_HDR)" };
        return new TapDevice(owned ?? new FileDescriptor(descriptor), null, info, offload);
    }

    /// <summary>What nobody can be asked about is up when it works.</summary>
    private void NoteThatItWorks()
    {
        if (_control is null && _state != (int)InterfaceState.Up)
            Volatile.Write(ref _state, (int)InterfaceState.Up);
    }
}
