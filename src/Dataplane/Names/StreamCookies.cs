using System.Buffers.Binary;
using System.Security.Cryptography;
using Dataplane.Hashing;
using Dataplane.Packets;

namespace Dataplane.Names;

/// <summary>Sequence numbers of SYN-ACKs that hold everything a server must know of a connection until data comes (RFC 4987 3.6).</summary>
/// <remarks>
/// Five bits of the time in units of 64 seconds, three of the largest segment, and 24 bits of a keyed hash of both with addresses, ports and the client's own number.
/// So connections that only begin cost no memory, and nobody can speak in the name of an address at which he does not receive.
/// </remarks>
internal sealed class StreamCookies
{
    private const int PeriodShift = 36; // 2^36 ns are 69 s.

    private static readonly ushort[] s_segmentBytes = [216, 536, 1024, 1220, 1360, 1400, 1440, 1460];

    private readonly SipHash24 _hash;

    public StreamCookies()
    {
        Span<byte> key = stackalloc byte[16];
        RandomNumberGenerator.Fill(key);
        _hash = new SipHash24(key);
    }

    /// <summary>The number to begin with.</summary>
    /// <param name="key">The client's flow.</param>
    /// <param name="clientStart">The client's own first number.</param>
    /// <param name="segmentBytes">The largest segment that the client takes.</param>
    /// <param name="nowNs">The worker's time.</param>
    public uint Make(in FlowKey key, uint clientStart, int segmentBytes, long nowNs)
    {
        int index = s_segmentBytes.Length - 1;
        while (index > 0 && s_segmentBytes[index] > segmentBytes)
        {
            index--;
        }

        return Of(in key, clientStart, ((uint)(nowNs >> PeriodShift) << 3) | (uint)index);
    }

    /// <summary>The largest segment that a number tells of; 0 when it was never given out, or too long ago.</summary>
    public int Read(in FlowKey key, uint clientStart, uint cookie, long nowNs)
    {
        for (int back = 0; back <= 1; back++)
        {
            uint head = ((uint)((nowNs >> PeriodShift) - back) << 3) | ((cookie >> 24) & 7);
            if (Of(in key, clientStart, head) == cookie)
            {
                return s_segmentBytes[(cookie >> 24) & 7];
            }
        }

        return 0;
    }

    private uint Of(in FlowKey key, uint clientStart, uint head)
    {
        Span<byte> bytes = stackalloc byte[48];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, key.SourceHigh);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[8..], key.SourceLow);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[16..], key.DestinationHigh);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[24..], key.DestinationLow);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[32..], key.Transport);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[40..], clientStart);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[44..], head);
        return (head << 24) | (uint)(_hash.Hash(bytes) >> 40);
    }
}
