using System.Runtime.Intrinsics;

namespace Dataplane.Native.Tests;

/// <summary>A run that is to show what a narrower path does must really take it: all kernels branch on these, the others on what the runtime has.</summary>
public class VectorWidthTests
{
    private static readonly string s_forced = Environment.GetEnvironmentVariable("DATAPLANE_FORCE") ?? "";

    [Fact]
    public void Use_ForcedPath_IsThatOneAndNoOther()
    {
        (bool, bool, bool) expected = s_forced switch
        {
            "" => (Vector512.IsHardwareAccelerated, Vector256.IsHardwareAccelerated, Vector128.IsHardwareAccelerated),
            "v512" => (true, false, false),
            "v256" => (false, true, false),
            "v128" => (false, false, true),
            _ => (false, false, false),
        };
        Assert.Equal(expected, (VectorWidth.Use512, VectorWidth.Use256, VectorWidth.Use128));
    }

    /// <summary>The switches by which CI takes instructions away have had other names in other runtimes; one that is not known is ignored silently.</summary>
    [Fact]
    public void IsHardwareAccelerated_InstructionsTakenAway_IsFalse()
    {
        bool all = IsOff("DOTNET_EnableHWIntrinsic"), avx = all || IsOff("DOTNET_EnableAVX"), avx512 = avx || IsOff("DOTNET_EnableAVX512");
        Assert.False(avx512 && Vector512.IsHardwareAccelerated);
        Assert.False(avx && Vector256.IsHardwareAccelerated);
        Assert.False(all && System.Runtime.Intrinsics.X86.Pclmulqdq.IsSupported);
        static bool IsOff(string name) => Environment.GetEnvironmentVariable(name) == "0";
    }
}
