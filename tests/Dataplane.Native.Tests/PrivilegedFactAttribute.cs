using System.Globalization;

namespace Dataplane.Native.Tests;

/// <summary>A fact that makes network namespaces and opens packet sockets: skipped, with the reason, where the process may not.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class PrivilegedFactAttribute : FactAttribute
{
    public PrivilegedFactAttribute() => Skip = Privileges.Missing;
}

/// <summary>A theory with the same demands as <see cref="PrivilegedFactAttribute"/>.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class PrivilegedTheoryAttribute : TheoryAttribute
{
    public PrivilegedTheoryAttribute() => Skip = Privileges.Missing;
}

internal static class Privileges
{
    private static readonly (string Name, int Bit)[] s_needed = [("CAP_NET_ADMIN", 12), ("CAP_NET_RAW", 13), ("CAP_SYS_ADMIN", 21)];

    /// <summary>What is missing, or null.</summary>
    public static string? Missing { get; } = Find();

    private static string? Find()
    {
        const string Line = "CapEff:";
        string? mask = File.ReadLines("/proc/self/status").FirstOrDefault(l => l.StartsWith(Line, StringComparison.Ordinal));
        if (mask is null)
            return "needs /proc/self/status";
        ulong bits = ulong.Parse(mask.AsSpan(Line.Length).Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        string[] missing = [.. s_needed.Where(c => (bits >> c.Bit & 1) == 0).Select(c => c.Name)];
        if (missing.Length != 0)
            return $"needs {string.Join(", ", missing)}; run the tests as root";
        return File.Exists("/usr/sbin/ip") || File.Exists("/sbin/ip") || File.Exists("/usr/bin/ip") ? null : "needs ip (iproute2)";
    }
}
