using Dataplane.Packets;
using Dataplane.Routing.Lpm;

namespace Dataplane.Routing;

/// <summary>Longest prefix match for both families: prefixes to numbers, which stand for entries of the tables in force.</summary>
/// <remarks>
/// Any number of threads may look up while one changes routes; none of them waits. A configuration that changes routes gets a table of its own, so
/// that no packet sees half of it; routes learnt while running are changed in place.
/// </remarks>
internal sealed class RouteTable : IDisposable
{
    /// <summary>What a lookup gives when no route holds the address.</summary>
    public const int NoMatch = 0;

    private readonly Lock _changing = new();
    private readonly Ipv4Lpm _v4;
    private readonly Ipv6Lpm _v6;

    /// <summary>Makes an empty table.</summary>
    /// <param name="periods">Where readers say that they have passed.</param>
    public RouteTable(GracePeriods periods) => (_v4, _v6) = (new Ipv4Lpm(periods), new Ipv6Lpm(periods));

    /// <summary>Routes of both families.</summary>
    public int Count => _v4.Count + _v6.Count;

    /// <summary>Bytes that lookups read from.</summary>
    public long MemoryBytes => _v4.MemoryBytes + _v6.MemoryBytes;

    /// <summary>Bytes that only changes need: the routes themselves.</summary>
    public long ControlBytes => _v4.ControlBytes + _v6.ControlBytes;

    /// <summary>The number of the longest route that holds an address, or <see cref="NoMatch"/>.</summary>
    public int Lookup(IpAddress address) => address.Family switch
    {
        IpFamily.V4 => _v4.Lookup((uint)address.Low),
        IpFamily.V6 => _v6.Lookup(address.High, address.Low),
        _ => NoMatch,
    };

    /// <inheritdoc cref="Ipv4Lpm.Lookup(ReadOnlySpan{uint}, Span{int})"/>
    public void Lookup(ReadOnlySpan<uint> addresses, Span<int> values) => _v4.Lookup(addresses, values);

    /// <inheritdoc cref="Ipv6Lpm.Lookup(ReadOnlySpan{ulong}, ReadOnlySpan{ulong}, Span{int})"/>
    public void Lookup(ReadOnlySpan<ulong> high, ReadOnlySpan<ulong> low, Span<int> values) => _v6.Lookup(high, low, values);

    /// <summary>The number of exactly this route, <see cref="NoMatch"/> when there is none. For the thread that changes routes.</summary>
    public int Find(IpPrefix prefix) =>
        prefix.Family == IpFamily.V4 ? _v4.Find((uint)prefix.First.Low, prefix.Length) : _v6.Find(prefix.First.Bits, prefix.Length);

    /// <summary>Sets and withdraws routes; each address changes once, to what is right after all changes of its family. Of equal prefixes the last counts.</summary>
    /// <exception cref="InvalidOperationException">No room for more divided prefixes (256 MB of them in a family).</exception>
    public void Apply(IReadOnlyList<RouteChange> changes)
    {
        int v4Count = changes.Count(change => change.Prefix.Family == IpFamily.V4), v4 = 0, v6 = 0;
        var ofV4 = new Ipv4RouteChange[v4Count];
        var ofV6 = new Ipv6RouteChange[changes.Count - v4Count];
        foreach (RouteChange change in changes)
        {
            IpAddress first = change.Prefix.First;
            if (first.IsIpv4)
            {
                ofV4[v4++] = new Ipv4RouteChange((uint)first.Low, (byte)change.Prefix.Length, change.Value);
            }
            else
            {
                ofV6[v6++] = new Ipv6RouteChange(first.Bits, (byte)change.Prefix.Length, change.Value);
            }
        }

        lock (_changing)
        {
            _v4.Apply(ofV4);
            _v6.Apply(ofV6);
        }
    }

    /// <summary>The longest route that holds an address, for explain; null for none, or while routes are being changed.</summary>
    public IpPrefix? LongestPrefix(IpAddress address)
    {
        if (!_changing.TryEnter())
        {
            return null;
        }

        try
        {
            int length = address.IsIpv4 ? _v4.LongestLength((uint)address.Low) : _v6.LongestLength(address.Bits);
            return length < 0 ? null : new IpPrefix(address, length).Network;
        }
        finally
        {
            _changing.Exit();
        }
    }

    /// <summary>Takes back memory that no reader holds any more.</summary>
    public void Reclaim()
    {
        _v4.Reclaim();
        _v6.Reclaim();
    }

    /// <summary>Frees the memory; no thread may look up any more.</summary>
    public void Dispose()
    {
        _v4.Dispose();
        _v6.Dispose();
    }
}
