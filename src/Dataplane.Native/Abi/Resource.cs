namespace Dataplane.Native.Abi;

/// <summary>Constants of getrlimit (asm-generic/resource.h).</summary>
internal static class Resource
{
    internal const int RLIMIT_NOFILE = 7;
}
