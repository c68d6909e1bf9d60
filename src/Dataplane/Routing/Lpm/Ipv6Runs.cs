using System.Runtime.InteropServices;

namespace Dataplane.Routing.Lpm;

/// <summary>The cells of a node, or of a prefix of it, as runs of one entry each, made by one sweep over its routes and children. A scratch pad of the writer.</summary>
/// <param name="settle">Called for each child with the value that holds around it: brings the child up to date and gives its entry.</param>
internal sealed class Ipv6Runs(Func<Ipv6Node, int, uint> settle)
{
    private readonly List<(int Last, int Value)> _open = [];
    private readonly List<ushort> _ends = [];
    private readonly List<uint> _entries = [];

    /// <summary>Last cell of each run, in rising order.</summary>
    public ReadOnlySpan<ushort> Ends => CollectionsMarshal.AsSpan(_ends);

    /// <summary>The entry of each run.</summary>
    public ReadOnlySpan<uint> Entries => CollectionsMarshal.AsSpan(_entries);

    /// <summary>Sweeps a prefix of a node.</summary>
    /// <param name="node">Its routes and children.</param>
    /// <param name="cover">What holds where no route of the node does.</param>
    /// <param name="first">First cell of the prefix.</param>
    /// <param name="length">Its length in the step, 0 for the whole node.</param>
    public void Sweep(Ipv6Node node, int cover, int first, int length)
    {
        _ends.Clear();
        _entries.Clear();
        Append(node, cover, first, length);
    }

    /// <summary>As <see cref="Sweep"/> within a prefix; before and behind it the runs are those that the node remembers.</summary>
    public void Renew(Ipv6Node node, int cover, int first, int length)
    {
        _ends.Clear();
        _entries.Clear();
        ReadOnlySpan<ushort> ends = node.Ends;
        int last = first | (node.LastCell >> length), run = At(ends, first);
        _ends.AddRange(ends[..run]);
        _entries.AddRange(node.Entries[..run]);
        Add(run == 0 ? 0 : ends[run - 1] + 1, first - 1, node.Entries[run]);

        Append(node, cover, first, length);
        if (last == node.LastCell)
        {
            return;
        }

        run = At(ends, last + 1);
        Add(last + 1, ends[run], node.Entries[run]);
        _ends.AddRange(ends[(run + 1)..]);
        _entries.AddRange(node.Entries[(run + 1)..]);
    }

    /// <summary>The run of a cell.</summary>
    public static int At(ReadOnlySpan<ushort> ends, int cell)
    {
        int at = ends.BinarySearch((ushort)cell);
        return at >= 0 ? at : ~at;
    }

    private void Append(Ipv6Node node, int cover, int first, int length)
    {
        int last = first | (node.LastCell >> length), value = node.Longest(first, length).Value;
        int start = first, child = node.ChildrenFrom(first);
        _open.Clear();
        _open.Add((last, value != 0 ? value : cover));
        for (int i = node.RoutesWithin(first, length); i < node.Count && node[i].First <= last; i++)
        {
            (int from, int to, int inside) = node[i];
            while (_open[^1].Last < from)
            {
                CloseTop(node, ref start, ref child);
            }

            Emit(node, ref start, from - 1, _open[^1].Value, ref child);
            _open.Add((to, inside));
        }

        while (_open.Count > 0)
        {
            CloseTop(node, ref start, ref child);
        }
    }

    private void CloseTop(Ipv6Node node, ref int start, ref int child)
    {
        (int last, int value) = _open[^1];
        _open.RemoveAt(_open.Count - 1);
        Emit(node, ref start, last, value, ref child);
    }

    /// <summary>Cells from <paramref name="start"/> to <paramref name="last"/> have a value, but for those with children.</summary>
    private void Emit(Ipv6Node node, ref int start, int last, int value, ref int child)
    {
        ReadOnlySpan<Ipv6Node> children = node.Children;
        for (; child < children.Length && children[child].Cell <= last; child++)
        {
            int cell = children[child].Cell;
            Add(start, cell - 1, (uint)value);
            Add(cell, cell, settle(children[child], value));
            start = cell + 1;
        }

        Add(start, last, (uint)value);
        start = Math.Max(start, last + 1);
    }

    private void Add(int first, int last, uint entry)
    {
        if (first > last)
        {
            return;
        }

        int previous = _ends.Count - 1;
        if (previous >= 0 && _entries[previous] == entry)
        {
            _ends[previous] = (ushort)last;
        }
        else
        {
            _ends.Add((ushort)last);
            _entries.Add(entry);
        }
    }
}
