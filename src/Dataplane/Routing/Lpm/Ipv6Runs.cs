namespace Dataplane.Routing.Lpm;

/// <summary>The 65,536 cells of a node as runs of one entry each, made by one sweep over its routes and children. A scratch pad of the writer.</summary>
/// <param name="settle">Called for each child with the value that holds around it: brings the child up to date and gives its entry.</param>
internal sealed class Ipv6Runs(Func<Ipv6Node, int, uint> settle)
{
    private const int Cells = 1 << 16;

    private readonly List<(int Last, int Value)> _open = [];

    /// <summary>Last cell of each run, in rising order; the last of them is 0xFFFF.</summary>
    public List<ushort> Ends { get; } = [];

    /// <summary>The entry of each run.</summary>
    public List<uint> Entries { get; } = [];

    /// <summary>Sweeps.</summary>
    /// <param name="node">Its routes and children.</param>
    /// <param name="cover">What holds where no route of the node does.</param>
    public void Sweep(Ipv6Node node, int cover)
    {
        Ends.Clear();
        Entries.Clear();
        _open.Clear();
        _open.Add((Cells - 1, cover));
        int start = 0, child = 0;
        for (int i = 0; i < node.Count; i++)
        {
            (int first, int last, int value) = node[i];
            while (_open[^1].Last < first)
            {
                CloseTop(node, ref start, ref child);
            }

            Emit(node, ref start, first - 1, _open[^1].Value, ref child);
            _open.Add((last, value));
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

        int previous = Ends.Count - 1;
        if (previous >= 0 && Entries[previous] == entry)
        {
            Ends[previous] = (ushort)last;
        }
        else
        {
            Ends.Add((ushort)last);
            Entries.Add(entry);
        }
    }
}
