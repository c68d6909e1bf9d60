// syscalls: bpf
using System.Runtime.InteropServices;
using System.Text;
using Dataplane.Native.Abi;
using static Dataplane.Native.Abi.Bpf;

namespace Dataplane.Native;

/// <summary>Makes BPF maps, programs and links by bpf(2), without libbpf. Each lives as long as its descriptor, or what holds it.</summary>
internal static unsafe class BpfObjects
{
    private const int LogBytes = 256 << 10;

    private static nint BpfNumber => RuntimeInformation.ProcessArchitecture switch
    {
        Architecture.X64 => 321,
        Architecture.Arm64 or Architecture.RiscV64 or Architecture.LoongArch64 => 280,
        _ => throw new PlatformNotSupportedException($"XDP programs are not supported on {RuntimeInformation.ProcessArchitecture}; use af_packet ports."),
    };

    /// <summary>Makes a map of AF_XDP sockets by queue.</summary>
    /// <exception cref="LinuxException">CAP_BPF or CAP_NET_ADMIN is missing, or the kernel has no such map.</exception>
    internal static FileDescriptor CreateSocketMap(int entries, string subject)
    {
        var attributes = new bpf_attr_map_create
        {
            map_type = BPF_MAP_TYPE_XSKMAP,
            key_size = sizeof(uint),
            value_size = sizeof(uint),
            max_entries = (uint)entries,
        };
        "dataplane_xsk"u8.CopyTo(attributes.map_name);
        return Descriptor(Call(BPF_MAP_CREATE, &attributes, sizeof(bpf_attr_map_create)), "bpf(BPF_MAP_CREATE, XSKMAP)", subject);
    }

    /// <summary>Makes a map of any other kind.</summary>
    /// <exception cref="LinuxException">CAP_BPF or CAP_NET_ADMIN is missing, or the kernel has no such map.</exception>
    internal static FileDescriptor CreateMap(uint type, int keyBytes, int valueBytes, int entries, uint flags, ReadOnlySpan<byte> name)
    {
        var attributes = new bpf_attr_map_create
        {
            map_type = type,
            key_size = (uint)keyBytes,
            value_size = (uint)valueBytes,
            max_entries = (uint)entries,
            map_flags = flags,
        };
        name.CopyTo(attributes.map_name);
        return Descriptor(Call(BPF_MAP_CREATE, &attributes, sizeof(bpf_attr_map_create)), $"bpf(BPF_MAP_CREATE, {type})", Encoding.ASCII.GetString(name));
    }

    /// <summary>Writes an element of a map; after false, the reason is the last error.</summary>
    internal static bool TryUpdate(FileDescriptor map, void* key, void* value)
    {
        var attributes = new bpf_attr_map_element { map_fd = (uint)map.Number, key = (ulong)key, value = (ulong)value };
        return Call(BPF_MAP_UPDATE_ELEM, &attributes, sizeof(bpf_attr_map_element)) >= 0;
    }

    /// <summary>Removes an element of a map; false when it was not there.</summary>
    internal static bool TryDelete(FileDescriptor map, void* key)
    {
        var attributes = new bpf_attr_map_element { map_fd = (uint)map.Number, key = (ulong)key };
        return Call(BPF_MAP_DELETE_ELEM, &attributes, sizeof(bpf_attr_map_element)) >= 0;
    }

    /// <summary>Puts a descriptor into a map.</summary>
    /// <exception cref="LinuxException">The kernel refused, for instance because the socket is not bound to the queue.</exception>
    internal static void Put(FileDescriptor map, int key, FileDescriptor value, string subject)
    {
        uint index = (uint)key, number = (uint)value.Number;
        var attributes = new bpf_attr_map_element { map_fd = (uint)map.Number, key = (ulong)&index, value = (ulong)&number };
        if (Call(BPF_MAP_UPDATE_ELEM, &attributes, sizeof(bpf_attr_map_element)) < 0)
            throw LinuxException.FromLastError("bpf(BPF_MAP_UPDATE_ELEM, XSKMAP)", subject);
    }

    /// <summary>Has the kernel check and load an XDP program.</summary>
    /// <param name="program">Its instructions.</param>
    /// <param name="subject">The interface it is for; for the message.</param>
    /// <param name="hasFragments">Whether it gets frames of which only the beginning is in one piece.</param>
    /// <exception cref="LinuxException">CAP_BPF or CAP_NET_ADMIN is missing, or the program was refused: the message ends with what the verifier says.</exception>
    internal static FileDescriptor LoadXdp(ReadOnlySpan<ulong> program, string subject, bool hasFragments = false)
    {
        const string What = "bpf(BPF_PROG_LOAD, XDP)";
        // bpf_redirect_map is open to programs of every licence.
        ReadOnlySpan<byte> license = "MIT\0"u8;
        fixed (ulong* instructions = program)
        fixed (byte* licensed = license)
        {
            var attributes = new bpf_attr_prog_load
            {
                prog_type = BPF_PROG_TYPE_XDP,
                insn_cnt = (uint)program.Length,
                insns = (ulong)instructions,
                license = (ulong)licensed,
                prog_flags = hasFragments ? BPF_F_XDP_HAS_FRAGS : 0,
            };
            "dataplane_xdp"u8.CopyTo(attributes.prog_name);
            nint fd = Call(BPF_PROG_LOAD, &attributes, sizeof(bpf_attr_prog_load));
            if (fd >= 0)
                return new FileDescriptor((int)fd);
            int errno = Marshal.GetLastPInvokeError();
            if (errno is Errno.EPERM or Errno.ENOSYS or Errno.ENOMEM or Errno.EMFILE)
                throw new LinuxException(errno, What, subject);

            // Once more, for the reason: the log costs time that a program which loads need not spend.
            byte[] log = new byte[LogBytes];
            fixed (byte* text = log)
            {
                attributes.log_level = 1;
                attributes.log_size = LogBytes;
                attributes.log_buf = (ulong)text;
                fd = Call(BPF_PROG_LOAD, &attributes, sizeof(bpf_attr_prog_load));
            }

            return fd >= 0 ? new FileDescriptor((int)fd) : throw new LinuxException(errno, What, subject, "report this; the verifier says: " + TailOf(log));
        }
    }

    /// <summary>Attaches an XDP program to an interface of the current namespace, until the descriptor is closed or the process ends.</summary>
    /// <param name="program">The program.</param>
    /// <param name="interfaceIndex">The interface's number.</param>
    /// <param name="flags">XDP_FLAGS_DRV_MODE or XDP_FLAGS_SKB_MODE.</param>
    /// <param name="errno">The error number when null is returned.</param>
    internal static FileDescriptor? TryAttachXdp(FileDescriptor program, int interfaceIndex, uint flags, out int errno)
    {
        var attributes = new bpf_attr_link_create
        {
            prog_fd = (uint)program.Number,
            target_ifindex = (uint)interfaceIndex,
            attach_type = BPF_XDP,
            flags = flags,
        };
        nint fd = Call(BPF_LINK_CREATE, &attributes, sizeof(bpf_attr_link_create));
        errno = fd >= 0 ? 0 : Marshal.GetLastPInvokeError();
        return fd >= 0 ? new FileDescriptor((int)fd) : null;
    }

    // Descriptors of BPF objects are close-on-exec from the start.
    private static FileDescriptor Descriptor(nint fd, string call, string subject) =>
        fd >= 0 ? new FileDescriptor((int)fd) : throw LinuxException.FromLastError(call, subject);

    private static nint Call(int command, void* attributes, int attributesBytes) => Libc.Bpf(BpfNumber, command, attributes, (nuint)attributesBytes);

    /// <summary>The end of the verifier's log, where the reason stands.</summary>
    private static string TailOf(byte[] log)
    {
        int length = Array.IndexOf(log, (byte)0);
        string[] lines = Encoding.UTF8.GetString(log, 0, length < 0 ? log.Length : length).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        return lines.Length == 0 ? "nothing" : string.Join(" | ", lines.Where(line => !line.StartsWith("processed ", StringComparison.Ordinal)).TakeLast(6));
    }
}
