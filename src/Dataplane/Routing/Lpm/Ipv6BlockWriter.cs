using System.Numerics;
using System.Runtime.InteropServices;
using Dataplane.Native;

namespace Dataplane.Routing.Lpm;

/// <summary>Lays runs out as the blocks that <see cref="Ipv6PrefixKernel"/> reads, each in the smallest shape that holds them. One writer.</summary>
internal sealed class Ipv6BlockWriter(BlockArena blocks)
{
    private const int LineEnds = 32, MaxGroups = LineEnds + 1, MapWords = 1024, CacheLine = 64;
    private const int NarrowPlaces = LineEnds - (int)Ipv6PrefixKernel.NarrowLineShape;

    /// <summary>What the entries of a narrow block say by escapes, and each entry as a byte.</summary>
    private readonly uint[] _escapes = new uint[256 - Ipv6PrefixKernel.FirstEscape];
    private readonly byte[] _codes = new byte[MaxGroups * (NarrowPlaces + 1)];

    /// <summary>Makes a block that no reader knows yet.</summary>
    /// <param name="ends">Last cell of each run, rising, the last of them 0xFFFF.</param>
    /// <param name="entries">One for each.</param>
    /// <exception cref="InvalidOperationException">No memory; nothing has changed.</exception>
    public Ipv6Block Make(ReadOnlySpan<ushort> ends, ReadOnlySpan<uint> entries)
    {
        if (TryNarrow(entries, out int escapes))
        {
            return MakeNarrow(ends, _codes.AsSpan(0, entries.Length), _escapes.AsSpan(0, escapes));
        }

        return ends.Length > MaxGroups * Ipv6PrefixKernel.GroupRuns ? MakeMap(ends, entries)
            : ends.Length > LineEnds + 1 ? MakeLines(ends, entries) : MakeLine(ends, entries);
    }

    /// <summary>Makes a directory that no reader knows yet.</summary>
    /// <param name="entry">All of its entries.</param>
    /// <exception cref="InvalidOperationException">No memory; nothing has changed.</exception>
    public Ipv6Block MakeDirectory(uint entry)
    {
        uint number = blocks.Allocate(Ipv6PrefixKernel.DirectoryBytes);
        MemoryMarshal.Cast<byte, uint>(blocks[number, Ipv6PrefixKernel.DirectoryBytes]).Fill(entry);
        return Block(0, number, 0, Ipv6PrefixKernel.DirectoryBytes);
    }

    /// <summary>The entries of a directory: the writer changes them in place.</summary>
    public Span<uint> EntriesOf(Ipv6Block directory) => MemoryMarshal.Cast<byte, uint>(blocks[directory.Number, directory.LengthBytes]);

    /// <summary>Makes a node of up to 64 cells that no reader knows yet.</summary>
    /// <inheritdoc cref="Make"/>
    public Ipv6Block MakeNode(ReadOnlySpan<ushort> ends, ReadOnlySpan<uint> entries)
    {
        int lengthBytes = Ipv6PrefixKernel.NodeHeadBytes + (entries.Length * sizeof(uint));
        uint number = blocks.Allocate(lengthBytes);
        Span<byte> to = blocks[number, lengthBytes];
        ulong mask = 0;
        foreach (ushort end in ends)
        {
            mask |= 1UL << end;
        }

        MemoryMarshal.Write(to, mask);
        WriteBackwards(to[Ipv6PrefixKernel.NodeHeadBytes..], entries);
        return Block(0, number, 0, lengthBytes);
    }

    /// <summary>Where a node says what a run leads to: the writer changes it there when only a child's block has changed.</summary>
    public ref uint EntryOfNode(Ipv6Block of, int run, int runs) =>
        ref MemoryMarshal.Cast<byte, uint>(blocks[of.Number, of.LengthBytes][Ipv6PrefixKernel.NodeHeadBytes..])[runs - 1 - run];

    /// <summary>Where a block says what a cell leads to: the writer changes it there when only a child's block has changed.</summary>
    /// <param name="of">The block.</param>
    /// <param name="cell">A cell that is a run of its own and leads to a block.</param>
    public ref uint EntryOf(Ipv6Block of, ushort cell)
    {
        Span<byte> block = blocks[of.Number, of.LengthBytes];
        uint shape = of.Entry & (Ipv6PrefixKernel.BlockBytes - 1);
        if ((of.Entry & Ipv6PrefixKernel.NarrowFlag) != 0)
        {
            int start = (int)((of.Entry & Ipv6PrefixKernel.OffsetMask) - (of.Number * Ipv6PrefixKernel.BlockBytes));
            return ref MemoryMarshal.Cast<byte, uint>(block[(start - ((256 - CodeOf(block[start..], shape, cell)) * sizeof(uint)))..])[0];
        }

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
            at = group + (2 * Ipv6PrefixKernel.GroupRuns) + (4 * CountBelow(block[group..], Ipv6PrefixKernel.GroupRuns, cell));
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

    /// <summary>The byte that a narrow block has for a cell.</summary>
    private static int CodeOf(ReadOnlySpan<byte> block, uint shape, ushort cell)
    {
        int places = LineEnds - (int)shape;
        if (shape == Ipv6PrefixKernel.LinesShape)
        {
            block = block[(CacheLine + (CountBelow(block, LineEnds, cell) * Ipv6PrefixKernel.NarrowGroupBytes))..];
            places = NarrowPlaces;
        }

        return block[(places * sizeof(ushort)) + CountBelow(block, places, cell)];
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
    private static void WriteGroupEnds(Span<byte> line, ReadOnlySpan<ushort> ends, int groupRuns)
    {
        Span<ushort> to = MemoryMarshal.Cast<byte, ushort>(line)[..LineEnds];
        to.Fill(ushort.MaxValue);
        for (int group = 0; group < LineEnds && (group + 1) * groupRuns <= ends.Length; group++)
        {
            to[group] = ends[((group + 1) * groupRuns) - 1];
        }
    }

    /// <summary>Makes bytes of entries: small values as they are, up to 16 others by escapes.</summary>
    private bool TryNarrow(ReadOnlySpan<uint> entries, out int escapes)
    {
        escapes = 0;
        if (entries.Length > _codes.Length)
        {
            return false;
        }

        for (int i = 0; i < entries.Length; i++)
        {
            uint entry = entries[i];
            if (entry < Ipv6PrefixKernel.FirstEscape)
            {
                _codes[i] = (byte)entry;
                continue;
            }

            int known = _escapes.AsSpan(0, escapes).IndexOf(entry);
            if (known < 0)
            {
                if (escapes == _escapes.Length)
                {
                    return false;
                }

                known = escapes++;
                _escapes[known] = entry;
            }

            _codes[i] = (byte)(byte.MaxValue - known);
        }

        return true;
    }

    private Ipv6Block MakeNarrow(ReadOnlySpan<ushort> ends, ReadOnlySpan<byte> codes, ReadOnlySpan<uint> escapes)
    {
        bool isLine = ends.Length <= NarrowPlaces + 1;
        int groups = isLine ? 0 : (ends.Length + NarrowPlaces) / (NarrowPlaces + 1), before = Whole(escapes.Length * sizeof(uint));
        int lengthBytes = before + CacheLine + (groups * Ipv6PrefixKernel.NarrowGroupBytes);
        uint number = blocks.Allocate(lengthBytes);
        Span<byte> to = blocks[number, lengthBytes];
        Span<uint> list = MemoryMarshal.Cast<byte, uint>(to[..before]);
        for (int i = 0; i < escapes.Length; i++)
        {
            list[^(i + 1)] = escapes[i];
        }

        to = to[before..];
        if (isLine)
        {
            WriteNarrowLine(to, ends, codes);
        }
        else
        {
            WriteGroupEnds(to, ends, NarrowPlaces + 1);
            for (int group = 0; group < groups; group++)
            {
                int first = group * (NarrowPlaces + 1), count = Math.Min(NarrowPlaces + 1, ends.Length - first);
                to = to[CacheLine..];
                WriteNarrowLine(to, ends.Slice(first, count), codes.Slice(first, count));
            }
        }

        uint shape = isLine ? Ipv6PrefixKernel.NarrowLineShape : Ipv6PrefixKernel.LinesShape;
        return Block(Ipv6PrefixKernel.NarrowFlag | shape, number, before, lengthBytes);
    }

    private static void WriteNarrowLine(Span<byte> to, ReadOnlySpan<ushort> ends, ReadOnlySpan<byte> codes)
    {
        WriteEnds(to, NarrowPlaces, ends);
        codes.CopyTo(to[(NarrowPlaces * sizeof(ushort))..]);
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

    private Ipv6Block MakeLines(ReadOnlySpan<ushort> ends, ReadOnlySpan<uint> entries)
    {
        const int Runs = Ipv6PrefixKernel.GroupRuns;
        int groups = (ends.Length + Runs - 1) / Runs, lengthBytes = CacheLine + (groups * Ipv6PrefixKernel.GroupBytes);
        uint block = blocks.Allocate(lengthBytes);
        Span<byte> to = blocks[block, lengthBytes];
        WriteGroupEnds(to, ends, Runs);
        for (int group = 0; group < groups; group++)
        {
            int first = group * Runs, count = Math.Min(Runs, ends.Length - first);
            Span<byte> at = to.Slice(CacheLine + (group * Ipv6PrefixKernel.GroupBytes), Ipv6PrefixKernel.GroupBytes);
            WriteEnds(at, Runs, ends.Slice(first, count));
            entries.Slice(first, count).CopyTo(MemoryMarshal.Cast<byte, uint>(at[(Runs * sizeof(ushort))..]));
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

        WriteBackwards(block[Ipv6PrefixKernel.MapHeadBytes..], entries);
    }

    private static void WriteBackwards(Span<byte> block, ReadOnlySpan<uint> entries)
    {
        Span<uint> to = MemoryMarshal.Cast<byte, uint>(block);
        for (int run = 0; run < entries.Length; run++)
        {
            to[entries.Length - 1 - run] = entries[run];
        }
    }
}
