using System.Net;
using Dataplane.Mesh.Relay;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Mesh.Tests.Relay;

/// <summary>The header of the PROXY protocol, against bytes written down by hand from its specification.</summary>
public sealed class ProxyHeaderTests
{
    private static readonly byte[] s_signature = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A];

    private static readonly byte[] s_ipv4 = [.. s_signature, 0x21, 0x11, 0, 12, 192, 0, 2, 1, 198, 51, 100, 7, 0xC0, 0x00, 0x01, 0xBB];

    [Fact]
    public void Parse_Ipv4_IsRead()
    {
        Assert.Equal(ProxyVerdict.Whole, ProxyHeader.Parse([.. s_ipv4, 1, 2, 3], out ProxyHeader header, out int consumed));
        Assert.Equal(("192.0.2.1:49152", "198.51.100.7:443", 28), ($"{header.Source}", $"{header.Destination}", consumed));
        for (int length = 0; length < s_ipv4.Length; length++)
            Assert.Equal(ProxyVerdict.Incomplete, ProxyHeader.Parse(s_ipv4.AsSpan(0, length), out _, out _));
    }

    [Fact]
    public void Parse_Ipv6WithValues_IsRead()
    {
        byte[] source = IPAddress.Parse("2001:db8::1").GetAddressBytes(), destination = IPAddress.Parse("2001:db8::2").GetAddressBytes();
        byte[] header = [.. s_signature, 0x21, 0x21, 0, 36 + 3 + 3 + 5, .. source, .. destination, 0, 80, 1, 0xBB,
            0x04, 0, 0,
            0x02, 0, 5, (byte)'a', (byte)'.', (byte)'t', (byte)'l', (byte)'d'];
        Assert.Equal(ProxyVerdict.Whole, ProxyHeader.Parse(header, out ProxyHeader read, out _));
        Assert.Equal(("[2001:db8::1]:80", "[2001:db8::2]:443", "a.tld"), ($"{read.Source}", $"{read.Destination}", read.Authority));
    }

    [Fact]
    public void Parse_Local_SaysNothingOfTheClient()
    {
        byte[] header = [.. s_signature, 0x20, 0x00, 0, 0];
        Assert.Equal(ProxyVerdict.Whole, ProxyHeader.Parse(header, out ProxyHeader read, out int consumed));
        Assert.Equal((null, 16), (read.Source, consumed));
        byte[] withAddresses = [.. s_ipv4];
        withAddresses[12] = 0x20;
        Assert.Equal(ProxyVerdict.Whole, ProxyHeader.Parse(withAddresses, out read, out _));
        Assert.Null(read.Source);
    }

    [Theory]
    [InlineData(0, 0x0E)]
    [InlineData(12, 0x11)]
    [InlineData(12, 0x22)]
    [InlineData(13, 0x41)]
    [InlineData(13, 0x13)]
    [InlineData(13, 0x21)]
    [InlineData(14, 0xFF)]
    [InlineData(15, 11)]
    public void Parse_OneWrongByte_IsInvalid(int at, byte value)
    {
        byte[] bytes = [.. s_ipv4];
        bytes[at] = value;
        Assert.Equal(ProxyVerdict.Invalid, ProxyHeader.Parse(bytes, out ProxyHeader header, out _));
        Assert.Null(header.Source);
    }

    [Fact]
    public void Parse_Checksum_IsHeldTo()
    {
        byte[] bytes = [.. s_ipv4, 0x03, 0, 4, 0, 0, 0, 0];
        bytes[15] = 12 + 7;
        uint right = SlowCrc32C(bytes);
        bytes[^4] = (byte)(right >> 24);
        bytes[^3] = (byte)(right >> 16);
        bytes[^2] = (byte)(right >> 8);
        bytes[^1] = (byte)right;
        Assert.Equal(ProxyVerdict.Whole, ProxyHeader.Parse(bytes, out _, out _));
        bytes[16]++;
        Assert.Equal(ProxyVerdict.Invalid, ProxyHeader.Parse(bytes, out _, out _));
    }

    [Fact]
    public void Write_AnyAddresses_ReadBackTheSame() => Prop.ForAll(ArbMap.Default.ArbFor<(byte[], ushort, ushort, bool)>(), input =>
    {
        (byte[] seed, ushort from, ushort to, bool isIpv6) = input;
        byte[] bytes = new byte[32];
        (seed ?? []).AsSpan(0, Math.Min(32, seed?.Length ?? 0)).CopyTo(bytes);
        int size = isIpv6 ? 16 : 4;
        IPAddress source = new(bytes[..size]), destination = new(bytes[16..(16 + size)]);
        bool isMapped = isIpv6 && source.IsIPv4MappedToIPv6 && destination.IsIPv4MappedToIPv6;
        var header = new ProxyHeader(new IPEndPoint(source, from), new IPEndPoint(destination, to), "web.test", "spiffe://example.org/ns/shop/sa/web");
        ProxyVerdict verdict = ProxyHeader.Parse(header.ToBytes(), out ProxyHeader read, out int consumed);
        return verdict == ProxyVerdict.Whole && consumed == header.ToBytes().Length && (read == header || isMapped);
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(500));

    [Fact]
    public void Parse_AnyBytes_NeverThrows() => Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), tail =>
    {
        foreach (byte[] start in (byte[][])[[], s_signature, [.. s_signature, 0x21, 0x11, 0], s_ipv4[..14], s_ipv4])
            ProxyHeader.Parse([.. start, .. tail ?? []], out _, out _);
        return true;
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(1000));

    /// <summary>Bit by bit, as the polynomial of RFC 3720 has it.</summary>
    private static uint SlowCrc32C(byte[] bytes)
    {
        uint crc = uint.MaxValue;
        foreach (byte value in bytes)
        {
            crc ^= value;
            for (int bit = 0; bit < 8; bit++)
                crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x82F63B78 : crc >> 1;
        }

        return ~crc;
    }
}
