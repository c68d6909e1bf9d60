using Dataplane.Native.Abi;

namespace Dataplane.Native;

/// <summary>What an operator can do about a refused call, by call and error number.</summary>
internal static class Remedies
{
    internal const string NetRaw = "run as root or grant CAP_NET_RAW (setcap cap_net_raw+ep on the program, or AmbientCapabilities= in a systemd unit)";
    internal const string NetAdmin = "run as root or grant CAP_NET_ADMIN (setcap cap_net_admin+ep on the program, or AmbientCapabilities= in a systemd unit)";
    internal const string Xdp = "run as root or grant CAP_BPF, CAP_NET_ADMIN and CAP_NET_RAW, which AF_XDP ports need "
        + "(setcap cap_bpf,cap_net_admin,cap_net_raw+ep on the program, or AmbientCapabilities= in a systemd unit)";
    internal const string SysAdmin = "run as root or grant CAP_SYS_ADMIN, which entering another network namespace needs";
    internal const string Memlock = "raise RLIMIT_MEMLOCK (ulimit -l, or LimitMEMLOCK=infinity in a systemd unit)";
    internal const string TunDevice = "load the tun module (modprobe tun) and, in a container, pass the device in (--device /dev/net/tun)";
    internal const string Processor = "name a processor that is online and inside the process's cpuset (/proc/self/status, Cpus_allowed_list)";
    internal const string HugePages = "reserve 2 MB pages (sysctl vm.nr_hugepages=512); without them ordinary pages are used, which costs speed only";

    /// <summary>The remedy for a refusal, or null where nothing general can be said.</summary>
    internal static string? For(int errno, string call) => errno switch
    {
        Errno.EPERM or Errno.EACCES => ForPermission(call),
        Errno.ENODEV or Errno.ENXIO when Concerns(call, "AF_PACKET") || Concerns(call, "XDP") || Concerns(call, "SIOC") =>
            "check the interface name and its network namespace (ip link)",
        Errno.ENOENT when Concerns(call, "/dev/net/tun") => TunDevice,
        Errno.ENOBUFS when Concerns(call, "XDP_UMEM_REG") => Memlock,
        Errno.ENOMEM or Errno.ENOBUFS => "ask for smaller or fewer rings, or free memory",
        Errno.EMFILE => "raise RLIMIT_NOFILE (ulimit -n, or LimitNOFILE= in a systemd unit)",
        Errno.ENFILE => "raise the system's limit of open files (sysctl fs.file-max)",
        Errno.ENOSYS or Errno.ENOPROTOOPT or Errno.EOPNOTSUPP or Errno.EPROTONOSUPPORT or Errno.EAFNOSUPPORT =>
            "this kernel lacks the feature: use a newer kernel or one built with it",
        _ => null,
    };

    private static string ForPermission(string call)
    {
        if (Concerns(call, "setns") || Concerns(call, "unshare"))
            return SysAdmin;
        if (Concerns(call, "bpf(") || Concerns(call, "XDP"))
            return Xdp;
        if (Concerns(call, "AF_PACKET"))
            return NetRaw;
        bool admin = Concerns(call, "SIOC") || Concerns(call, "TUN") || Concerns(call, "/dev/net/tun");
        return admin ? NetAdmin : "run as root or grant the capability that the call needs";
    }

    private static bool Concerns(string call, string part) => call.Contains(part, StringComparison.Ordinal);
}
