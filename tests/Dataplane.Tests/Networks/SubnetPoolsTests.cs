using Dataplane.Networks;
using Dataplane.Packets;

namespace Dataplane.Tests.Networks;

/// <summary>Ranges are chosen as Docker does, beside what is there.</summary>
public sealed class SubnetPoolsTests
{
    [Fact]
    public void ChooseIpv4_OneAfterTheOther_GivesDockersThirtyOneNetworks()
    {
        var taken = new List<IpPrefix>();
        for (int i = 0; i < 31; i++)
        {
            taken.Add(SubnetPools.ChooseIpv4(taken));
        }

        Assert.Equal("172.17.0.0/16", taken[0].ToString());
        Assert.Equal("172.31.0.0/16", taken[14].ToString());
        Assert.Equal("192.168.0.0/20", taken[15].ToString());
        Assert.Equal("192.168.240.0/20", taken[30].ToString());
        Assert.Throws<LeaseException>(() => SubnetPools.ChooseIpv4(taken));
    }

    [Theory]
    [InlineData("172.17.5.0/24", "172.18.0.0/16")]
    [InlineData("172.16.0.0/12", "192.168.0.0/20")]
    [InlineData("10.0.0.0/8", "172.17.0.0/16")]
    public void ChooseIpv4_RouteOfTheHost_IsAvoided(string route, string expected) =>
        Assert.Equal(expected, SubnetPools.ChooseIpv4([IpPrefix.Parse(route)]).ToString());

    [Fact]
    public void ChooseIpv6_SameNames_GivesTheSameUniqueLocalSubnet()
    {
        IpPrefix first = SubnetPools.ChooseIpv6("host", "web", []);
        Assert.Equal(first, SubnetPools.ChooseIpv6("host", "web", []));
        Assert.True(IpPrefix.Parse("fd00::/8").Contains(first));
        Assert.Equal(64, first.Length);
        Assert.NotEqual(first, SubnetPools.ChooseIpv6("other", "web", []));
        Assert.False(first.Overlaps(SubnetPools.ChooseIpv6("host", "web", [first])));
    }

    [Fact]
    public void ChooseMac_ManyHolders_AreLocalUnicastAndTheirOwn()
    {
        var taken = new HashSet<MacAddress>();
        for (int i = 0; i < 1000; i++)
        {
            MacAddress mac = EndpointMac.Choose("net", $"h{i}", taken.Contains);
            Assert.True(mac.IsUnicast && mac.IsLocallyAdministered && taken.Add(mac));
        }

        Assert.Equal(EndpointMac.Choose("net", "h1"), EndpointMac.Choose("net", "h1"));
        Assert.NotEqual(EndpointMac.Choose("net", "h1"), EndpointMac.Choose("net", "h1", taken.Contains));
    }
}
