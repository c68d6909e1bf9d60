namespace Dataplane.Native;

/// <summary>The kind of pages behind a <see cref="MappedRegion"/>.</summary>
public enum PageBacking
{
    /// <summary>Ordinary pages of the machine (4 KB on x86-64).</summary>
    Ordinary,

    /// <summary>Ordinary pages which the kernel was asked to join into 2 MB ones where it can (madvise MADV_HUGEPAGE).</summary>
    TransparentHuge,

    /// <summary>Reserved 2 MB pages (MAP_HUGETLB).</summary>
    Huge,

    /// <summary>Memory that belongs to a kernel ring.</summary>
    KernelRing,
}
