using System.Globalization;
using System.Runtime.Intrinsics.X86;
using System.Text;

namespace Dataplane.Telemetry;

/// <summary>How many cycles the processor's time stamp counter makes in a nanosecond: turns the clock, which the kernel derives from it, back into cycles.</summary>
internal static class CycleRate
{
    private const int HypervisorBase = 0x4000_0000, HypervisorTiming = 0x4000_0010, TscLeaf = 0x15;

    /// <summary>Cycles per nanosecond; 0 when this machine does not tell.</summary>
    public static double PerNanosecond { get; } = Find();

    /// <summary>Reads the rate out of /proc/cpuinfo, whose first <c>cpu MHz</c> is near that of the counter; 0 when there is none.</summary>
    internal static double FromCpuInfo(IEnumerable<string> lines)
    {
        string? line = lines.FirstOrDefault(candidate => candidate.StartsWith("cpu MHz", StringComparison.Ordinal));
        return line is not null && double.TryParse(line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..], NumberStyles.Float,
            CultureInfo.InvariantCulture, out double megahertz) && megahertz > 0 ? megahertz / 1000 : 0;
    }

    private static double Find()
    {
        if (!X86Base.IsSupported)
        {
            return 0;
        }

        double told = FromHypervisor();
        told = told > 0 ? told : FromTscLeaf();
        return told > 0 ? told : ReadCpuInfo();
    }

    /// <summary>The counter's kHz where the hypervisor has a timing leaf (KVM, VMware).</summary>
    private static double FromHypervisor()
    {
        (_, _, int features, _) = X86Base.CpuId(1, 0);
        if ((features >>> 31) == 0)
        {
            return 0;
        }

        (int highest, _, _, _) = X86Base.CpuId(HypervisorBase, 0);
        return (uint)highest < HypervisorTiming ? 0 : (uint)X86Base.CpuId(HypervisorTiming, 0).Eax / 1e6;
    }

    /// <summary>Crystal clock and its ratio to the counter (Intel SDM volume 2, CPUID leaf 15H).</summary>
    private static double FromTscLeaf()
    {
        if (X86Base.CpuId(0, 0).Eax < TscLeaf)
        {
            return 0;
        }

        (int denominator, int numerator, int crystalHz, _) = X86Base.CpuId(TscLeaf, 0);
        return denominator == 0 ? 0 : (double)(uint)crystalHz * (uint)numerator / (uint)denominator / 1e9;
    }

    private static double ReadCpuInfo()
    {
        try
        {
            return FromCpuInfo(File.ReadLines("/proc/cpuinfo", Encoding.ASCII));
        }
        catch (IOException)
        {
            return 0;
        }
    }
}
