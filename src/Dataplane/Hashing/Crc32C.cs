using System.Buffers.Binary;
using System.Numerics;
using Dataplane.Packets;

namespace Dataplane.Hashing;

/// <summary>CRC-32C (Castagnoli; RFC 3720, 12.1), one instruction for eight bytes.</summary>
/// <remarks>Good for spreading flows that nobody chose with intent: it is linear, so keys that collide do so under every seed.</remarks>
internal static class Crc32C
{
    /// <summary>The checksum of bytes, with the inversions of RFC 3720.</summary>
    public static uint Checksum(ReadOnlySpan<byte> bytes) => ~Append(uint.MaxValue, bytes);

    /// <summary>Adds bytes to a remainder, without inversions: DPDK's <c>rte_hash_crc</c>.</summary>
    public static uint Append(uint remainder, ReadOnlySpan<byte> bytes)
    {
        for (; bytes.Length >= 8; bytes = bytes[8..])
        {
            remainder = BitOperations.Crc32C(remainder, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        }

        foreach (byte value in bytes)
        {
            remainder = BitOperations.Crc32C(remainder, value);
        }

        return remainder;
    }

    /// <summary>The hash of a flow: two chains side by side, since one instruction takes three cycles and one can start in each.</summary>
    public static uint OfFlow(in FlowKey key, uint seed)
    {
        uint first = BitOperations.Crc32C(seed, key.SourceLow), second = BitOperations.Crc32C(~seed, key.DestinationLow);
        if (key.Family == 6)
        {
            first = BitOperations.Crc32C(first, key.SourceHigh);
            second = BitOperations.Crc32C(second, key.DestinationHigh);
        }

        return BitOperations.Crc32C(first, key.Transport ^ ((ulong)second << 32 | second));
    }
}
