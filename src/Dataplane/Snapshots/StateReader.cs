using System.Buffers.Binary;
using System.Text;
using Dataplane.Balancing;
using Dataplane.Hashing;
using Dataplane.Packets;
using Dataplane.Telemetry;

namespace Dataplane.Snapshots;

/// <summary>Reads a state: looks at all of it before any of it is used, and throws for none.</summary>
internal sealed class StateReader
{
    /// <summary>What is written of a slot, its name excepted.</summary>
    public const int IdentityBytes = 48;

    private readonly ReadOnlyMemory<byte> _bytes;
    private int _at;
    private int _left;

    private StateReader(ReadOnlyMemory<byte> bytes) => _bytes = bytes;

    /// <summary>When it was written.</summary>
    public DateTimeOffset WrittenAt { get; private set; }

    /// <summary>What the slots were, by the numbers that they had.</summary>
    public Dictionary<int, BackendSlots.Identity> Slots { get; } = [];

    /// <summary>Looks at a state.</summary>
    /// <param name="bytes">All of it.</param>
    /// <param name="reader">Stands before the first flow.</param>
    /// <returns>Why it is not for use.</returns>
    public static StateRefusal Open(ReadOnlyMemory<byte> bytes, out StateReader reader)
    {
        reader = new StateReader(bytes);
        ReadOnlySpan<byte> span = bytes.Span;
        int known = Math.Min(span.Length, StateWriter.Magic.Length);
        if (known == 0 || !span[..known].SequenceEqual(StateWriter.Magic[..known]))
        {
            return StateRefusal.NotAState;
        }

        if (span.Length < StateWriter.HeadBytes + sizeof(int) + StateWriter.TailBytes)
        {
            return StateRefusal.Truncated;
        }

        if (BinaryPrimitives.ReadUInt32LittleEndian(span[8..]) != StateWriter.Version || BinaryPrimitives.ReadInt32LittleEndian(span[12..]) != SavedFlow.Bytes)
        {
            return StateRefusal.OtherVersion;
        }

        StateRefusal refusal = reader.Walk(span, out int end);
        return refusal != StateRefusal.None ? refusal
            : Crc32C.Checksum(span[..(end - sizeof(uint))]) != BinaryPrimitives.ReadUInt32LittleEndian(span[(end - sizeof(uint))..end]) ? StateRefusal.Damaged
            : reader.Check(span);
    }

    /// <summary>Reads the next flow.</summary>
    public bool TryRead(out SavedFlow flow)
    {
        flow = default;
        ReadOnlySpan<byte> span = _bytes.Span;
        if (_left == 0)
        {
            _left = BinaryPrimitives.ReadInt32LittleEndian(span[_at..]);
            _at += sizeof(int);
        }

        if (_left == 0)
        {
            _at -= sizeof(int);
            return false;
        }

        SavedFlow.TryRead(span.Slice(_at, SavedFlow.Bytes), out flow);
        _at += SavedFlow.Bytes;
        _left--;
        return true;
    }

    /// <summary>Finds out where everything is, without believing any of it.</summary>
    private StateRefusal Walk(ReadOnlySpan<byte> span, out int end)
    {
        long at = StateWriter.HeadBytes, flows = 0;
        end = 0;
        int slots = BinaryPrimitives.ReadInt32LittleEndian(span[24..]);
        for (int i = 0; i < slots; i++)
        {
            if (at + IdentityBytes > span.Length)
            {
                return StateRefusal.Truncated;
            }

            at += IdentityBytes + BinaryPrimitives.ReadUInt16LittleEndian(span[(int)(at + 43)..]);
        }

        _at = (int)Math.Min(at, span.Length);
        while (true)
        {
            if (at + sizeof(int) > span.Length)
            {
                return StateRefusal.Truncated;
            }

            int count = BinaryPrimitives.ReadInt32LittleEndian(span[(int)at..]);
            at += sizeof(int);
            if (count < 0)
            {
                return StateRefusal.Damaged;
            }

            if (count == 0)
            {
                break;
            }

            flows += count;
            at += (long)count * SavedFlow.Bytes;
        }

        if (at + StateWriter.TailBytes > span.Length)
        {
            return StateRefusal.Truncated;
        }

        end = (int)at + StateWriter.TailBytes;
        return end != span.Length || BinaryPrimitives.ReadInt64LittleEndian(span[(int)at..]) != flows ? StateRefusal.Damaged : StateRefusal.None;
    }

    /// <summary>The checksum is right: whether it also makes sense.</summary>
    private StateRefusal Check(ReadOnlySpan<byte> span)
    {
        long written = BinaryPrimitives.ReadInt64LittleEndian(span[16..]);
        if (written < 0 || written > DateTimeOffset.MaxValue.ToUnixTimeMilliseconds())
        {
            return StateRefusal.Malformed;
        }

        WrittenAt = DateTimeOffset.FromUnixTimeMilliseconds(written);
        int at = StateWriter.HeadBytes;
        for (int slots = BinaryPrimitives.ReadInt32LittleEndian(span[24..]); slots > 0; slots--)
        {
            ReadOnlySpan<byte> bytes = span[at..];
            int name = BinaryPrimitives.ReadUInt16LittleEndian(bytes[43..]);
            var identity = new BackendSlots.Identity(ReadAddress(bytes[4..]), BinaryPrimitives.ReadUInt16LittleEndian(bytes[21..]), bytes[23], ReadAddress(bytes[24..]),
                BinaryPrimitives.ReadUInt16LittleEndian(bytes[41..]), Encoding.UTF8.GetString(bytes.Slice(IdentityBytes, name)),
                bytes[45], BinaryPrimitives.ReadUInt16LittleEndian(bytes[46..]));
            if (!Slots.TryAdd(BinaryPrimitives.ReadInt32LittleEndian(bytes), identity))
            {
                return StateRefusal.Malformed;
            }

            at += IdentityBytes + name;
        }

        int first = _at;
        while (TryRead(out SavedFlow _))
        {
            if (!SavedFlow.TryRead(span.Slice(_at - SavedFlow.Bytes, SavedFlow.Bytes), out SavedFlow flow) || !Slots.ContainsKey(flow.Slot))
            {
                return StateRefusal.Malformed;
            }
        }

        (_at, _left) = (first, 0);
        return StateRefusal.None;
    }

    private static IpAddress ReadAddress(ReadOnlySpan<byte> bytes)
    {
        ulong high = BinaryPrimitives.ReadUInt64LittleEndian(bytes[1..]), low = BinaryPrimitives.ReadUInt64LittleEndian(bytes[9..]);
        return bytes[0] switch { 4 => IpAddress.FromV4((uint)low), 6 => IpAddress.FromV6(high, low), _ => default };
    }
}
