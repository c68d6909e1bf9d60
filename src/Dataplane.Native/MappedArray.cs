using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Dataplane.Native;

/// <summary>A fixed array of plain values in mapped memory: on cache line boundaries, on large pages where they can be had, never moved.</summary>
/// <remarks>
/// For tables of millions of entries that are read at random: what the garbage collector never sees costs it nothing, and 2 MB pages keep address
/// translation out of the way. Zeroed; pages that are never touched take no memory. Access is checked. Unmapped when it is collected:
/// a reference to an element does not keep the array alive, whoever holds one must hold the array too. Safe to read from any thread.
/// </remarks>
/// <typeparam name="T">A type without references; for elements not to cross cache lines, its size should divide 64 or be a multiple of it.</typeparam>
public sealed unsafe class MappedArray<T>
    where T : unmanaged
{
    private const int LineBytes = 64;

    private readonly T* _first;
    private readonly PageMapping _pages;

    /// <summary>Maps the array.</summary>
    /// <param name="length">Elements, 0 to 2,147,483,647.</param>
    /// <exception cref="ArgumentOutOfRangeException">The length is negative.</exception>
    /// <exception cref="LinuxException">The kernel has no such memory.</exception>
    public MappedArray(int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        Length = length;
        _pages = PageMapping.Map(Math.Max((long)length * sizeof(T), 1), preferHugePages: true);
        _first = (T*)_pages.Start;
    }

    /// <summary>Elements.</summary>
    public int Length { get; }

    /// <summary>Bytes of all elements.</summary>
    public long LengthBytes => (long)Length * sizeof(T);

    /// <summary>The kind of pages behind the array.</summary>
    public PageBacking Backing => _pages.Backing;

    /// <summary>An element.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is none of that number.</exception>
    public ref T this[int index]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)] // A compare and an addition, as for an array of the runtime.
        get
        {
            if ((uint)index >= (uint)Length)
                ThrowOutside();
            return ref _first[(uint)index];
        }
    }

    /// <summary>Some elements in a row.</summary>
    /// <exception cref="ArgumentOutOfRangeException">They are not all in the array.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Span<T> Slice(int start, int length)
    {
        if ((ulong)(uint)start + (uint)length > (uint)Length)
            ThrowOutside();
        return new Span<T>(_first + (uint)start, length);
    }

    /// <summary>Asks the processor for the cache line that lies some bytes behind the start of an element. A hint: it never faults.</summary>
    /// <param name="index">Any number; one that is no element's asks for nothing.</param>
    /// <param name="offsetBytes">Bytes from the element's start.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Prefetch(int index, int offsetBytes = 0)
    {
        if ((uint)index < (uint)Length && Sse.IsSupported)
            Sse.Prefetch0((byte*)(_first + (uint)index) + offsetBytes);
    }

    /// <summary>Asks the processor for all cache lines of an element that begins with one. A hint: it never faults.</summary>
    /// <param name="index">Any number; one that is no element's asks for nothing.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void PrefetchWhole(int index)
    {
        if ((uint)index < (uint)Length && Sse.IsSupported)
        {
            byte* element = (byte*)(_first + (uint)index);
            for (int at = 0; at < sizeof(T); at += LineBytes)
                Sse.Prefetch0(element + at);
        }
    }

    [DoesNotReturn]
    private static void ThrowOutside() => throw new ArgumentOutOfRangeException("index", "The index is outside the mapped array.");
}
