using Dataplane.Packets;
using Dataplane.Routing;
using Dataplane.Tests.Support;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Routing;

public class LpmTableTests
{
    /// <summary>Prefixes crowded around a few addresses, so that they nest, touch and repeat; both families.</summary>
    private static readonly Gen<(IpPrefix Prefix, int Value)> s_route =
        from v6 in Gen.Elements(false, true)
        from centre in Gen.Elements(UInt128.Zero, UInt128.MaxValue, (UInt128)0x0A000000, new UInt128(0x20010DB800000000, 0), new UInt128(1, 0))
        from bit in Gen.Choose(0, 127)
        from noise in Gen.Choose(0, 7)
        from length in Gen.Choose(0, 128)
        from value in Gen.Choose(0, 5)
        let bits = centre ^ ((UInt128)(uint)noise << bit)
        select (new IpPrefix(IpAddress.FromBits(v6 ? IpFamily.V6 : IpFamily.V4, bits), v6 ? length : length % 33), value);

    [Fact]
    public void Lookup_NoRoutes_IsNoMatch()
    {
        LpmTable table = LpmTable.Build([]);
        Assert.Equal(LpmTable.NoMatch, table.LookupV4(0));
        Assert.Equal(LpmTable.NoMatch, table.LookupV4(uint.MaxValue));
        Assert.Equal(LpmTable.NoMatch, table.LookupV6(0, 0));
        Assert.Equal(LpmTable.NoMatch, table.LookupV6(ulong.MaxValue, ulong.MaxValue));
        Assert.Equal(LpmTable.NoMatch, table.Lookup(default));
    }

    [Theory]
    [InlineData("192.0.2.1", 0)]
    [InlineData("10.0.0.0", 1)]
    [InlineData("10.255.255.255", 1)]
    [InlineData("9.255.255.255", 0)]
    [InlineData("11.0.0.0", 0)]
    [InlineData("10.1.0.0", 2)]
    [InlineData("10.1.2.3", 3)]
    [InlineData("10.1.2.2", 2)]
    [InlineData("10.1.2.4", 2)]
    [InlineData("255.255.255.255", 4)]
    [InlineData("255.255.255.254", 0)]
    [InlineData("0.0.0.0", 0)]
    [InlineData("::", 10)]
    [InlineData("2001:db8::", 11)]
    [InlineData("2001:db8:0:1::", 12)]
    [InlineData("2001:db8:0:1::4", 12)]
    [InlineData("2001:db8:0:1::5", 13)]
    [InlineData("2001:db8:0:1::6", 12)]
    [InlineData("2001:db8:0:2::", 11)]
    [InlineData("2001:db9::", 10)]
    [InlineData("fe80::1", 14)]
    [InlineData("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 15)]
    public void Lookup_NestedPrefixesAndDefaults_LongestWins(string address, int expected)
    {
        string[] prefixes =
        [
            "0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "255.255.255.255/32", // 0 to 4
            "192.0.2.0/24", "::/0", "2001:db8::/32", "2001:db8:0:1::/64", "2001:db8:0:1::5/128", "fe80::/10", // 5, 10 to 14
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128",
        ];
        int[] values = [0, 1, 2, 3, 4, 0, 10, 11, 12, 13, 14, 15];
        LpmTable table = LpmTable.Build([.. prefixes.Select(text => IpPrefix.Parse(text)).Zip(values)]);
        Assert.Equal(expected, table.Lookup(IpAddress.Parse(address)));
    }

    [Fact]
    public void Build_EqualPrefixes_LastOneCounts()
    {
        LpmTable table = LpmTable.Build([(IpPrefix.Parse("10.0.0.1/8"), 1), (IpPrefix.Parse("10.9.9.9/8"), 2), (IpPrefix.Parse("10.0.0.0/9"), 3)]);
        Assert.Equal(2, table.Lookup(IpAddress.Parse("10.200.0.0")));
        Assert.Equal(3, table.Lookup(IpAddress.Parse("10.0.0.0")));
    }

    [Fact]
    public void Build_BadRoutes_Throws()
    {
        Assert.Throws<ArgumentException>(() => LpmTable.Build([(default, 1)]));
        Assert.Throws<ArgumentException>(() => LpmTable.Build([(IpPrefix.AllV4, -1)]));
    }

    [Fact]
    public void Build_TenRoutes_StaysUnderOneKilobyte()
    {
        var routes = new List<(IpPrefix, int)>();
        for (uint i = 0; i < 5; i++)
        {
            routes.Add((new IpPrefix(IpAddress.FromV4(0x0A000000 + (i << 16)), 24), (int)i));
            routes.Add((new IpPrefix(IpAddress.FromV6(0x20010DB800000000UL + i, 0), 64), (int)i));
        }

        Assert.InRange(LpmTable.Build(routes).MemoryBytes, 1, 1024);
    }

    [Fact]
    public void Lookup_AnyTable_AgreesWithLinearScan() =>
        Prop.ForAll(s_route.ListOf().ToArbitrary(), list =>
        {
            List<(IpPrefix Prefix, int Value)> routes = [.. list];
            LpmTable table = LpmTable.Build(routes), direct = new(new LpmBuilder(routes, directFromRanges: 0));
            return LinearLpm.Probes(routes).All(address =>
            {
                int expected = LinearLpm.Lookup(routes, address);
                return table.Lookup(address) == expected && direct.Lookup(address) == expected;
            });
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(400));

    /// <summary>Every size up to beyond three levels of every key width, so that each node is once the last and once half full.</summary>
    [Theory]
    [InlineData(24, 5000)]
    [InlineData(32, 5000)]
    [InlineData(64, 1000)]
    [InlineData(128, 1000)]
    public void Lookup_TreesOfEverySize_FindsEveryRange(int length, int largest)
    {
        IpFamily family = length <= 32 ? IpFamily.V4 : IpFamily.V6;
        int bits = family == IpFamily.V4 ? 32 : 128;
        for (int size = 1; size <= largest; size += size < 100 ? 1 : 97)
        {
            // Every second prefix is missing, so each is a range of its own.
            UInt128 step = UInt128.One << (bits - length + 1);
            var routes = new (IpPrefix Prefix, int Value)[size];
            for (int i = 0; i < size; i++)
            {
                routes[i] = (new IpPrefix(IpAddress.FromBits(family, (step * (uint)i) + (step / 2)), length), i);
            }

            foreach (LpmTable table in new[] { LpmTable.Build(routes), new LpmTable(new LpmBuilder(routes, directFromRanges: 0)) })
            {
                for (int i = 0; i < size; i++)
                {
                    IpPrefix prefix = routes[i].Prefix;
                    Assert.Equal(i, table.Lookup(prefix.First));
                    Assert.Equal(i, table.Lookup(prefix.Last));
                    Assert.Equal(LpmTable.NoMatch, table.Lookup(IpAddress.FromBits(family, prefix.First.Bits - 1)));
                    Assert.Equal(LpmTable.NoMatch, table.Lookup(IpAddress.FromBits(family, prefix.Last.Bits + 1)));
                }
            }
        }
    }

    [Fact]
    [Trait("Category", "Slow")]
    public void Lookup_FullInternetTable_AgreesWithLinearScan()
    {
        var random = new Random(7);
        var routes = new List<(IpPrefix Prefix, int Value)>();
        for (int i = 0; i < 1_000_000; i++)
        {
            routes.Add((new IpPrefix(IpAddress.FromV4((uint)random.NextInt64(1L << 32)), random.Next(8, 33)), random.Next(1000)));
        }

        for (int i = 0; i < 250_000; i++)
        {
            ulong high = 0x2000_0000_0000_0000 | (ulong)random.NextInt64(1L << 61);
            routes.Add((new IpPrefix(IpAddress.FromV6(high, (ulong)random.NextInt64()), random.Next(16, 129)), random.Next(1000)));
        }

        LpmTable table = LpmTable.Build(routes);
        Assert.InRange(table.MemoryBytes, 1, 64 << 20);
        IpAddress[] probes = [.. LinearLpm.Probes([.. Enumerable.Range(0, 40).Select(_ => routes[random.Next(routes.Count)])])];
        Assert.All(probes, address => Assert.Equal(LinearLpm.Lookup(routes, address), table.Lookup(address)));
    }

    [Fact]
    public void Lookup_Always_AllocatesNothing()
    {
        LpmTable table = LpmTable.Build([(IpPrefix.AllV4, 1), (IpPrefix.Parse("2001:db8::1/128"), 2)]);
        int sum = 0;
        uint address = 0;
        Allocations.AssertNone(10_000, () =>
        {
            address++;
            sum += table.LookupV4(address) + table.LookupV6(0x20010DB800000000, address);
        });
        Assert.NotEqual(0, sum);
    }
}
