using System.Numerics;
using Dataplane.Hashing;
using Dataplane.Packets;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Hashing;

public class Crc32CTests
{
    /// <summary>RFC 3720, appendix B.4, and the check value of the Rocksoft catalogue.</summary>
    [Fact]
    public void Checksum_PublishedVectors_AreMet()
    {
        byte[] rising = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];
        Assert.Equal(0x8A9136AAU, Crc32C.Checksum(new byte[32]));
        Assert.Equal(0x62A8AB43U, Crc32C.Checksum([.. Enumerable.Repeat((byte)0xFF, 32)]));
        Assert.Equal(0x46DD794EU, Crc32C.Checksum(rising));
        Assert.Equal(0x113FDB5CU, Crc32C.Checksum([.. rising.Reverse()]));
        Assert.Equal(0xE3069283U, Crc32C.Checksum("123456789"u8));
        Assert.Equal(0U, Crc32C.Checksum([]));
    }

    /// <summary>DPDK's table for rte_hash_crc, app/test/test_hash_functions.c.</summary>
    [Theory]
    [InlineData(0, new uint[]
    {
        0x00000000, 0xF26B8303, 0x91545164, 0x06040EB1, 0x9BB99201, 0xCC4C4FE4,
        0x14A90993, 0xF8A5DD8C, 0xCAA1AD0B, 0x7AC1E03E, 0x43F44466, 0x4A11475E,
    })]
    [InlineData(0xDEADBEEF, new uint[]
    {
        0xBDFD3980, 0x70204542, 0x98CD4C70, 0xD52C702F, 0x41FC0E1C, 0x3905F65C,
        0x94BFF47F, 0x1BAB102D, 0xF4A2C645, 0xBF441539, 0x789C104F, 0x53028D3E,
    })]
    public void Append_DpdkVectors_AreMet(uint seed, uint[] expected)
    {
        int[] lengths = [1, 2, 4, 8, 16, 32, 48, 64, 9, 13, 37, 40];
        Assert.Equal(expected, lengths.Select(length => Crc32C.Append(seed, [.. Enumerable.Range(0, length).Select(i => (byte)i)])));
    }

    /// <summary>A polynomial division bit by bit, which knows no instruction and no order of bytes.</summary>
    [Fact]
    public void Append_AnyBytes_IsTheRemainderBitByBit() => Prop.ForAll<byte[], uint>((bytes, seed) =>
    {
        uint remainder = seed;
        foreach (byte value in bytes)
        {
            remainder ^= value;
            for (int bit = 0; bit < 8; bit++)
            {
                remainder = (remainder >> 1) ^ ((remainder & 1) * 0x82F6_3B78);
            }
        }

        return Crc32C.Append(seed, bytes) == remainder;
    }).QuickCheckThrowOnFailure();

    /// <summary>Every field counts, and flows that differ in few bits spread over all of the hash.</summary>
    [Theory]
    [InlineData("10.0.0.1", "192.0.2.7")]
    [InlineData("2001:db8::1", "2001:db8:0:1::7")]
    public void OfFlow_OneBitDifferent_ChangesTheHash(string source, string destination)
    {
        FlowKey key = FlowKey.Create(IpAddress.Parse(source), 1000, IpAddress.Parse(destination), 443, 6);
        uint hash = Crc32C.OfFlow(in key, 7);
        int differences = 0, flips = 0;
        for (int bit = 0; bit < 64; bit++)
        {
            FlowKey[] neighbours = [key, key, key, key, key];
            neighbours[0].SourceLow ^= 1UL << bit;
            neighbours[1].DestinationLow ^= 1UL << bit;
            neighbours[2].Transport ^= (1UL << bit) & ~255UL;
            neighbours[3].SourceHigh ^= key.Family == 6 ? 1UL << bit : 0;
            neighbours[4].DestinationHigh ^= key.Family == 6 ? 1UL << bit : 0;
            foreach (FlowKey neighbour in neighbours.Where(neighbour => !neighbour.Equals(key)))
            {
                uint difference = Crc32C.OfFlow(in neighbour, 7) ^ hash;
                Assert.NotEqual(0U, difference);
                differences++;
                flips += BitOperations.PopCount(difference);
            }
        }

        Assert.InRange((double)flips / differences, 12, 20);
    }
}
