// syscalls: mmap madvise
using Dataplane.Native.Abi;
using static Dataplane.Native.Abi.Memory;

namespace Dataplane.Native;

/// <summary>Zeroed private pages from the kernel, large ones where they can be had.</summary>
internal readonly record struct PageMapping(UnmapHandle Handle, nint Start, PageBacking Backing)
{
    private const int HugePageBytes = 2 << 20;

    internal static nuint PageBytes => (nuint)Environment.SystemPageSize;

    /// <summary>Maps memory.</summary>
    /// <param name="lengthBytes">At least 1; rounded up to whole pages.</param>
    /// <param name="preferHugePages">Whether to try reserved 2 MB pages first, then transparent ones; never a reason to fail.</param>
    /// <exception cref="LinuxException">The kernel has no such memory.</exception>
    internal static PageMapping Map(long lengthBytes, bool preferHugePages)
    {
        if (preferHugePages && lengthBytes >= HugePageBytes / 2)
        {
            nuint rounded = RoundUp((nuint)lengthBytes, HugePageBytes);
            nint huge = Libc.Mmap(0, rounded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_2MB, -1, 0);
            if (huge != MAP_FAILED)
                return new PageMapping(new UnmapHandle(huge, rounded), huge, PageBacking.Huge);
            if (lengthBytes >= HugePageBytes)
                return MapTransparent(lengthBytes, rounded);
        }

        nuint length = RoundUp((nuint)lengthBytes, PageBytes);
        nint address = MapAnonymous(length, PROT_READ | PROT_WRITE, lengthBytes);
        return new PageMapping(new UnmapHandle(address, length), address, PageBacking.Ordinary);
    }

    internal static nint MapAnonymous(nuint length, int protection, long askedBytes)
    {
        nint address = Libc.Mmap(0, length, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        return address != MAP_FAILED ? address : throw LinuxException.FromLastError("mmap(MAP_ANONYMOUS)", $"{askedBytes} bytes");
    }

    internal static nuint RoundUp(nuint value, nuint powerOfTwo) => (value + powerOfTwo - 1) & ~(powerOfTwo - 1);

    private static PageMapping MapTransparent(long lengthBytes, nuint rounded)
    {
        // The kernel joins only ranges that are aligned to 2 MB, so map one huge page more and start at the first boundary.
        nuint length = rounded + HugePageBytes;
        nint address = MapAnonymous(length, PROT_READ | PROT_WRITE, lengthBytes);
        nint start = (nint)RoundUp((nuint)address, HugePageBytes);
        bool advised = Libc.Madvise(start, rounded, MADV_HUGEPAGE) == 0;
        return new PageMapping(new UnmapHandle(address, length), start, advised ? PageBacking.TransparentHuge : PageBacking.Ordinary);
    }
}
