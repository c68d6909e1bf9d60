using System.Numerics;
using System.Runtime.InteropServices;
using Dataplane.Native;

namespace Dataplane.Routing.Lpm;

/// <summary>Lays runs out as the blocks that <see cref="Ipv6PrefixKernel"/> reads, each in the smallest shape that holds them. One writer.</summary>
internal sealed class Ipv6BlockWriter(BlockArena blocks)
{
    private const int LineEnds = 32, MaxLinesRuns = 33 * LineEnds, MapWords = 1024;
    private const int CacheLine = 64, NarrowGroup = 32;

    /// <summary>Makes a block that no reader knows yet.</summary>
    /// <param name="ends">Last cell of each run, rising, the last of them 0xFFFF.</param>
    /// <param name="entries">One for each.</param>
    /// <exception cref="InvalidOperationException">No memory; nothing has changed.</exception>
    public Ipv6Block Make(ReadOnlySpan<ushort> ends, ReadOnlySpan<uint> entries)
    {
        bool narrow = entries.IndexOfAnyExceptInRange(0u, byte.MaxValue) < 0;
        if (narrow && ends.Length <= 17)
        {
            int places = ends.Length <= 9 ? 8 : 16, lengthBytes = places * 4;
            uint line = blocks.Allocate(lengthBytes);
            Span<byte> to = blocks[line, lengthBytes];
            WriteEnds(to, places, ends);
            Narrow(entries, to[(places * sizeof(ushort))..]);
            return Block(Ipv6PrefixKernel.NarrowFlag | (uint)(LineEnds - places), line, 0, lengthBytes);
        }

        return ends.Length > MaxLinesRuns ? MakeMap(ends, entries) : narrow ? MakeNarrowLines(ends, entries)
            : ends.Length > LineEnds + 1 ? MakeLines(ends, entries) : MakeLine(ends, entries);
    }

    /// <summary>Where a block says what a cell leads to: the writer changes it there when only a child's block has changed.</summary>
    /// <param name="of">A block that is not narrow.</param>
    /// <param name="cell">A cell that is a run of its own.</param>
    public ref uint EntryOf(Ipv6Block of, ushort cell)
    {
        Span<byte> block = blocks[of.Number, of.LengthBytes];
        uint shape = of.Entry & (Ipv6PrefixKernel.BlockBytes - 1);
        int at;
        if (shape == Ipv6PrefixKernel.MapShape)
        {
            Span<byte> word = block.Slice((cell >> 6) * 16, 16);
            int run = (int)MemoryMarshal.Read<uint>(word[8..]) + BitOperations.PopCount(MemoryMarshal.Read<ulong>(word) >> (cell & 63));
            at = Ipv6PrefixKernel.MapHeadBytes + (4 * (run - 1));
        }
        else if (shape == Ipv6PrefixKernel.LinesShape)
        {
            int group = 64 + (CountBelow(block, LineEnds, cell) * Ipv6PrefixKernel.GroupBytes);
            at = group + 64 + (4 * CountBelow(block[group..], LineEnds, cell));
        }
        else
        {
            int places = LineEnds - (int)shape;
            at = (places * sizeof(ushort)) + (4 * CountBelow(block, places, cell));
        }

        return ref MemoryMarshal.Cast<byte, uint>(block[at..])[0];
    }

    /// <summary>Gives a block back once no reader can hold it.</summary>
    public void Retire(Ipv6Block block) => blocks.Retire(block.Number, block.LengthBytes);

    private static Ipv6Block Block(uint shape, uint number, int offsetBytes, int lengthBytes) =>
        new(Ipv6PrefixKernel.BlockFlag | ((number * Ipv6PrefixKernel.BlockBytes) + (uint)offsetBytes) | shape, number, lengthBytes);

    private static int Whole(int lengthBytes) => (lengthBytes + CacheLine - 1) & -CacheLine;

    private static void Narrow(ReadOnlySpan<uint> entries, Span<byte> to)
    {
        for (int i = 0; i < entries.Length; i++)
        {
            to[i] = (byte)entries[i];
        }
    }

    private static int CountBelow(ReadOnlySpan<byte> line, int count, ushort cell)
    {
        int below = 0;
        foreach (ushort end in MemoryMarshal.Cast<byte, ushort>(line)[..count])
        {
            below += end < cell ? 1 : 0;
        }

        return below;
    }

    /// <summary>Ends, padded; the last end of all needs no place, nothing is beyond it.</summary>
    private static void WriteEnds(Span<byte> line, int places, ReadOnlySpan<ushort> ends)
    {
        Span<ushort> to = MemoryMarshal.Cast<byte, ushort>(line)[..places];
        to.Fill(ushort.MaxValue);
        ends[..Math.Min(ends.Length, places)].CopyTo(to);
    }

    /// <summary>The last end of each group.</summary>
    private static void WriteGroupEnds(Span<byte> line, ReadOnlySpan<ushort> ends)
    {
        Span<ushort> to = MemoryMarshal.Cast<byte, ushort>(line)[..LineEnds];
        to.Fill(ushort.MaxValue);
        for (int group = 0; group < LineEnds && (group + 1) * LineEnds <= ends.Length; group++)
        {
            to[group] = ends[((group + 1) * LineEnds) - 1];
        }
    }

    private Ipv6Block MakeLine(ReadOnlySpan<ushort> ends, ReadOnlySpan<uint> entries)
    {
        int places = ends.Length <= 9 ? 8 : ends.Length <= 17 ? 16 : LineEnds;
        int lengthBytes = Whole((places * sizeof(ushort)) + (entries.Length * sizeof(uint)));
        uint line = blocks.Allocate(lengthBytes);
        Span<byte> to = blocks[line, lengthBytes];
        WriteEnds(to, places, ends);
        entries.CopyTo(MemoryMarshal.Cast<byte, uint>(to[(places * sizeof(ushort))..]));
        return Block((uint)(LineEnds - places), line, 0, lengthBytes);
    }

    private Ipv6Block MakeNarrowLines(ReadOnlySpan<ushort> ends, ReadOnlySpan<uint> entries)
    {
        int groups = (ends.Length + LineEnds - 1) / LineEnds, before = Whole(groups * NarrowGroup);
        int lengthBytes = before + CacheLine + (groups * CacheLine);
        uint block = blocks.Allocate(lengthBytes);
        Span<byte> to = blocks[block, lengthBytes];
        WriteGroupEnds(to[before..], ends);
        for (int group = 0; group < groups; group++)
        {
            int first = group * LineEnds, count = Math.Min(LineEnds, ends.Length - first);
            WriteEnds(to[(before + CacheLine + (group * CacheLine))..], LineEnds, ends.Slice(first, count));
            Narrow(entries.Slice(first, count), to[(before - ((group + 1) * NarrowGroup))..]);
        }

        return Block(Ipv6PrefixKernel.NarrowFlag | Ipv6PrefixKernel.LinesShape, block, before, lengthBytes);
    }

    private Ipv6Block MakeLines(ReadOnlySpan<ushort> ends, ReadOnlySpan<uint> entries)
    {
        int groups = (ends.Length + LineEnds - 1) / LineEnds, lengthBytes = CacheLine + (groups * Ipv6PrefixKernel.GroupBytes);
        uint block = blocks.Allocate(lengthBytes);
        Span<byte> to = blocks[block, lengthBytes];
        WriteGroupEnds(to, ends);
        for (int group = 0; group < groups; group++)
        {
            int first = group * LineEnds, count = Math.Min(LineEnds, ends.Length - first);
            Span<byte> at = to.Slice(CacheLine + (group * Ipv6PrefixKernel.GroupBytes), Ipv6PrefixKernel.GroupBytes);
            WriteEnds(at, LineEnds, ends.Slice(first, count));
            entries.Slice(first, count).CopyTo(MemoryMarshal.Cast<byte, uint>(at[CacheLine..]));
        }

        return Block(Ipv6PrefixKernel.LinesShape, block, 0, lengthBytes);
    }

    private Ipv6Block MakeMap(ReadOnlySpan<ushort> ends, ReadOnlySpan<uint> entries)
    {
        int lengthBytes = Whole(Ipv6PrefixKernel.MapHeadBytes + (entries.Length * sizeof(uint)));
        uint map = blocks.Allocate(lengthBytes);
        WriteMap(blocks[map, lengthBytes], ends, entries);
        return Block(Ipv6PrefixKernel.MapShape, map, 0, lengthBytes);
    }

    private static void WriteMap(Span<byte> block, ReadOnlySpan<ushort> ends, ReadOnlySpan<uint> entries)
    {
        block[..Ipv6PrefixKernel.MapHeadBytes].Clear();
        Span<ulong> words = MemoryMarshal.Cast<byte, ulong>(block)[..(2 * MapWords)];
        foreach (ushort end in ends)
        {
            words[2 * (end >> 6)] |= 1UL << (end & 63);
        }

        ulong behind = 0;
        for (int word = MapWords - 1; word >= 0; word--)
        {
            words[(2 * word) + 1] = behind;
            behind += (ulong)BitOperations.PopCount(words[2 * word]);
        }

        Span<uint> to = MemoryMarshal.Cast<byte, uint>(block[Ipv6PrefixKernel.MapHeadBytes..]);
        for (int run = 0; run < entries.Length; run++)
        {
            to[entries.Length - 1 - run] = entries[run];
        }
    }
}
