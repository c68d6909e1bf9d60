using System.Buffers.Binary;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Dataplane.Packets;

namespace Dataplane.Hashing;

/// <summary>The Toeplitz hash by which network cards spread packets over queues (Microsoft, "RSS Hashing Types"); the same number as the card's.</summary>
/// <remarks>
/// Every bit of the input that is 1 adds the 32 bits of the key that begin at its place. That is a carry-less product: with the key's
/// bits in reverse, one multiplication serves 32 bits of input, and the sum of the products is the hash in reverse. Without the
/// instruction a table of 256 sums for each byte of input serves, 1 KB for each.
/// </remarks>
internal sealed class Toeplitz
{
    /// <summary>The bits of the input that one multiplication serves.</summary>
    private const int WordBits = 32;

    private readonly ulong[] _windows;
    private readonly uint[] _sums;

    /// <summary>Takes the key.</summary>
    /// <param name="key">At least 8 bytes; 40 are enough for both families with ports.</param>
    /// <exception cref="ArgumentException">The key is shorter.</exception>
    public Toeplitz(ReadOnlySpan<byte> key)
    {
        if (key.Length < 8)
        {
            throw new ArgumentException(
                $"A Toeplitz key of {key.Length} bytes is too short: it needs 4 bytes more than what is hashed, and at least 8.", nameof(key));
        }

        MaxInputBytes = key.Length - 4;
        _windows = new ulong[(MaxInputBytes + 3) / 4];
        Span<byte> padded = stackalloc byte[8];
        for (int word = 0; word < _windows.Length; word++)
        {
            padded.Clear();
            ReadOnlySpan<byte> rest = key[(word * 4)..];
            rest[..Math.Min(8, rest.Length)].CopyTo(padded);

            // The 63 bits that 32 bits of input can meet, in reverse.
            _windows[word] = Reverse(BinaryPrimitives.ReadUInt64BigEndian(padded)) & (ulong.MaxValue >> 1);
        }

        _sums = new uint[MaxInputBytes * 256];
        for (int at = 0; at < MaxInputBytes; at++)
        {
            ulong window = (ulong)BinaryPrimitives.ReadUInt32BigEndian(key[at..]) << 8 | (at + 4 < key.Length ? key[at + 4] : 0u);
            for (int value = 0; value < 256; value++)
            {
                for (int bit = 0; bit < 8; bit++)
                {
                    _sums[(at * 256) + value] ^= (value & (0x80 >> bit)) == 0 ? 0 : (uint)(window >> (8 - bit));
                }
            }
        }
    }

    /// <summary>The key of Microsoft's verification suite, and the default of many cards.</summary>
    public static ReadOnlySpan<byte> MicrosoftKey =>
    [
        0x6D, 0x5A, 0x56, 0xDA, 0x25, 0x5B, 0x0E, 0xC2, 0x41, 0x67, 0x25, 0x3D, 0x43, 0xA3, 0x8F, 0xB0, 0xD0, 0xCA, 0x2B, 0xCB,
        0xAE, 0x7B, 0x30, 0xB4, 0x77, 0xCB, 0x2D, 0xA3, 0x80, 0x30, 0xF2, 0x0C, 0x6A, 0x42, 0xB7, 0x3B, 0xBE, 0xAC, 0x01, 0xFA,
    ];

    /// <summary>A key that repeats every 16 bits, so that both directions of a flow have one hash (Woo and Park, KAIST 2012).</summary>
    public static ReadOnlySpan<byte> SymmetricKey =>
    [
        0x6D, 0x5A, 0x6D, 0x5A, 0x6D, 0x5A, 0x6D, 0x5A, 0x6D, 0x5A, 0x6D, 0x5A, 0x6D, 0x5A, 0x6D, 0x5A, 0x6D, 0x5A, 0x6D, 0x5A,
        0x6D, 0x5A, 0x6D, 0x5A, 0x6D, 0x5A, 0x6D, 0x5A, 0x6D, 0x5A, 0x6D, 0x5A, 0x6D, 0x5A, 0x6D, 0x5A, 0x6D, 0x5A, 0x6D, 0x5A,
    ];

    /// <summary>How many bytes the key is enough for.</summary>
    public int MaxInputBytes { get; }

    /// <summary>Hashes bytes in the order of the wire.</summary>
    /// <exception cref="ArgumentException">More bytes than the key is enough for.</exception>
    public uint Hash(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > MaxInputBytes)
        {
            throw new ArgumentException($"{bytes.Length} bytes are more than the {MaxInputBytes} this Toeplitz key is enough for.", nameof(bytes));
        }

        return Pclmulqdq.IsSupported ? HashByProduct(bytes) : HashByTable(bytes);
    }

    /// <summary>Hashes a flow as a card does: source, destination and, if it is to, both ports.</summary>
    /// <param name="key">The flow as the packet has it.</param>
    /// <param name="withPorts">Whether the card takes the ports for this protocol, as for TCP by default.</param>
    /// <exception cref="ArgumentException">The Toeplitz key is too short for the family.</exception>
    public uint Of(in FlowKey key, bool withPorts)
    {
        Span<byte> bytes = stackalloc byte[36];
        int length;
        if (key.Family == 6)
        {
            BinaryPrimitives.WriteUInt64BigEndian(bytes, key.SourceHigh);
            BinaryPrimitives.WriteUInt64BigEndian(bytes[8..], key.SourceLow);
            BinaryPrimitives.WriteUInt64BigEndian(bytes[16..], key.DestinationHigh);
            BinaryPrimitives.WriteUInt64BigEndian(bytes[24..], key.DestinationLow);
            length = 32;
        }
        else
        {
            BinaryPrimitives.WriteUInt32BigEndian(bytes, (uint)key.SourceLow);
            BinaryPrimitives.WriteUInt32BigEndian(bytes[4..], (uint)key.DestinationLow);
            length = 8;
        }

        BinaryPrimitives.WriteUInt32BigEndian(bytes[length..], (uint)(key.Transport >> 32));
        return Hash(bytes[..(withPorts ? length + 4 : length)]);
    }

    /// <summary>The hash by one look-up for each byte.</summary>
    internal uint HashByTable(ReadOnlySpan<byte> bytes)
    {
        ReadOnlySpan<uint> sums = _sums;
        uint hash = 0;
        for (int at = 0; at < bytes.Length; at++)
        {
            hash ^= sums[(at * 256) + bytes[at]];
        }

        return hash;
    }

    /// <summary>The hash by one carry-less multiplication for four bytes; only where <see cref="Pclmulqdq"/> is supported.</summary>
    internal uint HashByProduct(ReadOnlySpan<byte> bytes)
    {
        Vector128<ulong> sum = default;
        int word = 0;
        for (; bytes.Length >= 4; bytes = bytes[4..])
        {
            sum ^= Product(BinaryPrimitives.ReadUInt32BigEndian(bytes), _windows[word++]);
        }

        if (!bytes.IsEmpty)
        {
            Span<byte> tail = stackalloc byte[4];
            tail.Clear();
            bytes.CopyTo(tail);
            sum ^= Product(BinaryPrimitives.ReadUInt32BigEndian(tail), _windows[word]);
        }

        // Bit i of the input met the window moved left by 31 - i places, of which 32 bits from the 31st on are the hash, last bit first.
        return (uint)(Reverse((sum.ToScalar() >> (WordBits - 1)) | (sum.GetElement(1) << (65 - WordBits))) >> 32);
    }

    private static Vector128<ulong> Product(uint input, ulong window) =>
        Pclmulqdq.CarrylessMultiply(Vector128.CreateScalar((ulong)input), Vector128.CreateScalar(window), 0);

    private static ulong Reverse(ulong value)
    {
        value = BinaryPrimitives.ReverseEndianness(value);
        value = ((value >> 4) & 0x0F0F_0F0F_0F0F_0F0F) | ((value & 0x0F0F_0F0F_0F0F_0F0F) << 4);
        value = ((value >> 2) & 0x3333_3333_3333_3333) | ((value & 0x3333_3333_3333_3333) << 2);
        return ((value >> 1) & 0x5555_5555_5555_5555) | ((value & 0x5555_5555_5555_5555) << 1);
    }
}
