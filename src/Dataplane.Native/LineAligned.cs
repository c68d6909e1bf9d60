namespace Dataplane.Native;

/// <summary>Arrays of which some element lies at the beginning of a cache line.</summary>
internal static unsafe class LineAligned
{
    /// <summary>Bytes of a cache line.</summary>
    internal const int LineBytes = 64;

    /// <summary>Makes a pinned copy: it is never moved, so that what is aligned once stays so.</summary>
    /// <returns>The array, and the index of its first element on a line.</returns>
    internal static (T[] Array, int Start) Copy<T>(ReadOnlySpan<T> values)
        where T : unmanaged
    {
        (T[] array, int start) = New<T>(values.Length);
        values.CopyTo(array.AsSpan(start));
        return (array, start);
    }

    /// <summary>Makes a pinned zeroed array.</summary>
    internal static (T[] Array, int Start) New<T>(int count)
        where T : unmanaged
    {
        T[] array = GC.AllocateArray<T>(count + (LineBytes / sizeof(T)), pinned: true);
        fixed (T* first = array)
            return (array, (int)((LineBytes - ((nuint)first & (LineBytes - 1))) & (LineBytes - 1)) / sizeof(T));
    }
}
