using System.Numerics;
using System.Runtime.InteropServices;
using Dataplane.Native;

namespace Dataplane.Routing.Lpm;

/// <summary>Lays runs out as the blocks that <see cref="Ipv6PrefixKernel"/> reads, each in the smallest shape that holds them. One writer.</summary>
internal sealed class Ipv6BlockWriter(BlockArena blocks)
{
    private const int LineEnds = 32, MaxLinesRuns = 33 * LineEnds, MapWords = 1024;

    /// <summary>Makes a block that no reader knows yet.</summary>
    /// <param name="ends">Last cell of each run, rising, the last of them 0xFFFF.</param>
    /// <param name="entries">One for each.</param>
    /// <param name="lengthBytes">Size of the block.</param>
    /// <returns>The entry that leads to it.</returns>
    /// <exception cref="InvalidOperationException">No memory; nothing has changed.</exception>
    public uint Make(ReadOnlySpan<ushort> ends, ReadOnlySpan<uint> entries, out int lengthBytes)
    {
        if (ends.Length <= LineEnds + 1)
        {
            int places = ends.Length <= 9 ? 8 : ends.Length <= 17 ? 16 : LineEnds;
            lengthBytes = (places * sizeof(ushort)) + (entries.Length * sizeof(uint));
            uint line = blocks.Allocate(lengthBytes);
            WriteLine(blocks[line, lengthBytes], places, ends, entries);
            return Entry((uint)(LineEnds - places), line);
        }

        if (ends.Length <= MaxLinesRuns)
        {
            int groups = (ends.Length + LineEnds - 1) / LineEnds;
            lengthBytes = 64 + (groups * Ipv6PrefixKernel.GroupBytes);
            uint block = blocks.Allocate(lengthBytes);
            WriteLines(blocks[block, lengthBytes], groups, ends, entries);
            return Entry(Ipv6PrefixKernel.LinesShape, block);
        }

        lengthBytes = Ipv6PrefixKernel.MapHeadBytes + (4 * entries.Length);
        uint map = blocks.Allocate(lengthBytes);
        WriteMap(blocks[map, lengthBytes], ends, entries);
        return Entry(Ipv6PrefixKernel.MapShape, map);
    }

    /// <summary>Where a block says what a cell leads to: the writer changes it there when only a child's block has changed.</summary>
    /// <param name="entry">Leads to the block.</param>
    /// <param name="lengthBytes">Size of the block.</param>
    /// <param name="cell">A cell that is a run of its own.</param>
    public ref uint EntryOf(uint entry, int lengthBytes, ushort cell)
    {
        Span<byte> block = blocks[NumberOf(entry), lengthBytes];
        uint shape = entry & (Ipv6PrefixKernel.BlockBytes - 1);
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

    /// <summary>The block an entry leads to.</summary>
    public static uint NumberOf(uint entry) => (entry & Ipv6PrefixKernel.OffsetMask) / Ipv6PrefixKernel.BlockBytes;

    private static uint Entry(uint shape, uint block) => Ipv6PrefixKernel.BlockFlag | (block * Ipv6PrefixKernel.BlockBytes) | shape;

    private static int CountBelow(ReadOnlySpan<byte> line, int count, ushort cell)
    {
        int below = 0;
        foreach (ushort end in MemoryMarshal.Cast<byte, ushort>(line)[..count])
        {
            below += end < cell ? 1 : 0;
        }

        return below;
    }

    private static void WriteLine(Span<byte> line, int places, ReadOnlySpan<ushort> ends, ReadOnlySpan<uint> entries)
    {
        // The last end of all needs no place: nothing is beyond it.
        Span<ushort> to = MemoryMarshal.Cast<byte, ushort>(line)[..places];
        to.Fill(ushort.MaxValue);
        ends[..Math.Min(ends.Length, places)].CopyTo(to);
        entries.CopyTo(MemoryMarshal.Cast<byte, uint>(line[(places * sizeof(ushort))..]));
    }

    private static void WriteLines(Span<byte> block, int groups, ReadOnlySpan<ushort> ends, ReadOnlySpan<uint> entries)
    {
        Span<ushort> last = MemoryMarshal.Cast<byte, ushort>(block)[..LineEnds];
        last.Fill(ushort.MaxValue);
        for (int group = 0; group < groups; group++)
        {
            int first = group * LineEnds, count = Math.Min(LineEnds, ends.Length - first);
            if (group < LineEnds)
            {
                last[group] = ends[first + count - 1];
            }

            WriteLine(block[(64 + (group * Ipv6PrefixKernel.GroupBytes))..], LineEnds, ends.Slice(first, count), entries.Slice(first, count));
        }
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
