using Dataplane.Native.Abi;
using static Dataplane.Native.Abi.Xdp;

namespace Dataplane.Native;

/// <summary>An XDP program on an interface and the map of sockets that it hands frames to.</summary>
/// <remarks>Attached by a link: the program leaves the interface when this is disposed, and when the process ends, however it does.</remarks>
internal sealed class XdpAttachment : IDisposable
{
    private const int MaxQueues = 64;

    private readonly FileDescriptor _map;
    private readonly FileDescriptor _program;
    private readonly FileDescriptor _link;
    private readonly string _interfaceName;

    private XdpAttachment(string interfaceName, XdpMode mode, FileDescriptor map, FileDescriptor program, FileDescriptor link)
    {
        _interfaceName = interfaceName;
        Mode = mode;
        (_map, _program, _link) = (map, program, link);
    }

    /// <summary>Where the program runs: native or generic.</summary>
    internal XdpMode Mode { get; }

    /// <summary>Loads the program and attaches it to an interface of the thread's network namespace.</summary>
    /// <param name="info">The interface.</param>
    /// <param name="mode">Where it is to run.</param>
    /// <param name="take">What sockets get; empty: everything.</param>
    /// <param name="leave">What the kernel keeps of that.</param>
    /// <param name="flows">Flows that it forwards by itself; null: none.</param>
    /// <param name="hasFragments">Whether frames may lie in several buffers.</param>
    /// <exception cref="LinuxException">A capability is missing, another program is there, or the driver cannot.</exception>
    internal static XdpAttachment Attach(
        NetworkInterfaceInfo info, XdpMode mode, IReadOnlyList<XdpRule> take, IReadOnlyList<XdpRule> leave, XdpFlowMap? flows = null, bool hasFragments = false)
    {
        FileDescriptor? map = null, program = null;
        try
        {
            map = BpfObjects.CreateSocketMap(MaxQueues, info.Name);
            program = BpfObjects.LoadXdp(XdpRedirectProgram.Write(map.Number, take, leave, flows, info.Index, hasFragments), info.Name, hasFragments);
            (FileDescriptor link, XdpMode used) = Link(program, info, mode);
            return new XdpAttachment(info.Name, used, map, program, link);
        }
        catch
        {
            program?.Dispose();
            map?.Dispose();
            throw;
        }
    }

    /// <summary>Hands the frames of a queue to a socket that is bound to it.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    internal void Connect(int queue, FileDescriptor socket) => BpfObjects.Put(_map, queue, socket, _interfaceName);

    /// <summary>Takes the program off the interface.</summary>
    public void Dispose()
    {
        _link.Dispose();
        _program.Dispose();
        _map.Dispose();
    }

    private static (FileDescriptor Link, XdpMode Mode) Link(FileDescriptor program, NetworkInterfaceInfo info, XdpMode wanted)
    {
        int errno = 0;
        if (wanted != XdpMode.Generic)
        {
            FileDescriptor? native = BpfObjects.TryAttachXdp(program, info.Index, XDP_FLAGS_DRV_MODE, out errno);
            if (native is not null)
                return (native, XdpMode.Native);
            // A driver that cannot says EOPNOTSUPP, one that could with other settings EINVAL or ERANGE. These are no matter of the driver:
            if (wanted == XdpMode.Native || errno is Errno.EPERM or Errno.EBUSY or Errno.EEXIST or Errno.ENODEV or Errno.ENOMEM or Errno.EMFILE)
                throw Refused(errno, "native", info.Name);
        }

        return BpfObjects.TryAttachXdp(program, info.Index, XDP_FLAGS_SKB_MODE, out errno) is { } generic
            ? (generic, XdpMode.Generic)
            : throw Refused(errno, "generic", info.Name);
    }

    private static LinuxException Refused(int errno, string mode, string interfaceName)
    {
        string? remedy = errno switch
        {
            Errno.EBUSY or Errno.EEXIST => $"another XDP program is on the interface: take it off (ip link set dev {interfaceName} xdp off; bpftool link) or use another interface",
            Errno.EOPNOTSUPP or Errno.EINVAL or Errno.ERANGE when mode == "native" =>
                "the driver cannot run it as the interface is set: use generic mode, or a smaller MTU, without LRO",
            _ => null,
        };
        return new LinuxException(errno, $"bpf(BPF_LINK_CREATE, XDP, {mode})", interfaceName, remedy);
    }
}
