using Dataplane.Nat64;
using Dataplane.Packets;

namespace Dataplane.Tests.Nat64;

/// <summary>The examples of RFC 6052 2.4, and that what goes in comes out.</summary>
public sealed class EmbeddedAddressTests
{
    [Theory]
    [InlineData("2001:db8::/32", "2001:db8:c000:221::")]
    [InlineData("2001:db8:100::/40", "2001:db8:1c0:2:21::")]
    [InlineData("2001:db8:122::/48", "2001:db8:122:c000:2:2100::")]
    [InlineData("2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::")]
    [InlineData("2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::")]
    [InlineData("2001:db8:122:344::/96", "2001:db8:122:344::192.0.2.33")]
    [InlineData("64:ff9b::/96", "64:ff9b::192.0.2.33")]
    public void Embed_ExamplesOfTheRfc_AreThose(string prefix, string expected)
    {
        var v4 = IpAddress.Parse("192.0.2.33");
        IpAddress embedded = EmbeddedAddress.Embed(IpPrefix.Parse(prefix), v4);
        Assert.Equal(IpAddress.Parse(expected), embedded);
        Assert.Equal(v4, EmbeddedAddress.Extract(IpPrefix.Parse(prefix), embedded));
    }

    [Theory]
    [InlineData(32)]
    [InlineData(40)]
    [InlineData(48)]
    [InlineData(56)]
    [InlineData(64)]
    [InlineData(96)]
    public void Extract_OfAnyAddress_IsWhatWasEmbeddedWhateverFollows(int length)
    {
        var prefix = new IpPrefix(new IpPrefix(IpAddress.Parse("2001:db8:aaaa:aaaa::"), Math.Min(length, 64)).First, length);
        Assert.True(EmbeddedAddress.IsPrefix(prefix));
        var random = new Random(length);
        for (int turn = 0; turn < 2000; turn++)
        {
            IpAddress v4 = IpAddress.FromV4((uint)random.NextInt64(1L << 32));
            IpAddress v6 = EmbeddedAddress.Embed(prefix, v4);
            Assert.True(prefix.Contains(v6));
            Assert.Equal(0UL, v6.Low >> 56);

            // What lies behind the IPv4 address is reserved.
            ulong behind = length switch { 32 => 0x00FF_FFFF_FFFF_FFFF, 40 => 0xFFFF_FFFF_FFFF, 48 => 0xFF_FFFF_FFFF, 56 => 0xFFFF_FFFF, 64 => 0xFF_FFFF, _ => 0 };
            Assert.Equal(v4, EmbeddedAddress.Extract(prefix, IpAddress.FromV6(v6.High, v6.Low | ((ulong)random.NextInt64() & behind))));
        }
    }

    [Theory]
    [InlineData("64:ff9b::/95")]
    [InlineData("64:ff9b::1/96")]
    [InlineData("2001:db8::/33")]
    [InlineData("2001:db8:0:0:100::/96")]
    [InlineData("192.0.2.0/32")]
    public void IsPrefix_OfAnythingElse_IsFalse(string prefix) => Assert.False(EmbeddedAddress.IsPrefix(IpPrefix.Parse(prefix)));

    [Fact]
    public void WellKnownPrefix_AddsNothingToAChecksum()
    {
        var v4 = IpAddress.Parse("8.8.4.4");
        Assert.Equal(0, InternetChecksum.Delta(v4, EmbeddedAddress.Embed(EmbeddedAddress.WellKnown, v4)) % 0xFFFF);
    }

    [Theory]
    [InlineData("10.1.2.3", false)]
    [InlineData("172.16.0.1", false)]
    [InlineData("172.31.255.255", false)]
    [InlineData("172.32.0.1", true)]
    [InlineData("192.168.1.1", false)]
    [InlineData("100.64.0.1", false)]
    [InlineData("100.128.0.1", true)]
    [InlineData("169.254.1.1", false)]
    [InlineData("192.0.0.8", false)]
    [InlineData("192.0.2.1", false)]
    [InlineData("198.18.0.1", false)]
    [InlineData("198.19.255.255", false)]
    [InlineData("198.20.0.1", true)]
    [InlineData("198.51.100.7", false)]
    [InlineData("203.0.113.9", false)]
    [InlineData("8.8.8.8", true)]
    public void MayEmbed_BehindTheWellKnownPrefix_OnlyGlobalAddresses(string v4, bool expected)
    {
        Assert.Equal(expected, EmbeddedAddress.MayEmbed(EmbeddedAddress.WellKnown, IpAddress.Parse(v4)));
        Assert.True(EmbeddedAddress.MayEmbed(IpPrefix.Parse("2001:db8:64::/96"), IpAddress.Parse(v4)));
    }

    [Theory]
    [InlineData("0.0.0.1")]
    [InlineData("127.0.0.1")]
    [InlineData("224.0.0.1")]
    [InlineData("255.255.255.255")]
    public void MayEmbed_WhatNoHostHas_Nowhere(string v4) => Assert.False(EmbeddedAddress.MayEmbed(IpPrefix.Parse("2001:db8:64::/96"), IpAddress.Parse(v4)));
}
