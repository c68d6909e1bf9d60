using Dataplane.Nat64;
using Dataplane.Packets;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Nat64;

/// <summary>Explicit address mappings (RFC 7757): its own examples, and any prefixes against a search from the longest on.</summary>
public sealed class SiitTableTests
{
    private static readonly SiitSpec s_example = new()
    {
        // RFC 7757 3.2, figure 1, with the prefix of its section 3.3 for what has no mapping.
        Prefix = IpPrefix.Parse("2001:db8:ffff::/96"),
        Mappings =
        [
            SiitNet.Mapping("192.0.2.1/32", "2001:db8:aaaa::/128", SiitHosts.V6), SiitNet.Mapping("192.0.2.2/32", "2001:db8:bbbb::b/128", SiitHosts.V6),
            SiitNet.Mapping("192.0.2.16/28", "2001:db8:cccc::/124", SiitHosts.V6), SiitNet.Mapping("192.0.2.128/26", "2001:db8:dddd::/64", SiitHosts.V6),
            SiitNet.Mapping("192.0.2.192/29", "2001:db8:eeee:8::/62", SiitHosts.V6), SiitNet.Mapping("192.0.2.224/31", "64:ff9b::/127", SiitHosts.V6),
        ],
    };

    [Theory]
    [InlineData("192.0.2.1", "2001:db8:aaaa::")]
    [InlineData("192.0.2.2", "2001:db8:bbbb::b")]
    [InlineData("192.0.2.16", "2001:db8:cccc::")]
    [InlineData("192.0.2.24", "2001:db8:cccc::8")]
    [InlineData("192.0.2.31", "2001:db8:cccc::f")]
    [InlineData("192.0.2.128", "2001:db8:dddd::")]
    [InlineData("192.0.2.152", "2001:db8:dddd:0:6000::")]
    [InlineData("192.0.2.183", "2001:db8:dddd:0:dc00::")]
    [InlineData("192.0.2.191", "2001:db8:dddd:0:fc00::")]
    [InlineData("192.0.2.193", "2001:db8:eeee:8:8000::")]
    [InlineData("192.0.2.199", "2001:db8:eeee:b:8000::")]
    [InlineData("192.0.2.224", "64:ff9b::")]
    [InlineData("192.0.2.225", "64:ff9b::1")]
    [InlineData("198.51.100.10", "2001:db8:ffff::198.51.100.10")]
    public void Examples_OfRfc7757_MapBothWays(string v4, string v6)
    {
        SiitTable table = SiitTable.Compile(s_example)!;
        Assert.True(table.TryMapDestination(IpAddress.Parse(v4), out IpAddress there));
        Assert.True(table.TryMapSource(IpAddress.Parse(v6), out IpAddress back));
        Assert.Equal((IpAddress.Parse(v6), IpAddress.Parse(v4)), (there, back));
    }

    [Fact]
    public void WhatLiesBehindTheSuffix_IsNotLookedAt()
    {
        // RFC 7757 3.3.2: trailing bits are left out.
        SiitTable table = SiitTable.Compile(s_example)!;
        Assert.True(table.TryMapSource(IpAddress.Parse("2001:db8:dddd:0:6000::1234"), out IpAddress back));
        Assert.Equal(IpAddress.Parse("192.0.2.152"), back);
        Assert.False(table.TryMapSource(IpAddress.Parse("2001:db8:1::1"), out _));
    }

    [Fact]
    public void AnyPrefixes_TheLongestThatContainsAnAddress_IsFound()
    {
        var cases = Gen.Choose(0, int.MaxValue).Select(seed => new Random(seed)).ToArbitrary();
        Prop.ForAll(cases, random =>
        {
            // Few bits, so that they contain each other; up to both ends of the space.
            var ranges = Enumerable.Range(0, random.Next(0, 12)).Select(_ => (Bits: random.Next(0, 6), At: random.Next(32))).Distinct()
                .Select(entry => (First: (UInt128)(entry.At >> entry.Bits << entry.Bits) << 123, Last: ((((UInt128)(entry.At >> entry.Bits << entry.Bits) + (1u << entry.Bits)) << 123) - 1))).Distinct().ToArray();
            var intervals = new AddressIntervals(ranges);
            for (int probe = 0; probe < 64; probe++)
            {
                UInt128 address = ((UInt128)(probe >> 1) << 123) + (probe % 2 == 0 ? 0 : (UInt128.One << 123) - 1);
                int expected = ranges.Select((range, number) => (range, number)).Where(entry => entry.range.First <= address && address <= entry.range.Last)
                    .OrderBy(entry => entry.range.Last - entry.range.First).Select(entry => entry.number).DefaultIfEmpty(-1).First();
                Assert.Equal(expected, intervals.Find(address));
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(500));
    }
}
