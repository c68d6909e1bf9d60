namespace Dataplane.Native.Abi;

/// <summary>Constants of getrlimit(2) (asm-generic/resource.h).</summary>
[KernelConstants("sys/resource.h")]
internal static class Resource
{
    internal const int RLIMIT_NOFILE = 7;
}
