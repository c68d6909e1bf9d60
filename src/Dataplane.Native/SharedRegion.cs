// syscalls: memfd_create ftruncate fcntl lseek fstatfs mmap madvise
using Dataplane.Native.Abi;
using static Dataplane.Native.Abi.Memory;
using static Dataplane.Native.Abi.Socket;

namespace Dataplane.Native;

/// <summary>Memory that another process works on too, behind a descriptor that can be handed over.</summary>
/// <remarks>
/// Whatever the other process does, an access inside <see cref="LengthBytes"/> must not fault: a file that shrinks under a mapping ends
/// the process that touches the lost pages with SIGBUS. So a region is taken from a peer only when its file can never shrink again
/// (F_SEAL_SHRINK), is at least as long as claimed, and lies in ordinary shared memory (a file of huge pages can be robbed of pages that
/// cannot be had again). What remains is a machine that has run out of memory.
/// </remarks>
internal sealed unsafe class SharedRegion : IDisposable
{
    /// <summary>The longest region taken, in bytes.</summary>
    internal const int MaxBytes = 1 << 30;

    private readonly UnmapHandle _mapping;

    private SharedRegion(FileDescriptor descriptor, nint start, int lengthBytes)
    {
        Descriptor = descriptor;
        Start = (byte*)start;
        LengthBytes = lengthBytes;
        _mapping = new UnmapHandle(start, (nuint)lengthBytes);
    }

    /// <summary>The file behind the memory.</summary>
    public FileDescriptor Descriptor { get; }

    /// <summary>Length in bytes.</summary>
    public int LengthBytes { get; }

    /// <summary>The bytes, which the other process may change at any moment; invalid once disposed.</summary>
    public Span<byte> Span
    {
        get
        {
            ObjectDisposedException.ThrowIf(_mapping.IsClosed, this);
            return new Span<byte>(Start, LengthBytes);
        }
    }

    /// <summary>The first address.</summary>
    internal byte* Start { get; }

    /// <summary>Makes zeroed memory that nobody can make shorter or longer.</summary>
    /// <exception cref="LinuxException">The kernel has no such memory, or no descriptor is left.</exception>
    public static SharedRegion Create(string name, int lengthBytes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(lengthBytes, 1);
        int number = Libc.MemfdCreate(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (number < 0)
            throw LinuxException.FromLastError("memfd_create", name);
        var descriptor = new FileDescriptor(number);
        try
        {
            if (Libc.Ftruncate(number, lengthBytes) != 0)
                throw LinuxException.FromLastError("ftruncate(memfd)", $"{lengthBytes} bytes");
            if (Libc.Fcntl(number, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
                throw LinuxException.FromLastError("fcntl(F_ADD_SEALS)", name);
            nint start = Map(number, lengthBytes);
            if (start == MAP_FAILED)
                throw LinuxException.FromLastError("mmap(memfd)", $"{lengthBytes} bytes");

            // Neither is a reason to fail: larger pages where the system gives them, and every page present before the first frame.
            Libc.Madvise(start, (nuint)lengthBytes, MADV_HUGEPAGE);
            Libc.Madvise(start, (nuint)lengthBytes, MADV_POPULATE_WRITE);
            return new SharedRegion(descriptor, start, lengthBytes);
        }
        catch
        {
            descriptor.Dispose();
            throw;
        }
    }

    /// <summary>Maps memory that another process made. On success the region owns the descriptor, else the caller keeps it.</summary>
    /// <param name="descriptor">What the other process handed over; it may be anything.</param>
    /// <param name="claimedBytes">How long the other process says it is.</param>
    /// <param name="region">The region, or null.</param>
    /// <returns>Why it was refused, or <see cref="SharedRegionRefusal.None"/>.</returns>
    public static SharedRegionRefusal TryAdopt(FileDescriptor descriptor, ulong claimedBytes, out SharedRegion? region)
    {
        region = null;
        if (claimedBytes is 0 or > MaxBytes)
            return SharedRegionRefusal.LengthOutOfRange;
        int number = descriptor.Number;

        // The seals first: what is sealed against shrinking is as long later as it is now.
        int seals = Libc.Fcntl(number, F_GET_SEALS, 0);
        if (seals < 0)
            return SharedRegionRefusal.NotSealable;
        if ((seals & F_SEAL_SHRINK) == 0)
            return SharedRegionRefusal.MayShrink;
        statfs system = default;
        if (Libc.Fstatfs(number, &system) != 0 || system.f_type != FileSystems.TMPFS_MAGIC)
            return SharedRegionRefusal.NotSharedMemory;
        if (Libc.Lseek(number, 0, SEEK_END) < (long)claimedBytes)
            return SharedRegionRefusal.ShorterThanClaimed;
        nint start = Map(number, (int)claimedBytes);
        if (start == MAP_FAILED)
            return SharedRegionRefusal.NotMappable;
        region = new SharedRegion(descriptor, start, (int)claimedBytes);
        return SharedRegionRefusal.None;
    }

    /// <summary>Unmaps the memory and closes the file; nobody may work on it any more.</summary>
    public void Dispose()
    {
        _mapping.Dispose();
        Descriptor.Dispose();
    }

    private static nint Map(int number, int lengthBytes) => Libc.Mmap(0, (nuint)lengthBytes, PROT_READ | PROT_WRITE, MAP_SHARED, number, 0);
}
