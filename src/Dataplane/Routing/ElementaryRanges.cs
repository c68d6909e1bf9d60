using System.Numerics;
using System.Runtime.InteropServices;
using Dataplane.Packets;

namespace Dataplane.Routing;

/// <summary>Turns nested prefixes into the ranges between all their bounds, each with the value of the longest prefix that holds it.</summary>
/// <remarks>Used by the control side. Neighbouring ranges of one value are one range, so there are at most 2n + 1 of n prefixes.</remarks>
/// <typeparam name="T">Unsigned address type: 32 bits for IPv4, 128 for IPv6.</typeparam>
internal sealed class ElementaryRanges<T>
    where T : unmanaged, IBinaryInteger<T>, IMinMaxValue<T>, IUnsignedNumber<T>
{
    private readonly List<T> _starts = [];
    private readonly List<int> _values = [];

    /// <summary>Sweeps over the address space from the bottom up.</summary>
    /// <param name="prefixes">In the order of their first addresses, wider before narrower; of equal prefixes the last counts.</param>
    public ElementaryRanges(ReadOnlySpan<PrefixRange<T>> prefixes)
    {
        // The prefixes that hold the sweep's position, widest first; equal ones may stand here twice, hence the list.
        var open = new Stack<PrefixRange<T>>();
        open.Push(new PrefixRange<T>(T.Zero, T.MaxValue, LpmTable.NoMatch));
        Begin(T.Zero, LpmTable.NoMatch);
        foreach (ref readonly PrefixRange<T> prefix in prefixes)
        {
            while (open.Peek().Last < prefix.First)
            {
                Begin(open.Pop().Last + T.One, open.Peek().Value);
            }

            Begin(prefix.First, prefix.Value);
            open.Push(prefix);
        }

        while (open.Peek().Last != T.MaxValue)
        {
            Begin(open.Pop().Last + T.One, open.Peek().Value);
        }
    }

    /// <summary>First addresses in rising order, the first of them 0.</summary>
    public ReadOnlySpan<T> Starts => CollectionsMarshal.AsSpan(_starts);

    /// <summary>The values of the ranges.</summary>
    public ReadOnlySpan<int> Values => CollectionsMarshal.AsSpan(_values);

    /// <summary>A range begins here; what was said before of the same address no longer counts.</summary>
    private void Begin(T start, int value)
    {
        int last = _starts.Count - 1;
        if (last >= 0 && _starts[last] == start)
        {
            _starts.RemoveAt(last);
            _values.RemoveAt(last--);
        }

        if (last < 0 || _values[last] != value)
        {
            _starts.Add(start);
            _values.Add(value);
        }
    }
}
