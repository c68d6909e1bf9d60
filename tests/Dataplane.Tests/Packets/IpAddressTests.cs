using System.Net;
using System.Net.Sockets;
using Dataplane.Packets;
using Dataplane.Tests.Support;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Packets;

public class IpAddressTests
{
    [Theory]
    [InlineData("0.0.0.0", 0u)]
    [InlineData("10.0.0.1", 0x0A000001u)]
    [InlineData("198.51.100.254", 0xC63364FEu)]
    [InlineData("255.255.255.255", 0xFFFFFFFFu)]
    public void TryParse_DottedDecimal_GivesHostOrder(string text, uint bits)
    {
        Assert.True(IpAddress.TryParse(text, out IpAddress address));
        Assert.Equal((IpFamily.V4, 0ul, (ulong)bits), (address.Family, address.High, address.Low));
        Assert.Equal((UInt128)bits, address.Bits);
        Assert.Equal(text, address.ToString());
        Assert.Equal(IpAddress.FromV4(bits), address);
    }

    [Theory]
    [InlineData("::", 0ul, 0ul, "::")]
    [InlineData("::1", 0ul, 1ul, "::1")]
    [InlineData("2001:DB8::A", 0x20010DB800000000ul, 10ul, "2001:db8::a")]
    [InlineData("2001:0db8:0:0:1:0:0:1", 0x20010DB800000000ul, 0x0001000000000001ul, "2001:db8::1:0:0:1")]
    [InlineData("2001:db8:0:1:1:1:1:1", 0x20010DB800000001ul, 0x0001000100010001ul, "2001:db8:0:1:1:1:1:1")]
    [InlineData("1:0:0:2:0:0:0:3", 0x0001000000000002ul, 3ul, "1:0:0:2::3")]
    [InlineData("0:1:2:3:4:5:6:0", 0x0000000100020003ul, 0x0004000500060000ul, "0:1:2:3:4:5:6:0")]
    [InlineData("1::", 0x0001000000000000ul, 0ul, "1::")]
    [InlineData("::ffff:192.0.2.1", 0ul, 0x0000FFFFC0000201ul, "::ffff:192.0.2.1")]
    [InlineData("::ffff:0:0", 0ul, 0x0000FFFF00000000ul, "::ffff:0.0.0.0")]
    [InlineData("64:ff9b::192.0.2.33", 0x0064FF9B00000000ul, 0xC0000221ul, "64:ff9b::c000:221")]
    [InlineData("fe80::5efe:192.0.2.33", 0xFE80000000000000ul, 0x00005EFEC0000221ul, "fe80::5efe:c000:221")]
    public void TryParse_Ipv6_GivesHalvesAndCanonicalText(string text, ulong high, ulong low, string canonical)
    {
        Assert.True(IpAddress.TryParse(text, out IpAddress address));
        Assert.Equal((IpFamily.V6, high, low), (address.Family, address.High, address.Low));
        Assert.Equal(canonical, address.ToString());
        Assert.Equal(address, IpAddress.Parse(canonical));
    }

    [Theory]
    [InlineData("")]
    [InlineData("1.2")]
    [InlineData("1.2.3")]
    [InlineData("1.2.3.4.5")]
    [InlineData("1.2.3.")]
    [InlineData("1.2..4")]
    [InlineData("256.1.1.1")]
    [InlineData("010.0.0.1")]
    [InlineData("0x0a.0.0.1")]
    [InlineData("167772161")]
    [InlineData(" 10.0.0.1")]
    [InlineData("+1.2.3.4")]
    [InlineData("10.0.0.1/8")]
    [InlineData("fe80::1%eth0")]
    [InlineData("fe80::1%1")]
    [InlineData("[::1]")]
    [InlineData("[::1]:80")]
    [InlineData("::1/128")]
    [InlineData("::ffff:010.0.0.1")]
    [InlineData("::ffff:1.2.3")]
    [InlineData("1:2:3:4:5:6:7")]
    [InlineData("1:2:3:4:5:6:7:8:9")]
    [InlineData("1::2::3")]
    [InlineData("12345::")]
    [InlineData(":1:2:3:4:5:6:7")]
    [InlineData("localhost")]
    public void TryParse_AnythingElse_IsRefused(string text)
    {
        Assert.False(IpAddress.TryParse(text, out IpAddress address));
        Assert.True(address.IsNone);
        Assert.Throws<FormatException>(() => IpAddress.Parse(text));
    }

    [Theory]
    [InlineData("0.0.0.0", "unspecified")]
    [InlineData("::", "unspecified")]
    [InlineData("127.0.0.1", "loopback")]
    [InlineData("127.255.255.255", "loopback")]
    [InlineData("::1", "loopback")]
    [InlineData("::2", "")]
    [InlineData("126.255.255.255", "")]
    [InlineData("224.0.0.1", "multicast")]
    [InlineData("239.255.255.255", "multicast")]
    [InlineData("223.255.255.255", "")]
    [InlineData("240.0.0.0", "")]
    [InlineData("ff02::1", "multicast")]
    [InlineData("feff::", "")]
    [InlineData("169.254.0.1", "link-local")]
    [InlineData("169.253.255.255", "")]
    [InlineData("fe80::1", "link-local")]
    [InlineData("febf::1", "link-local")]
    [InlineData("fec0::1", "")]
    [InlineData("255.255.255.255", "limited-broadcast")]
    [InlineData("::ffff:255.255.255.255", "mapped")]
    [InlineData("::255.255.255.255", "")]
    public void Kind_Address_IsOneOfTheNamedOrNone(string text, string kind)
    {
        IpAddress address = IpAddress.Parse(text);
        Assert.Equal(kind == "unspecified", address.IsUnspecified);
        Assert.Equal(kind == "loopback", address.IsLoopback);
        Assert.Equal(kind == "multicast", address.IsMulticast);
        Assert.Equal(kind == "link-local", address.IsLinkLocal);
        Assert.Equal(kind == "limited-broadcast", address.IsLimitedBroadcast);
        Assert.Equal(kind == "mapped", address.IsIpv4Mapped);
    }

    [Fact]
    public void Default_Value_IsNoAddress()
    {
        IpAddress none = default;
        Assert.True(none.IsNone && !none.IsIpv4 && !none.IsIpv6);
        Assert.False(none.IsUnspecified || none.IsLoopback || none.IsMulticast || none.IsLinkLocal || none.IsLimitedBroadcast);
        Assert.Equal(string.Empty, none.ToString());
        Assert.Equal(0, none.Write([]));
        Assert.NotEqual(none, IpAddress.AnyV4);
        Assert.NotEqual(none, IpAddress.AnyV6);
        Assert.NotEqual(IpAddress.AnyV4, IpAddress.AnyV6);
    }

    [Fact]
    public void ReadAndWrite_KnownBytes_AreNetworkOrder()
    {
        byte[] bytes = Convert.FromHexString("20010DB8000100020003000400050006");
        IpAddress address = IpAddress.FromV6(bytes);
        Assert.Equal("2001:db8:1:2:3:4:5:6", address.ToString());
        byte[] written = new byte[16];
        Assert.Equal(16, address.Write(written));
        Assert.Equal(bytes, written);

        Assert.Equal("32.1.13.184", IpAddress.ReadV4(bytes).ToString());
        Assert.Equal(4, IpAddress.ReadV4(bytes).Write(written));
        Assert.Equal(bytes, written);
    }

    [Fact]
    public void SolicitedNode_Address_KeepsTheLow24Bits() =>
        Assert.Equal("ff02::1:ff0e:8c6c", IpAddress.SolicitedNode(IpAddress.Parse("4037::1:800:200e:8c6c")).ToString());

    [Fact]
    public void Compare_Families_Ipv4SortsFirst()
    {
        IpAddress[] ordered = [default, .. new[] { "9.0.0.0", "10.0.0.0", "::", "1::", "1::1" }.Select(text => IpAddress.Parse(text))];
        for (int left = 0; left < ordered.Length; left++)
        {
            for (int right = 0; right < ordered.Length; right++)
            {
                Assert.Equal(Math.Sign(left - right), Math.Sign(ordered[left].CompareTo(ordered[right])));
                Assert.Equal(left == right, ordered[left] == ordered[right]);
                Assert.Equal(left < right, ordered[left] < ordered[right]);
                Assert.Equal(left >= right, ordered[left] >= ordered[right]);
            }
        }
    }

    [Fact]
    public void TryFormat_TooLittleRoom_WritesNothing()
    {
        Span<char> room = stackalloc char[7];
        Assert.False(IpAddress.Parse("10.0.0.1").TryFormat(room, out int written));
        Assert.Equal(0, written);
        Assert.True(IpAddress.Parse("1.2.3.4").TryFormat(room, out written));
        Assert.Equal("1.2.3.4", room[..written].ToString());
    }

    [Fact]
    public void TextAndBytes_AnyAddress_RoundTripAndAgreeWithSystemNet() =>
        Prop.ForAll(ArbMap.Default.ArbFor<ulong>(), ArbMap.Default.ArbFor<ulong>(), ArbMap.Default.ArbFor<bool>(), (high, low, isV4) =>
        {
            // Whole groups of zeros are what compression is about, and random words never hold them.
            high &= (low & 1) == 0 ? 0xFFFF_0000_0000_FFFF : ulong.MaxValue;
            IpAddress address = isV4 ? IpAddress.FromV4((uint)low) : IpAddress.FromV6(high, low);
            byte[] bytes = new byte[address.WireLengthBytes];
            address.Write(bytes);
            IPAddress theirs = new(bytes);
            return IPAddress.Parse(address.ToString()).Equals(theirs)
                && theirs.AddressFamily == (isV4 ? AddressFamily.InterNetwork : AddressFamily.InterNetworkV6)
                && IpAddress.Parse(address.ToString()) == address
                && (isV4 ? IpAddress.ReadV4(bytes) : IpAddress.ReadV6(bytes)) == address
                && IpAddress.FromBits(address.Family, address.Bits) == address;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(1000));

    [Fact]
    public void CompareAndEquals_Addresses_AllocateNothing()
    {
        IpAddress left = IpAddress.Parse("2001:db8::1"), right = IpAddress.Parse("2001:db8::2");
        IpPrefix prefix = IpPrefix.Parse("2001:db8::/32");
        int count = 0;
        Allocations.AssertNone(1000, () => count += left.Equals(right) || left.CompareTo(right) > 0 || !prefix.Contains(left) || left.GetHashCode() == 0 ? 1 : 0);
        Assert.Equal(0, count);
    }
}
