namespace Dataplane.Native.Abi;

/// <summary>Constants of mmap(2) and madvise(2) (asm-generic/mman-common.h, mman.h).</summary>
[KernelConstants("sys/mman.h", "linux/mman.h")]
internal static class Memory
{
    internal const int PROT_NONE = 0;
    internal const int PROT_READ = 1;
    internal const int PROT_WRITE = 2;

    internal const int MAP_SHARED = 0x01;
    internal const int MAP_PRIVATE = 0x02;
    internal const int MAP_FIXED = 0x10;
    internal const int MAP_ANONYMOUS = 0x20;
    internal const int MAP_NORESERVE = 0x4000;
    internal const int MAP_POPULATE = 0x8000;
    internal const int MAP_HUGETLB = 0x40000;
    internal const int MAP_HUGE_2MB = 21 << 26;    // log2 of the page size in the top six bits, since 3.8

    internal const int MFD_CLOEXEC = 0x1;
    internal const int MFD_ALLOW_SEALING = 0x2;

    internal const int MADV_HUGEPAGE = 14;
    internal const int MADV_POPULATE_WRITE = 23;   // since 5.14

    /// <summary>What mmap answers for an error; a pointer in C, so it is not among the proven constants.</summary>
    internal static nint MAP_FAILED => -1;
}
