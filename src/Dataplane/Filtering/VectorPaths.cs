using System.Runtime.Intrinsics;
using Dataplane.Packets;

namespace Dataplane.Filtering;

/// <summary>Which width the filter compares with; all give the same answers. Constants to the JIT, so that only one path is left.</summary>
internal static class VectorPaths
{
    /// <summary>512 bits: where the processor has them without penalty, or when forced.</summary>
    public static readonly bool Use512 = CodePaths.Current == CodePath.V512 || (CodePaths.Current == CodePath.Auto && Vector512.IsHardwareAccelerated);

    /// <summary>256 bits.</summary>
    public static readonly bool Use256 = CodePaths.Current == CodePath.V256 || (CodePaths.Current == CodePath.Auto && Vector256.IsHardwareAccelerated);

    /// <summary>128 bits.</summary>
    public static readonly bool Use128 = CodePaths.Current == CodePath.V128 || (CodePaths.Current == CodePath.Auto && Vector128.IsHardwareAccelerated);
}
