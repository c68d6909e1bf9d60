// syscalls: openat ioctl read write
using System.Runtime.InteropServices;
using System.Text;
using Dataplane.Native.Abi;

namespace Dataplane.Native;

/// <summary>A TAP device: an Ethernet interface of the kernel whose wire ends in this process.</summary>
/// <remarks>
/// Frames are read and written whole, one system call each, VLAN tags in place; without <see cref="TapOptions.Offload"/> with checksums complete and
/// no super-frames. One thread at a time may read and one may write; <see cref="RefreshState"/> may be called by any.
/// </remarks>
public sealed unsafe partial class TapDevice : IDisposable
{
    private const string DevicePath = "/dev/net/tun";

    private readonly InterfaceControl? _control;    // null: the interface is where this process may not look
    private readonly Lock _gate = new();
    private bool _disposed;
    private int _state;

    private TapDevice(FileDescriptor descriptor, InterfaceControl? control, NetworkInterfaceInfo info, TapOffload offload)
    {
        Descriptor = descriptor;
        _control = control;
        Interface = info;
        (HeaderBytes, Offloads, OffloadNote) = (offload.HeaderBytes, offload.Granted, offload.Note);
    }

    /// <summary>Readable for poll(2) while the kernel has frames for us; in error once the interface is gone.</summary>
    public FileDescriptor Descriptor { get; }

    /// <summary>The interface as it was when the device was opened.</summary>
    public NetworkInterfaceInfo Interface { get; }

    /// <summary>Bytes of offload header (struct virtio_net_hdr) in front of every frame that is read or written; 0 when there is none.</summary>
    public int HeaderBytes { get; }

    /// <summary>What the kernel leaves undone in frames that it gives, and finishes in those that it takes.</summary>
    public FrameOffloads Offloads { get; }

    /// <summary>What the kernel refused of the offloads asked for, in words; empty when it granted all or none were asked for.</summary>
    public string OffloadNote { get; }

    /// <summary>State of the interface when it was last looked at.</summary>
    public InterfaceState State => (InterfaceState)Volatile.Read(ref _state);

    /// <summary>Opens a device, which is made if it does not exist.</summary>
    /// <param name="name">Name of the interface; <c>%d</c> in it stands for the first free number.</param>
    /// <param name="options">How to make it; null for the defaults.</param>
    /// <exception cref="LinuxException">CAP_NET_ADMIN or /dev/net/tun is missing, another process has the device, or an option does not suit it.</exception>
    public static TapDevice Open(string name, TapOptions? options = null)
    {
        options ??= new TapOptions();
        return NamespaceThread.Run(options.NetworkNamespace, () => OpenHere(name, options));
    }

    /// <summary>Takes the next frame, without waiting.</summary>
    /// <param name="buffer">Room for the offload header, if there is one, and the frame; a longer one is cut to it, so let it be longer than any expected.</param>
    /// <returns>Length of both in bytes; 0 when no frame waits or the interface is gone.</returns>
    public int Read(Span<byte> buffer)
    {
        fixed (byte* bytes = buffer)
        {
            nint length = Libc.Read(Descriptor.Number, bytes, (nuint)buffer.Length);
            if (length >= 0)
            {
                NoteThatItWorks();
                return (int)length;
            }
        }

        return Fail();
    }

    /// <summary>Gives a frame, behind its offload header if there is one, to the kernel, without waiting.</summary>
    /// <returns>False when the interface is down or gone (see <see cref="State"/>), the frame is too short or not as its offload header says, or the
    /// kernel has no memory for it.</returns>
    public bool TryWrite(ReadOnlySpan<byte> frame)
    {
        fixed (byte* bytes = frame)
        {
            if (Libc.Write(Descriptor.Number, bytes, (nuint)frame.Length) == frame.Length)
            {
                NoteThatItWorks();
                return true;
            }
        }

        Fail();
        return false;
    }

    /// <summary>Looks whether the interface is up. Three short system calls: not for every batch.</summary>
    /// <remarks>The state of a device that was handed in is what the last read or write showed.</remarks>
    /// <returns>The state; <see cref="InterfaceState.Gone"/> once disposed.</returns>
    public InterfaceState RefreshState()
    {
        lock (_gate)
        {
            InterfaceState state = _disposed ? InterfaceState.Gone : _control?.StateOf(Interface.Index) ?? State;
            Volatile.Write(ref _state, (int)state);
            return state;
        }
    }

    /// <summary>Closes the device, which goes away unless it was made to persist. Call it after the last read and write have returned.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_disposed)
                return;
            _disposed = true;
            Volatile.Write(ref _state, (int)InterfaceState.Gone);
            Descriptor.Dispose();
            _control?.Dispose();
        }
    }

    private static TapDevice OpenHere(string name, TapOptions options)
    {
        int fd = Libc.Open(DevicePath, Socket.O_RDWR | Socket.O_NONBLOCK | Socket.O_CLOEXEC, 0);
        if (fd < 0)
            throw LinuxException.FromLastError($"open({DevicePath})", name);
        var descriptor = new FileDescriptor(fd);
        InterfaceControl? control = null;
        try
        {
            short flags = (short)(Tun.IFF_TAP | Tun.IFF_NO_PI | (options.MultiQueue ? Tun.IFF_MULTI_QUEUE : 0) | (options.Offload && TapOffload.IsKnown(fd) ? Tun.IFF_VNET_HDR : 0));
            var request = new ifreq_flags { ifr_name = InterfaceControl.NameOf(name), ifr_flags = flags };
            if (Libc.Ioctl(fd, Tun.TUNSETIFF, &request) != 0)
                throw LinuxException.FromLastError("ioctl(TUNSETIFF)", name, BusyRemedy(name, options.MultiQueue));
            // TUNSETPERSIST takes its flag as the argument itself, not as a pointer to it.
            if (options.Persist && Libc.Ioctl(fd, Tun.TUNSETPERSIST, (void*)1) != 0)
                throw LinuxException.FromLastError("ioctl(TUNSETPERSIST)", name);

            ReadOnlySpan<byte> given = request.ifr_name;
            string made = Encoding.UTF8.GetString(given[..given.IndexOf((byte)0)]);
            control = InterfaceControl.Open();
            NetworkInterfaceInfo info = Configure(control, made, options);
            var device = new TapDevice(descriptor, control, info, TapOffload.Negotiate(fd, flags, options.Offload));
            device.RefreshState();
            return device;
        }
        catch
        {
            control?.Dispose();
            descriptor.Dispose();
            throw;
        }
    }

    private static string? BusyRemedy(string name, bool multiQueue) => Marshal.GetLastPInvokeError() switch
    {
        Errno.EBUSY => "end the process that has the device open, or choose another name",
        Errno.EINVAL when multiQueue => $"choose another name: {name} exists and is not a TAP device, or was made for one queue",
        Errno.EINVAL => $"choose another name: {name} exists and is not a TAP device, or was made for several queues",
        Errno.E2BIG => "ask for fewer queues",
        _ => null,
    };

    private static NetworkInterfaceInfo Configure(InterfaceControl control, string name, TapOptions options)
    {
        if (options.HardwareAddress != 0)
            control.SetHardwareAddress(name, options.HardwareAddress);
        if (options.MtuBytes != 0)
            control.SetMtu(name, options.MtuBytes);
        if (options.BringUp)
            control.SetUp(name, true);
        return control.TryRead(name) ?? throw new LinuxException(Errno.ENODEV, "ioctl(SIOCGIFINDEX)", name);
    }

    /// <summary>Notes what the last call's error says about the interface.</summary>
    private int Fail()
    {
        switch (Marshal.GetLastPInvokeError())
        {
            case Errno.EIO:
                Volatile.Write(ref _state, (int)InterfaceState.Down);
                break;
            case Errno.EBADFD or Errno.EBADF:
                Volatile.Write(ref _state, (int)InterfaceState.Gone);
                break;
        }

        return 0;
    }
}
