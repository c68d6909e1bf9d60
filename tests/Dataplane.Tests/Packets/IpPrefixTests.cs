using Dataplane.Packets;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Packets;

public class IpPrefixTests
{
    [Theory]
    [InlineData("10.0.0.0/8", "10.0.0.0", "10.255.255.255", false)]
    [InlineData("10.1.2.3/8", "10.0.0.0", "10.255.255.255", true)]
    [InlineData("0.0.0.0/0", "0.0.0.0", "255.255.255.255", false)]
    [InlineData("128.0.0.0/0", "0.0.0.0", "255.255.255.255", true)]
    [InlineData("192.0.2.7/32", "192.0.2.7", "192.0.2.7", false)]
    [InlineData("192.0.2.7/31", "192.0.2.6", "192.0.2.7", true)]
    [InlineData("::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false)]
    [InlineData("2001:db8::1/32", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", true)]
    [InlineData("2001:db8::/64", "2001:db8::", "2001:db8::ffff:ffff:ffff:ffff", false)]
    [InlineData("2001:db8::8000:0:0:1/65", "2001:db8::8000:0:0:0", "2001:db8::ffff:ffff:ffff:ffff", true)]
    [InlineData("2001:db8::/63", "2001:db8::", "2001:db8:0:1:ffff:ffff:ffff:ffff", false)]
    [InlineData("2001:db8::7/128", "2001:db8::7", "2001:db8::7", false)]
    public void Parse_Prefix_HasBoundsAndTellsHostBits(string text, string first, string last, bool hostBits)
    {
        IpPrefix prefix = IpPrefix.Parse(text);
        Assert.Equal(IpAddress.Parse(first), prefix.First);
        Assert.Equal(IpAddress.Parse(last), prefix.Last);
        Assert.Equal(hostBits, prefix.HasHostBits);
        Assert.False(prefix.Network.HasHostBits);
        Assert.Equal(prefix.First, prefix.Network.Address);
        Assert.Equal(text, prefix.ToString());
        Assert.True(prefix.Contains(prefix.First) && prefix.Contains(prefix.Last) && prefix.Contains(prefix.Address));
    }

    [Theory]
    [InlineData("")]
    [InlineData("/")]
    [InlineData("10.0.0.0")]
    [InlineData("10.0.0.0/")]
    [InlineData("10.0.0.0/33")]
    [InlineData("10.0.0.0/-1")]
    [InlineData("10.0.0.0/+8")]
    [InlineData("10.0.0.0/08")]
    [InlineData("10.0.0.0/8 ")]
    [InlineData("10.0.0.0/8/8")]
    [InlineData("10.0.0.0/255.0.0.0")]
    [InlineData("2001:db8::/129")]
    [InlineData("2001:db8::/1000")]
    [InlineData("fe80::1%eth0/64")]
    [InlineData("/8")]
    public void TryParse_AnythingElse_IsRefused(string text)
    {
        Assert.False(IpPrefix.TryParse(text, out IpPrefix prefix));
        Assert.Equal(default, prefix);
        Assert.Throws<FormatException>(() => IpPrefix.Parse(text));
    }

    [Fact]
    public void Constructor_BadArguments_Throw()
    {
        Assert.Throws<ArgumentException>(() => new IpPrefix(default, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new IpPrefix(IpAddress.AnyV4, 33));
        Assert.Throws<ArgumentOutOfRangeException>(() => new IpPrefix(IpAddress.AnyV4, -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new IpPrefix(IpAddress.AnyV6, 129));
    }

    [Fact]
    public void Contains_OtherFamily_IsFalse()
    {
        Assert.False(IpPrefix.AllV4.Contains(IpAddress.AnyV6));
        Assert.False(IpPrefix.AllV6.Contains(IpAddress.AnyV4));
        Assert.False(IpPrefix.AllV4.Contains(default(IpAddress)));
        Assert.False(IpPrefix.AllV4.Overlaps(IpPrefix.AllV6));
    }

    [Theory]
    [InlineData("10.0.0.0/8", "10.1.0.0/16", true, true)]
    [InlineData("10.1.0.0/16", "10.0.0.0/8", false, true)]
    [InlineData("10.0.0.0/8", "11.0.0.0/8", false, false)]
    [InlineData("10.0.0.0/8", "10.0.0.0/8", true, true)]
    [InlineData("2001:db8::/32", "2001:db8:1::/48", true, true)]
    [InlineData("2001:db8:1::/48", "2001:db8:2::/48", false, false)]
    public void Contains_Prefix_IsBySetOfAddresses(string outer, string inner, bool contains, bool overlaps)
    {
        Assert.Equal(contains, IpPrefix.Parse(outer).Contains(IpPrefix.Parse(inner)));
        Assert.Equal(overlaps, IpPrefix.Parse(outer).Overlaps(IpPrefix.Parse(inner)));
    }

    [Fact]
    public void Host_Address_HoldsExactlyItself()
    {
        IpAddress address = IpAddress.Parse("2001:db8::1");
        Assert.Equal("2001:db8::1/128", IpPrefix.Host(address).ToString());
        Assert.Equal("192.0.2.1/32", IpPrefix.Host(IpAddress.Parse("192.0.2.1")).ToString());
        Assert.Throws<ArgumentException>(() => IpPrefix.Host(default));
    }

    [Fact]
    public void Compare_Prefixes_ByAddressThenWiderFirst()
    {
        IpPrefix wide = IpPrefix.Parse("10.0.0.0/8"), narrow = IpPrefix.Parse("10.0.0.0/16"), next = IpPrefix.Parse("11.0.0.0/8");
        Assert.True(wide < narrow && narrow < next && wide <= narrow && next > wide && next >= narrow);
        Assert.NotEqual(wide, narrow);
    }

    /// <summary>The model: an address is in the prefix when its number lies between the bounds computed by 128-bit arithmetic.</summary>
    [Fact]
    public void Contains_AnyAddress_AgreesWithArithmetic() =>
        Prop.ForAll(ArbMap.Default.ArbFor<ulong>(), ArbMap.Default.ArbFor<ulong>(), Gen.Choose(0, 128).ToArbitrary(), (a, b, n) =>
        {
            foreach (bool isV4 in new[] { true, false })
            {
                int bits = isV4 ? 32 : 128, length = isV4 ? n % 33 : n;
                IpAddress address = isV4 ? IpAddress.FromV4((uint)a) : IpAddress.FromV6(a, b);
                var prefix = new IpPrefix(address, length);
                UInt128 size = length == 0 ? 0 : UInt128.One << (bits - length);
                UInt128 all = isV4 ? uint.MaxValue : UInt128.MaxValue;
                UInt128 first = size == 0 ? 0 : address.Bits / size * size, last = size == 0 ? all : first + (size - 1);
                if (prefix.First.Bits != first || prefix.Last.Bits != last || prefix.HasHostBits != (address.Bits != first))
                {
                    return false;
                }

                // Every one-bit neighbour of the address probes one boundary.
                for (int bit = 0; bit < bits; bit++)
                {
                    var other = IpAddress.FromBits(address.Family, address.Bits ^ (UInt128.One << bit));
                    if (prefix.Contains(other) != (other.Bits >= first && other.Bits <= last))
                    {
                        return false;
                    }
                }
            }

            return true;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));
}
