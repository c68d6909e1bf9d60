// syscalls: mmap madvise mprotect
using System.Buffers;
using Dataplane.Native.Abi;
using static Dataplane.Native.Abi.Memory;

namespace Dataplane.Native;

/// <summary>A range of mapped memory that the garbage collector neither moves nor scans.</summary>
/// <remarks>
/// A span taken from the region does not keep it alive: dispose a region only after every thread that works on it has ended.
/// A region that is never disposed is unmapped when it is collected.
/// </remarks>
public sealed unsafe class MappedRegion : IDisposable
{
    private readonly UnmapHandle _mapping;
    private readonly RegionMemoryManager _memory;
    private byte* _start;

    private MappedRegion(UnmapHandle mapping, nint start, int lengthBytes, PageBacking backing)
    {
        _mapping = mapping;
        _start = (byte*)start;
        LengthBytes = lengthBytes;
        Backing = backing;
        _memory = new RegionMemoryManager(this);
    }

    /// <summary>Length of the region in bytes, as asked for.</summary>
    public int LengthBytes { get; }

    /// <summary>The kind of pages behind the region.</summary>
    public PageBacking Backing { get; }

    /// <summary>The bytes of the region; valid until it is disposed.</summary>
    /// <exception cref="ObjectDisposedException">The region was disposed.</exception>
    public Span<byte> Span
    {
        get
        {
            ObjectDisposedException.ThrowIf(_start is null, this);
            return new Span<byte>(_start, LengthBytes);
        }
    }

    /// <summary>The region as memory; reading its span after the region was disposed throws.</summary>
    public Memory<byte> Memory => _memory.Memory;

    /// <summary>Whether the region is mapped.</summary>
    internal bool IsOpen => _start is not null;

    /// <summary>The first address, or null once disposed; never leaves this assembly.</summary>
    internal byte* Start => _start;

    /// <summary>Maps zeroed private memory, on 2 MB pages where it can be had.</summary>
    /// <param name="lengthBytes">At least 1; the mapping is rounded up to whole pages.</param>
    /// <param name="preferHugePages">Whether to try reserved 2 MB pages first, then transparent ones; never a reason to fail.</param>
    /// <exception cref="LinuxException">The kernel has no such memory.</exception>
    public static MappedRegion Allocate(int lengthBytes, bool preferHugePages = true)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(lengthBytes, 1);
        PageMapping pages = PageMapping.Map(lengthBytes, preferHugePages);
        return new MappedRegion(pages.Handle, pages.Start, lengthBytes, pages.Backing);
    }

    /// <summary>Maps zeroed memory whose last byte lies directly before a page that cannot be touched.</summary>
    /// <remarks>For tests of code that works without bounds checks: a read or write past the end stops the process.</remarks>
    /// <param name="lengthBytes">At least 1.</param>
    /// <exception cref="LinuxException">The kernel has no such memory.</exception>
    public static MappedRegion WithGuardPage(int lengthBytes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(lengthBytes, 1);
        nuint usable = PageMapping.RoundUp((nuint)lengthBytes, PageMapping.PageBytes);
        nint address = PageMapping.MapAnonymous(usable + PageMapping.PageBytes, PROT_READ | PROT_WRITE, lengthBytes);
        var mapping = new UnmapHandle(address, usable + PageMapping.PageBytes);
        if (Libc.Mprotect(address + (nint)usable, PageMapping.PageBytes, PROT_NONE) != 0)
        {
            var error = LinuxException.FromLastError("mprotect(PROT_NONE)", "a guard page");
            mapping.Dispose();
            throw error;
        }

        return new MappedRegion(mapping, address + (nint)usable - lengthBytes, lengthBytes, PageBacking.Ordinary);
    }

    /// <summary>Maps an arena of ordinary memory directly followed by a socket's ring, so that one offset names a byte of either.</summary>
    internal static MappedRegion ForRing(FileDescriptor socket, int arenaBytes, int ringBytes, string subject)
    {
        nuint arena = PageMapping.RoundUp((nuint)arenaBytes, PageMapping.PageBytes);
        if ((ulong)arena + (uint)ringBytes > int.MaxValue)
            throw new ArgumentOutOfRangeException(nameof(ringBytes), ringBytes, "A ring and its arena may take 2 GB at most; ask for fewer or smaller blocks.");
        nuint length = arena + (nuint)ringBytes;
        nint address = PageMapping.MapAnonymous(length, PROT_NONE, (long)length);
        var mapping = new UnmapHandle(address, length);
        // Mapping over the reservation is atomic: no other thread can be given the hole in between.
        bool mapped = (arena == 0 || Libc.Mmap(address, arena, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED)
            && Libc.Mmap(address + (nint)arena, (nuint)ringBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, socket.Number, 0) != MAP_FAILED;
        if (!mapped)
        {
            var error = LinuxException.FromLastError("mmap(packet ring)", subject);
            mapping.Dispose();
            throw error;
        }

        return new MappedRegion(mapping, address, (int)length, PageBacking.KernelRing);
    }

    /// <summary>Makes every page present now, so that no later access waits for one.</summary>
    /// <returns>False where the kernel cannot (before 5.14, or out of memory); the region works all the same.</returns>
    public bool Prefault()
    {
        ObjectDisposedException.ThrowIf(_start is null, this);
        nuint first = (nuint)_start & ~(PageMapping.PageBytes - 1);
        return Libc.Madvise((nint)first, PageMapping.RoundUp((nuint)_start + (nuint)LengthBytes - first, PageMapping.PageBytes), MADV_POPULATE_WRITE) == 0;
    }

    /// <summary>Unmaps the region; every span taken from it is invalid from now on.</summary>
    public void Dispose()
    {
        _start = null;
        _mapping.Dispose();
    }

    /// <summary>Lets a region be passed where <see cref="System.Memory{T}"/> is asked for.</summary>
    private sealed class RegionMemoryManager(MappedRegion region) : MemoryManager<byte>
    {
        public override Memory<byte> Memory => CreateMemory(region.LengthBytes);

        public override Span<byte> GetSpan() => region.Span;

        public override MemoryHandle Pin(int elementIndex = 0)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)elementIndex, (uint)region.LengthBytes, nameof(elementIndex));
            ObjectDisposedException.ThrowIf(region._start is null, region);
            return new MemoryHandle(region._start + elementIndex);
        }

        public override void Unpin()
        {
        }

        protected override void Dispose(bool disposing)
        {
        }
    }
}
