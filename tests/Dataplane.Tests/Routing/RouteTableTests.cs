using Dataplane.Packets;
using Dataplane.Routing;
using Dataplane.Routing.Lpm;
using Dataplane.Tests.Support;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Routing;

public class RouteTableTests
{
    /// <summary>Prefixes crowded around a few addresses, so that they nest, touch and repeat; both families.</summary>
    private static readonly Gen<(IpPrefix Prefix, int Value)> s_route =
        from v6 in Gen.Elements(false, true)
        from centre in Gen.Elements(UInt128.Zero, UInt128.MaxValue, (UInt128)0x0A000000, new UInt128(0x20010DB800000000, 0), new UInt128(1, 0))
        from bit in Gen.Choose(0, 127)
        from noise in Gen.Choose(0, 7)
        from length in Gen.Choose(0, 128)
        from value in Gen.Choose(1, 6)
        let bits = centre ^ ((UInt128)(uint)noise << bit)
        select (new IpPrefix(IpAddress.FromBits(v6 ? IpFamily.V6 : IpFamily.V4, bits), v6 ? length : length % 33), value);

    [Fact]
    public void Lookup_NoRoutes_IsNoMatch()
    {
        using RouteTable table = Make([]);
        Assert.Equal(RouteTable.NoMatch, table.Lookup(IpAddress.AnyV4));
        Assert.Equal(RouteTable.NoMatch, table.Lookup(IpAddress.Parse("255.255.255.255")));
        Assert.Equal(RouteTable.NoMatch, table.Lookup(IpAddress.AnyV6));
        Assert.Equal(RouteTable.NoMatch, table.Lookup(default));
        Assert.Null(table.LongestPrefix(IpAddress.AnyV6));
        Assert.Equal(0, table.Count);
    }

    [Theory]
    [InlineData("192.0.2.1", 1, "192.0.2.0/24")]
    [InlineData("10.0.0.0", 2, "10.0.0.0/8")]
    [InlineData("9.255.255.255", 1, "0.0.0.0/0")]
    [InlineData("11.0.0.0", 1, "0.0.0.0/0")]
    [InlineData("10.1.0.0", 3, "10.1.0.0/16")]
    [InlineData("10.1.2.3", 4, "10.1.2.3/32")]
    [InlineData("10.1.2.2", 3, "10.1.0.0/16")]
    [InlineData("255.255.255.255", 5, "255.255.255.255/32")]
    [InlineData("255.255.255.254", 1, "0.0.0.0/0")]
    [InlineData("::", 10, "::/0")]
    [InlineData("2001:db8::", 11, "2001:db8::/32")]
    [InlineData("2001:db8:0:1::4", 12, "2001:db8:0:1::/64")]
    [InlineData("2001:db8:0:1::5", 13, "2001:db8:0:1::5/128")]
    [InlineData("2001:db8:0:2::", 11, "2001:db8::/32")]
    [InlineData("2001:db9::", 10, "::/0")]
    [InlineData("fe80::1", 14, "fe80::/10")]
    [InlineData("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 15, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128")]
    public void Lookup_NestedPrefixesAndDefaults_LongestWinsAndIsNamed(string address, int expected, string prefix)
    {
        string[] prefixes =
        [
            "0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "255.255.255.255/32", // 1 to 5
            "192.0.2.0/24", "::/0", "2001:db8::/32", "2001:db8:0:1::/64", "2001:db8:0:1::5/128", "fe80::/10", // 1, 10 to 14
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128",
        ];
        int[] values = [1, 2, 3, 4, 5, 1, 10, 11, 12, 13, 14, 15];
        using RouteTable table = Make([.. prefixes.Select(text => IpPrefix.Parse(text)).Zip(values)]);
        Assert.Equal(expected, table.Lookup(IpAddress.Parse(address)));
        Assert.Equal(IpPrefix.Parse(prefix), table.LongestPrefix(IpAddress.Parse(address)));
    }

    [Fact]
    public void Apply_EqualPrefixes_LastOneCounts()
    {
        using RouteTable table = Make([(IpPrefix.Parse("10.0.0.1/8"), 1), (IpPrefix.Parse("10.9.9.9/8"), 2), (IpPrefix.Parse("10.0.0.0/9"), 3)]);
        Assert.Equal(2, table.Lookup(IpAddress.Parse("10.200.0.0")));
        Assert.Equal(3, table.Lookup(IpAddress.Parse("10.0.0.0")));
        Assert.Equal((2, 3), (table.Find(IpPrefix.Parse("10.0.0.0/8")), table.Find(IpPrefix.Parse("10.0.0.0/9"))));
        Assert.Equal(RouteTable.NoMatch, table.Find(IpPrefix.Parse("10.0.0.0/10")));
        Assert.Equal(2, table.Count);
    }

    [Fact]
    public void Lookup_AnyTable_OneByOneAndInBatchesAgreeWithLinearScan() =>
        Prop.ForAll(s_route.ListOf().ToArbitrary(), list =>
        {
            List<(IpPrefix Prefix, int Value)> routes = [.. list];
            using RouteTable table = Make(routes);
            IpAddress[] probes = [.. LinearLpm.Probes(routes)];
            int[] expected = [.. probes.Select(address => Math.Max(0, LinearLpm.Lookup(routes, address)))];
            return probes.Zip(expected).All(probe => table.Lookup(probe.First) == probe.Second) && InBatches(table, probes).SequenceEqual(expected);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(150));

    [Fact]
    [Trait("Category", "Slow")]
    public void Lookup_FullInternetTable_AgreesWithLinearScan()
    {
        var random = new Random(7);
        var routes = new List<(IpPrefix Prefix, int Value)>();
        for (int i = 0; i < 1_000_000; i++)
        {
            routes.Add((new IpPrefix(IpAddress.FromV4((uint)random.NextInt64(1L << 32)), random.Next(8, 33)), random.Next(1, 1000)));
        }

        for (int i = 0; i < 250_000; i++)
        {
            ulong high = 0x2000_0000_0000_0000 | (ulong)random.NextInt64(1L << 61);
            routes.Add((new IpPrefix(IpAddress.FromV6(high, (ulong)random.NextInt64()), random.Next(16, 129)), random.Next(1, 1000)));
        }

        using RouteTable table = Make(routes);
        IpAddress[] probes = [.. LinearLpm.Probes([.. Enumerable.Range(0, 40).Select(_ => routes[random.Next(routes.Count)])])];
        Assert.All(probes, address => Assert.Equal(Math.Max(0, LinearLpm.Lookup(routes, address)), table.Lookup(address)));
    }

    [Fact]
    public void Lookup_Always_AllocatesNothing()
    {
        using RouteTable table = Make([(IpPrefix.AllV4, 1), (IpPrefix.Parse("2001:db8::/32"), 2)]);
        int sum = 0;
        uint address = 0;
        Allocations.AssertNone(10_000, () =>
        {
            address++;
            sum += table.Lookup(IpAddress.FromV4(address)) + table.Lookup(IpAddress.FromV6(0x20010DB800000000, address));
        });
        Assert.NotEqual(0, sum);
    }

    private static RouteTable Make(IReadOnlyList<(IpPrefix Prefix, int Value)> routes)
    {
        var table = new RouteTable(new GracePeriods());
        table.Apply([.. routes.Select(route => new RouteChange(route.Prefix, route.Value))]);
        return table;
    }

    private static IEnumerable<int> InBatches(RouteTable table, IpAddress[] addresses)
    {
        var result = new Dictionary<IpAddress, int>();
        IpAddress[] v4 = [.. addresses.Where(address => address.IsIpv4)], v6 = [.. addresses.Where(address => address.IsIpv6)];
        int[] found4 = new int[v4.Length], found6 = new int[v6.Length];
        table.Lookup([.. v4.Select(address => (uint)address.Low)], found4);
        table.Lookup([.. v6.Select(address => address.High)], [.. v6.Select(address => address.Low)], found6);
        foreach ((IpAddress address, int value) in v4.Zip(found4).Concat(v6.Zip(found6)))
        {
            result[address] = value;
        }

        return addresses.Select(address => result[address]);
    }
}
