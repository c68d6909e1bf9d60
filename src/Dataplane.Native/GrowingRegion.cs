// syscalls: mmap madvise
using Dataplane.Native.Abi;
using static Dataplane.Native.Abi.Memory;

namespace Dataplane.Native;

/// <summary>Mapped memory that grows in place: the address space is reserved at once, the memory comes 2 MB at a time.</summary>
/// <remarks>
/// For tables whose size is not known before: nothing ever moves, so readers need not be told. Before the first byte and behind the last of the
/// reservation lie guards of at least <see cref="StepBytes"/> that cannot be touched. Growing is for one thread at a time; reading what is there is not disturbed by it.
/// Dispose a region only after every thread that works on it has ended.
/// </remarks>
public sealed unsafe class GrowingRegion : IDisposable
{
    /// <summary>The region grows by this many bytes, a huge page.</summary>
    public const int StepBytes = 2 << 20;

    private readonly UnmapHandle _mapping;
    private readonly bool _hugePages;
    private byte* _start;

    private GrowingRegion(UnmapHandle mapping, nint start, int capacityBytes, bool hugePages)
    {
        _mapping = mapping;
        _start = (byte*)start;
        CapacityBytes = capacityBytes;
        _hugePages = hugePages;
    }

    /// <summary>How far the region can grow, a multiple of <see cref="StepBytes"/>.</summary>
    public int CapacityBytes { get; }

    /// <summary>Bytes from the start that can be used now, a multiple of <see cref="StepBytes"/>.</summary>
    public int LengthBytes { get; private set; }

    /// <summary>The bytes that can be used now; valid until the region is disposed, and no longer all of them after it has grown.</summary>
    /// <exception cref="ObjectDisposedException">The region was disposed.</exception>
    public Span<byte> Span
    {
        get
        {
            ObjectDisposedException.ThrowIf(_start is null, this);
            return new Span<byte>(_start, LengthBytes);
        }
    }

    /// <summary>The first address, or null once disposed; never leaves this assembly.</summary>
    internal byte* Start => _start;

    /// <summary>Reserves address space; no memory is taken yet.</summary>
    /// <param name="capacityBytes">At least 1 and at most 2 GB less one step; rounded up to whole steps.</param>
    /// <param name="preferHugePages">Whether to try reserved 2 MB pages first, then transparent ones; never a reason to fail.</param>
    /// <exception cref="LinuxException">The kernel has no such address space.</exception>
    public static GrowingRegion Reserve(int capacityBytes, bool preferHugePages = true)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(capacityBytes, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(capacityBytes, int.MaxValue - StepBytes);
        nuint capacity = ((nuint)capacityBytes + StepBytes - 1) & ~((nuint)StepBytes - 1);

        // One step is the guard before the region, one lets it start at a huge page's boundary, and one is the guard behind it.
        nuint length = capacity + (3 * (nuint)StepBytes);
        nint address = Libc.Mmap(0, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (address == MAP_FAILED)
            throw LinuxException.FromLastError("mmap(PROT_NONE)", $"{capacityBytes} bytes of address space");
        nint start = (nint)(((nuint)address + (2 * (nuint)StepBytes) - 1) & ~((nuint)StepBytes - 1));
        return new GrowingRegion(new UnmapHandle(address, length), start, (int)capacity, preferHugePages);
    }

    /// <summary>Makes at least the first bytes usable, zeroed where they were not before.</summary>
    /// <param name="lengthBytes">0 to <see cref="CapacityBytes"/>; less than now changes nothing.</param>
    /// <returns>False when the capacity does not suffice.</returns>
    /// <exception cref="LinuxException">The kernel has no such memory; the region is as before.</exception>
    /// <exception cref="ObjectDisposedException">The region was disposed.</exception>
    public bool TryGrow(int lengthBytes)
    {
        ObjectDisposedException.ThrowIf(_start is null, this);
        ArgumentOutOfRangeException.ThrowIfNegative(lengthBytes);
        if (lengthBytes > CapacityBytes)
            return false;
        while (LengthBytes < lengthBytes)
        {
            Commit((nint)_start + LengthBytes);
            LengthBytes += StepBytes;
        }

        return true;
    }

    /// <summary>Unmaps the region; every span taken from it is invalid from now on.</summary>
    public void Dispose()
    {
        _start = null;
        _mapping.Dispose();
    }

    private void Commit(nint at)
    {
        const int Flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
        if (_hugePages && Libc.Mmap(at, StepBytes, PROT_READ | PROT_WRITE, Flags | MAP_HUGETLB | MAP_HUGE_2MB, -1, 0) != MAP_FAILED)
            return;
        if (Libc.Mmap(at, StepBytes, PROT_READ | PROT_WRITE, Flags, -1, 0) == MAP_FAILED)
            throw LinuxException.FromLastError("mmap(MAP_FIXED)", $"{StepBytes} more bytes of a region");
        if (_hugePages)
            _ = Libc.Madvise(at, StepBytes, MADV_HUGEPAGE);
    }
}
