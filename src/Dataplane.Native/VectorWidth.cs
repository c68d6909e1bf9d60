using System.Runtime.Intrinsics;

namespace Dataplane.Native;

/// <summary>Which of several equal implementations runs; constants to the JIT. The variable that forces one is the engine's own.</summary>
internal static class VectorWidth
{
    private static readonly string s_forced = Environment.GetEnvironmentVariable("DATAPLANE_FORCE") ?? "";

    /// <summary>512 bits.</summary>
    internal static readonly bool Use512 = s_forced == "v512" || (s_forced.Length == 0 && Vector512.IsHardwareAccelerated);

    /// <summary>256 bits, unless 512.</summary>
    internal static readonly bool Use256 = s_forced == "v256" || (s_forced.Length == 0 && Vector256.IsHardwareAccelerated);

    /// <summary>128 bits, unless more.</summary>
    internal static readonly bool Use128 = s_forced == "v128" || (s_forced.Length == 0 && Vector128.IsHardwareAccelerated);
}
