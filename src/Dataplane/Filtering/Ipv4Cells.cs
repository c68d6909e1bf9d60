using Dataplane.Native;

namespace Dataplane.Filtering;

/// <summary>Builds an <see cref="Ipv4ClassTable"/>. Used by the control side.</summary>
internal sealed class Ipv4Cells
{
    // Beyond 4 MB a trie, which takes more steps and far less room, stays nearer.
    private const int MaxCells = 1 << 20;
    private const uint Counts = 255;

    private readonly uint[] _root = new uint[1 << 16];
    private readonly int _classes;
    private uint[] _cells;
    private int _count;

    private Ipv4Cells(int classes, int prefixes)
    {
        _classes = classes;
        _count = (classes + 15) & ~15;
        _cells = new uint[_count + (256 * (16 + (2 * prefixes)))];
        for (uint @class = 0; @class < classes; @class++)
        {
            _cells[@class] = @class << 8;
        }
    }

    /// <summary>The table of prefixes in order, class n + 1 being that of prefix n; null when it would be too large.</summary>
    public static Ipv4ClassTable? Build(ReadOnlySpan<PrefixKey> prefixes)
    {
        var table = new Ipv4Cells(prefixes.Length + 1, Math.Min(prefixes.Length, 1 << 10));
        for (int i = 0; i < prefixes.Length; i++)
        {
            // A shorter prefix comes first and is painted over by those in it.
            if (!table.Paint((uint)(prefixes[i].High >> 32), prefixes[i].Length, (uint)(i + 1) << 8))
            {
                return null;
            }
        }

        return new Ipv4ClassTable(table._root, table._cells[..table._count], table._classes);
    }

    private bool Paint(uint address, int length, uint cell)
    {
        int at = (int)(address >> 16);
        if (length <= 16)
        {
            _root.AsSpan(at, 1 << (16 - length)).Fill(cell);
            return true;
        }

        int table = Below(ref _root[at]);
        if (table >= 0 && length > 24)
        {
            // The cell may move when room is made for a table more.
            uint next = _cells[table + (byte)(address >> 8)];
            int below = Below(ref next);
            if (below >= 0)
            {
                _cells[table + (byte)(address >> 8)] = next;
            }

            table = below;
        }

        if (table < 0)
        {
            return false;
        }

        int first = (byte)(length > 24 ? address : address >> 8);
        _cells.AsSpan(table + first, 1 << ((length > 24 ? 32 : 24) - length)).Fill(cell);
        return true;
    }

    /// <summary>Where the table below a cell begins; it is made when there is none. Below 0 when there is no room.</summary>
    private int Below(ref uint cell)
    {
        if ((cell & Counts) != 0)
        {
            return (int)(cell >> 8);
        }

        if (_count + 256 > MaxCells)
        {
            return -1;
        }

        if (_count + 256 > _cells.Length)
        {
            Array.Resize(ref _cells, 2 * _cells.Length);
        }

        int table = _count;
        _cells.AsSpan(table, 256).Fill(cell);
        _count += 256;
        cell = ((uint)table << 8) | Counts;
        return table;
    }
}
