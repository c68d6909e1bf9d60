// syscalls: socket openat
using System.Collections;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Dataplane.Native.Abi;

namespace Dataplane.Native;

/// <summary>What this process may and may not do on this machine, and how to mend what is missing.</summary>
/// <remarks>Print it when a port cannot be opened: <see cref="ToString"/> is a table for people.</remarks>
public sealed class Capabilities : IReadOnlyList<Capability>
{
    private const long EnoughLockedBytes = 64 << 20;

    private static readonly (string Name, int Bit, string Use, string Remedy)[] s_bits =
    [
        ("CAP_NET_RAW", 13, "AF_PACKET and AF_XDP ports", Remedies.NetRaw),
        ("CAP_NET_ADMIN", 12, "TAP ports, interface settings, XDP programs", Remedies.NetAdmin),
        ("CAP_SYS_ADMIN", 21, "ports in other network namespaces", Remedies.SysAdmin),
        ("CAP_BPF", 39, "XDP programs", "run as root or grant CAP_BPF (kernel 5.8 or later; before, CAP_SYS_ADMIN)"),
    ];

    private readonly List<Capability> _entries;

    private Capabilities(List<Capability> entries) => _entries = entries;

    /// <inheritdoc/>
    public int Count => _entries.Count;

    /// <inheritdoc/>
    public Capability this[int index] => _entries[index];

    /// <summary>The entry of a name.</summary>
    /// <exception cref="KeyNotFoundException">No entry has the name.</exception>
    public Capability this[string name] =>
        _entries.Find(e => e.Name == name)
        ?? throw new KeyNotFoundException($"No capability is called '{name}'; there are {string.Join(", ", _entries.Select(e => e.Name))}.");

    /// <summary>Looks. Opens and closes a few descriptors and changes nothing; takes well under a millisecond.</summary>
    public static Capabilities Probe()
    {
        ulong effective = EffectiveCapabilities();
        var entries = new List<Capability> { ProbeKernel() };
        foreach ((string name, int bit, string use, string remedy) in s_bits)
            entries.Add(Entry(name, (effective >> bit & 1) != 0, "for " + use, remedy));
        entries.Add(ProbeSocket("AF_PACKET", Socket.AF_PACKET));
        entries.Add(ProbeSocket("AF_XDP", Socket.AF_XDP));
        entries.Add(ProbeXdp());
        entries.Add(ProbeTun());
        entries.Add(ProbeLockedMemory(effective));
        entries.Add(ProbeHugePages());
        return new Capabilities(entries);
    }

    /// <inheritdoc/>
    public IEnumerator<Capability> GetEnumerator() => _entries.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>A table: one line each, with the remedy below what is missing.</summary>
    public override string ToString()
    {
        int width = _entries.Max(e => e.Name.Length);
        var table = new StringBuilder();
        foreach (Capability entry in _entries)
        {
            table.Append(CultureInfo.InvariantCulture, $"{entry.Name.PadRight(width)}  {(entry.Available ? "yes" : "no ")}  {entry.Detail}\n");
            if (entry.Remedy is not null)
                table.Append(CultureInfo.InvariantCulture, $"{new string(' ', width)}       -> {entry.Remedy}\n");
        }

        return table.ToString();
    }

    private static Capability Entry(string name, bool available, string detail, string remedy) => new(name, available, detail, available ? null : remedy);

    private static Capability ProbeKernel()
    {
        string release = TryReadFirstLine("/proc/sys/kernel/osrelease") ?? "unknown";
        string[] numbers = release.Split('.', '-', '+');
        bool recent = numbers.Length >= 2
            && int.TryParse(numbers[0], CultureInfo.InvariantCulture, out int major)
            && int.TryParse(numbers[1], CultureInfo.InvariantCulture, out int minor)
            && (major, minor).CompareTo((4, 20)) >= 0;
        return Entry("kernel", recent, release, "use kernel 4.20 or later: older ones show a packet socket what its own host sends (PACKET_IGNORE_OUTGOING)");
    }

    private static ulong EffectiveCapabilities()
    {
        const string Line = "CapEff:";
        string? found = TryReadLines("/proc/self/status").FirstOrDefault(l => l.StartsWith(Line, StringComparison.Ordinal));
        ReadOnlySpan<char> digits = found.AsSpan(found is null ? 0 : Line.Length).Trim();
        return ulong.TryParse(digits, NumberStyles.HexNumber, CultureInfo.InvariantCulture, out ulong bits) ? bits : 0;
    }

    private static Capability ProbeSocket(string name, int family)
    {
        int fd = Libc.Socket(family, Socket.SOCK_RAW | Socket.SOCK_CLOEXEC, 0);
        if (fd >= 0)
        {
            new FileDescriptor(fd).Dispose();
            return Entry(name, true, "a socket can be opened", "");
        }

        int errno = Marshal.GetLastPInvokeError();
        string option = family == Socket.AF_XDP ? "CONFIG_XDP_SOCKETS" : "CONFIG_PACKET";
        string remedy = errno is Errno.EPERM or Errno.EACCES ? Remedies.NetRaw : $"use a kernel built with {option}";
        return Entry(name, false, $"{Errno.NameOf(errno)} ({Errno.TextOf(errno)})", remedy);
    }

    /// <summary>Loads the program of an AF_XDP port, which the kernel forgets again at once.</summary>
    private static Capability ProbeXdp()
    {
        const string Name = "XDP program";
        try
        {
            using FileDescriptor map = BpfObjects.CreateSocketMap(1, Name);
            using FileDescriptor program = BpfObjects.LoadXdp(XdpRedirectProgram.Write(map.Number, [], []), Name);
            return Entry(Name, true, "can be loaded", "");
        }
        catch (LinuxException refusal)
        {
            return Entry(Name, false, $"{refusal.Call}: {refusal.ErrnoName}", refusal.Remedy ?? "use a kernel built with CONFIG_BPF_SYSCALL and CONFIG_XDP_SOCKETS, 5.9 or later");
        }
        catch (PlatformNotSupportedException)
        {
            return Entry(Name, false, "not on this processor", "use af_packet ports");
        }
    }

    private static Capability ProbeTun()
    {
        const string Name = "/dev/net/tun";
        int fd = Libc.Open(Name, Socket.O_RDWR | Socket.O_CLOEXEC, 0);
        if (fd >= 0)
        {
            new FileDescriptor(fd).Dispose();
            return Entry(Name, true, "can be opened", "");
        }

        int errno = Marshal.GetLastPInvokeError();
        string remedy = errno is Errno.EPERM or Errno.EACCES ? "give the user access to /dev/net/tun, and in a container allow the device" : Remedies.TunDevice;
        return Entry(Name, false, $"{Errno.NameOf(errno)} ({Errno.TextOf(errno)})", remedy);
    }

    private static Capability ProbeLockedMemory(ulong effective)
    {
        const string Name = "RLIMIT_MEMLOCK", Line = "Max locked memory";
        const int IpcLock = 14;
        string? found = TryReadLines("/proc/self/limits").FirstOrDefault(l => l.StartsWith(Line, StringComparison.Ordinal));
        string soft = found?[Line.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[0] ?? "unknown";
        if (soft == "unlimited")
            return Entry(Name, true, soft, "");
        if ((effective >> IpcLock & 1) != 0)
            return Entry(Name, true, $"{soft} bytes, not enforced with CAP_IPC_LOCK", "");
        bool enough = long.TryParse(soft, NumberStyles.None, CultureInfo.InvariantCulture, out long bytes) && bytes >= EnoughLockedBytes;
        return Entry(Name, enough, $"{soft} bytes; AF_XDP rings take up to 64 MB", Remedies.Memlock);
    }

    private static Capability ProbeHugePages()
    {
        const string Folder = "/sys/kernel/mm/hugepages/hugepages-2048kB/";
        string total = TryReadFirstLine(Folder + "nr_hugepages") ?? "0";
        string free = TryReadFirstLine(Folder + "free_hugepages") ?? "0";
        return Entry("huge pages", free != "0", $"{free} of {total} reserved 2 MB pages are free", Remedies.HugePages);
    }

    private static string? TryReadFirstLine(string path) => TryReadLines(path).FirstOrDefault();

    private static string[] TryReadLines(string path)
    {
        try
        {
            return File.ReadAllLines(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
