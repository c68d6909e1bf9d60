using System.Runtime.Intrinsics.X86;
using Dataplane.Hashing;
using Dataplane.Packets;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Hashing;

public class ToeplitzTests
{
    /// <summary>Microsoft, "Verifying the RSS Hash Calculation": source, destination, hash of the addresses, hash with ports.</summary>
    [Theory]
    [InlineData("66.9.149.187", 2794, "161.142.100.80", 1766, 0x323E8FC2, 0x51CCC178)]
    [InlineData("199.92.111.2", 14230, "65.69.140.83", 4739, 0xD718262A, 0xC626B0EA)]
    [InlineData("24.19.198.95", 12898, "12.22.207.184", 38024, 0xD2D0A5DE, 0x5C2B394A)]
    [InlineData("38.27.205.30", 48228, "209.142.163.6", 2217, 0x82989176, 0xAFC7327F)]
    [InlineData("153.39.163.191", 44251, "202.188.127.2", 1303, 0x5D1809C5, 0x10E828A2)]
    [InlineData("3ffe:2501:200:1fff::7", 2794, "3ffe:2501:200:3::1", 1766, 0x2CC18CD5, 0x40207D3D)]
    [InlineData("3ffe:501:8::260:97ff:fe40:efab", 14230, "ff02::1", 4739, 0x0F0C461C, 0xDDE51BBF)]
    [InlineData("3ffe:1900:4545:3:200:f8ff:fe21:67cf", 44251, "fe80::200:f8ff:fe21:67cf", 38024, 0x4B61E985, 0x02D1FEEF)]
    public void Of_MicrosoftVectors_AreMet(string source, ushort sourcePort, string destination, ushort destinationPort, uint addresses, uint withPorts)
    {
        FlowKey key = FlowKey.Create(IpAddress.Parse(source), sourcePort, IpAddress.Parse(destination), destinationPort, 6);
        var toeplitz = new Toeplitz(Toeplitz.MicrosoftKey);
        Assert.Equal(addresses, toeplitz.Of(in key, withPorts: false));
        Assert.Equal(withPorts, toeplitz.Of(in key, withPorts: true));
    }

    /// <summary>The definition: each bit that is 1 adds the 32 bits of the key from its place on.</summary>
    [Fact]
    public void Hash_AnyKeyAndInput_IsTheDefinitionWayByWay() =>
        Prop.ForAll(Gen.Choose(8, 60).SelectMany(length => Gen.Choose(0, 255).Select(value => (byte)value).ArrayOf(length)).ToArbitrary(),
            Gen.Choose(0, 255).Select(value => (byte)value).ArrayOf().ToArbitrary(), (key, input) =>
            {
                byte[] bytes = [.. input.Take(key.Length - 4)];
                var toeplitz = new Toeplitz(key);
                uint expected = Definition(key, bytes);
                return toeplitz.MaxInputBytes == key.Length - 4 && toeplitz.Hash(bytes) == expected && toeplitz.HashByTable(bytes) == expected
                    && (!Pclmulqdq.IsSupported || toeplitz.HashByProduct(bytes) == expected);
            }).QuickCheckThrowOnFailure();

    [Fact]
    public void Of_SymmetricKey_IsTheSameInBothDirections()
    {
        var toeplitz = new Toeplitz(Toeplitz.SymmetricKey);
        foreach ((string source, string destination) in new[] { ("66.9.149.187", "161.142.100.80"), ("2001:db8::1", "fe80::7") })
        {
            FlowKey key = FlowKey.Create(IpAddress.Parse(source), 2794, IpAddress.Parse(destination), 1766, 6);
            FlowKey back = FlowKey.Create(key.Destination, key.DestinationPort, key.Source, key.SourcePort, 6);
            Assert.Equal(toeplitz.Of(in key, withPorts: true), toeplitz.Of(in back, withPorts: true));
            Assert.NotEqual(new Toeplitz(Toeplitz.MicrosoftKey).Of(in key, true), new Toeplitz(Toeplitz.MicrosoftKey).Of(in back, true));
        }
    }

    [Fact]
    public void KeyOrInput_OutOfLength_Throws()
    {
        Assert.Throws<ArgumentException>(() => new Toeplitz(new byte[7]));
        Assert.Throws<ArgumentException>(() => new Toeplitz(new byte[40]).Hash(new byte[37]));
    }

    private static uint Definition(byte[] key, byte[] input)
    {
        uint hash = 0;
        for (int bit = 0; bit < input.Length * 8; bit++)
        {
            for (int place = 0; place < 32 && (input[bit / 8] & (0x80 >> (bit % 8))) != 0; place++)
            {
                int of = bit + place;
                hash ^= (key[of / 8] & (0x80 >> (of % 8))) == 0 ? 0 : 0x8000_0000 >> place;
            }
        }

        return hash;
    }
}
