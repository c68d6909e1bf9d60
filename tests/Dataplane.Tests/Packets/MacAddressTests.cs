using Dataplane.Packets;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Packets;

public class MacAddressTests
{
    [Theory]
    [InlineData("02:00:5e:10:00:fe", 0x02005E1000FEul)]
    [InlineData("02-00-5E-10-00-FE", 0x02005E1000FEul)]
    [InlineData("FF:ff:FF:ff:FF:ff", 0xFFFFFFFFFFFFul)]
    [InlineData("00:00:00:00:00:00", 0ul)]
    public void TryParse_SixPairs_GivesTheBits(string text, ulong bits)
    {
        Assert.True(MacAddress.TryParse(text, out MacAddress address));
        Assert.Equal(bits, address.Bits);
        Assert.Equal(address, MacAddress.Parse(text));
    }

    [Theory]
    [InlineData("")]
    [InlineData("02:00:5e:10:00")]
    [InlineData("02:00:5e:10:00:fe:01")]
    [InlineData("02:00-5e:10:00:fe")]
    [InlineData("02005e1000fe")]
    [InlineData("02:00:5e:10:00:fg")]
    [InlineData("02:00:5e:10:00: f")]
    [InlineData("02:00:5e:10:00:+f")]
    [InlineData("02.00.5e.10.00.fe")]
    public void TryParse_AnythingElse_IsRefused(string text)
    {
        Assert.False(MacAddress.TryParse(text, out MacAddress address));
        Assert.Equal(default, address);
        Assert.Throws<FormatException>(() => MacAddress.Parse(text));
    }

    [Fact]
    public void Read_KnownBytes_FirstByteIsMostSignificant()
    {
        byte[] bytes = [0x02, 0x11, 0x22, 0x33, 0x44, 0x55, 0x99];
        MacAddress address = MacAddress.Read(bytes);
        Assert.Equal("02:11:22:33:44:55", address.ToString());

        byte[] written = new byte[7];
        address.Write(written);
        Assert.Equal(new byte[] { 0x02, 0x11, 0x22, 0x33, 0x44, 0x55, 0x00 }, written);
    }

    [Fact]
    public void Constructor_MoreThan48Bits_Throws() => Assert.Throws<ArgumentOutOfRangeException>(() => new MacAddress(1ul << 48));

    [Theory]
    [InlineData("ff:ff:ff:ff:ff:ff", true, true, false, true)]
    [InlineData("01:00:5e:00:00:01", false, true, false, false)]
    [InlineData("33:33:00:00:00:01", false, true, false, true)]
    [InlineData("02:00:00:00:00:01", false, false, true, true)]
    [InlineData("00:1b:21:00:00:01", false, false, true, false)]
    [InlineData("00:00:00:00:00:00", false, false, false, false)]
    public void Kind_Bits_AreNamed(string text, bool broadcast, bool multicast, bool unicast, bool local)
    {
        MacAddress address = MacAddress.Parse(text);
        Assert.Equal(broadcast, address.IsBroadcast);
        Assert.Equal(multicast, address.IsMulticast);
        Assert.Equal(unicast, address.IsUnicast);
        Assert.Equal(local, address.IsLocallyAdministered);
        Assert.Equal(address.Bits == 0, address.IsZero);
    }

    [Fact]
    public void ForMulticast_Groups_MapAsTheRfcsSay()
    {
        // RFC 1112, 6.4: 23 bits, so 224.128.0.1 and 224.0.0.1 share one address.
        Assert.Equal("01:00:5e:00:00:01", MacAddress.ForIpv4Multicast(IpAddress.Parse("224.128.0.1")).ToString());
        Assert.Equal("01:00:5e:7f:ff:fa", MacAddress.ForIpv4Multicast(IpAddress.Parse("239.255.255.250")).ToString());
        Assert.Equal("33:33:ff:12:34:56", MacAddress.ForIpv6Multicast(IpAddress.Parse("ff02::1:ff12:3456")).ToString());
    }

    [Fact]
    public void Compare_Addresses_OrdersAsNumbers()
    {
        MacAddress low = MacAddress.Parse("02:00:00:00:00:01"), high = MacAddress.Parse("02:00:00:00:01:00");
        Assert.True(low < high && low <= high && high > low && high >= low);
        Assert.Equal(-1, low.CompareTo(high));
        Assert.NotEqual(low, high);
    }

    [Fact]
    public void TryFormat_TooLittleRoom_WritesNothing()
    {
        Span<char> room = stackalloc char[16];
        Assert.False(MacAddress.Broadcast.TryFormat(room, out int written));
        Assert.Equal(0, written);
        Assert.Equal("<ff:ff:ff:ff:ff:ff>", $"<{MacAddress.Broadcast}>");
    }

    [Fact]
    public void TextAndBytes_AnyAddress_RoundTrip() =>
        Prop.ForAll(ArbMap.Default.ArbFor<ulong>(), value =>
        {
            var address = new MacAddress(value & 0xFFFF_FFFF_FFFF);
            byte[] bytes = new byte[6];
            address.Write(bytes);
            return MacAddress.Read(bytes) == address && MacAddress.Parse(address.ToString()) == address;
        }).QuickCheckThrowOnFailure();
}
