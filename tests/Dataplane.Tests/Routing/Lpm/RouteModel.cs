using Dataplane.Packets;
using Dataplane.Routing.Lpm;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Routing.Lpm;

/// <summary>The oracle of tables that change: a dictionary of routes, scanned from end to end for every answer.</summary>
internal sealed class RouteModel
{
    private readonly Dictionary<IpPrefix, int> _routes = [];

    public int Count => _routes.Count;

    public IEnumerable<IpPrefix> Prefixes => _routes.Keys;

    /// <summary>Sequences of changes around a few addresses, so that prefixes nest, touch, repeat and are taken out again; one step is one change or a bulk of them.</summary>
    public static Gen<List<RouteChange[]>> Steps(IpFamily family)
    {
        UInt128[] centres = family == IpFamily.V4
            ? [0, uint.MaxValue, 0x0A000000, 0x0A008000, 0xC0000200]
            : [0, UInt128.MaxValue, new UInt128(0x20010DB800000000, 0), new UInt128(0x20010DB800000001, 0), new UInt128(0x20010DB8_0001_0000, 0xFFFF)];
        int bits = family == IpFamily.V4 ? 32 : 128;
        Gen<RouteChange> change =
            from centre in Gen.Elements(centres)
            from bit in Gen.Choose(0, bits - 1)
            from noise in Gen.Choose(0, 7)
            from length in Gen.Frequency((1, Gen.Choose(0, bits)), (8, Gen.Choose(bits * 3 / 8, bits)), (4, Gen.Choose(bits * 3 / 8, bits * 3 / 4)), (2, Gen.Constant(bits)))
            from value in Gen.Frequency((2, Gen.Constant(0)), (3, Gen.Choose(1, 4)), (1, Gen.Choose(253, 257)), (1, Gen.Constant(int.MaxValue)))
            select new RouteChange(new IpPrefix(IpAddress.FromBits(family, centre ^ ((UInt128)(uint)noise << bit)), length).Network, value);
        return Gen.OneOf(change.Select(one => new[] { one }), change.ListOf().Select(list => list.ToArray())).ListOf().Select(list => list.ToList());
    }

    public void Apply(IEnumerable<RouteChange> changes)
    {
        foreach (RouteChange change in changes)
        {
            Set(change.Prefix.Network, change.Value);
        }
    }

    /// <returns>The value before, 0 for none.</returns>
    public int Set(IpPrefix prefix, int value)
    {
        int before = Find(prefix);
        if (value == 0)
        {
            _routes.Remove(prefix);
        }
        else
        {
            _routes[prefix] = value;
        }

        return before;
    }

    public int Find(IpPrefix prefix) => _routes.GetValueOrDefault(prefix);

    public (int Length, int Value) Lookup(IpAddress address)
    {
        (int Length, int Value) best = (-1, 0);
        foreach ((IpPrefix prefix, int value) in _routes)
        {
            if (prefix.Length > best.Length && prefix.Contains(address))
            {
                best = (prefix.Length, value);
            }
        }

        return best;
    }

    /// <summary>Where a table can go wrong: both ends of every prefix it has or had, and their neighbours.</summary>
    public static IpAddress[] Probes(IpFamily family, IEnumerable<IpPrefix> prefixes) =>
        [.. LinearLpm.Probes([.. prefixes.Select(prefix => (prefix, 0))]).Where(address => address.Family == family).Distinct()];
}
