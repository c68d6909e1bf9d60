using System.Buffers;
using System.Buffers.Binary;

namespace Dataplane.Ports;

/// <summary>
/// Takes frames out of a byte stream in which a length of 32 bits, big-endian, stands before each: the framing of QEMU's <c>-netdev stream</c> and of passt.
/// </summary>
/// <remarks>A frame that is too long for the port is passed over and counted. A length that no sender of frames writes means that the stream is not one of
/// frames, or that we have lost our place in it: nothing behind it can be trusted.</remarks>
internal sealed class StreamDecoder(FrameRing ring, int maxFrameBytes)
{
    /// <summary>Bytes of the length before each frame.</summary>
    internal const int PrefixBytes = 4;

    /// <summary>The longest frame that QEMU sends or takes (NET_BUFSIZE in include/net/net.h); what is longer is no length.</summary>
    internal const int MaxLength = 4096 + 65_536;

    /// <summary>Slots asked for at a time.</summary>
    private const int SomeSlots = 64;

    private readonly byte[] _straddling = new byte[maxFrameBytes];
    private int _skip;
    private long _oversized;

    /// <summary>Frames passed over because they were too long. Any thread.</summary>
    internal long Oversized => Volatile.Read(ref _oversized);

    /// <summary>Whether the stream may end here: not inside a frame that is passed over.</summary>
    internal bool IsBetweenFrames => _skip == 0;

    /// <summary>Forgets the stream before; a new one begins.</summary>
    internal void Reset() => _skip = 0;

    /// <summary>Takes whole frames from the front of what was received, and shows them to the worker.</summary>
    /// <param name="buffer">What was received; what remains is the beginning of a frame, or begins with a frame for which the ring has no room.</param>
    /// <param name="isFull">True: the ring has no room for the next frame.</param>
    /// <returns>Why the stream cannot be read on, or <see cref="StreamReason.None"/>.</returns>
    internal StreamReason Take(ref ReadOnlySequence<byte> buffer, out bool isFull)
    {
        StreamReason reason = StreamReason.None;
        isFull = false;
        bool hasMoved = true;
        while (hasMoved && !buffer.IsEmpty)
        {
            int taken = TakeFromSpan(buffer.FirstSpan, out isFull, ref reason);
            buffer = buffer.Slice(taken);
            if (isFull || reason != StreamReason.None)
                break;
            hasMoved = taken > 0;
            if (!buffer.IsSingleSegment)
                hasMoved |= TakeStraddling(ref buffer, out isFull, ref reason);
        }

        ring.Publish();
        return reason;
    }

    /// <summary>Takes the frames that lie in one piece.</summary>
    /// <returns>Bytes that are done with.</returns>
    private int TakeFromSpan(ReadOnlySpan<byte> span, out bool isFull, ref StreamReason reason)
    {
        int at = Skip(span.Length), slots = 0;
        isFull = false;
        while (span.Length - at >= PrefixBytes)
        {
            uint length = BinaryPrimitives.ReadUInt32BigEndian(span[at..]);
            if (length - 1 >= (uint)maxFrameBytes)
            {
                if (!TryPassOver(length, ref reason))
                    break;
                at += PrefixBytes;
                at += Skip(span.Length - at);
                continue;
            }

            if ((uint)(span.Length - at - PrefixBytes) < length)
                break;
            if (slots == 0 && (slots = ring.Reserve(SomeSlots)) == 0)
            {
                isFull = true;
                break;
            }

            ring.Write(span.Slice(at + PrefixBytes, (int)length));
            slots--;
            at += PrefixBytes + (int)length;
        }

        return at;
    }

    /// <summary>Takes the one frame that lies in more than one piece.</summary>
    /// <returns>False when it is not complete, or there is no room for it.</returns>
    private bool TakeStraddling(ref ReadOnlySequence<byte> buffer, out bool isFull, ref StreamReason reason)
    {
        isFull = false;
        if (_skip > 0)
        {
            buffer = buffer.Slice(Skip((int)Math.Min(_skip, buffer.Length)));
            return buffer.Length > 0;
        }

        Span<byte> prefix = stackalloc byte[PrefixBytes];
        if (buffer.Length < PrefixBytes)
            return false;
        buffer.Slice(0, PrefixBytes).CopyTo(prefix);
        uint length = BinaryPrimitives.ReadUInt32BigEndian(prefix);
        if (length - 1 >= (uint)maxFrameBytes)
        {
            if (!TryPassOver(length, ref reason))
                return false;
            buffer = buffer.Slice(PrefixBytes);
            return true;
        }

        if (buffer.Length - PrefixBytes < length)
            return false;
        isFull = ring.Reserve(1) == 0;
        if (isFull)
            return false;
        Span<byte> frame = _straddling.AsSpan(0, (int)length);
        buffer.Slice(PrefixBytes, length).CopyTo(frame);
        ring.Write(frame);
        buffer = buffer.Slice(PrefixBytes + length);
        return true;
    }

    /// <summary>Passes over a frame that is too long.</summary>
    /// <returns>False when the number is no length at all.</returns>
    private bool TryPassOver(uint length, ref StreamReason reason)
    {
        if (length is 0 or > MaxLength)
        {
            reason = length == 0 ? StreamReason.FrameEmpty : StreamReason.FrameLength;
            return false;
        }

        _skip = (int)length;
        Volatile.Write(ref _oversized, _oversized + 1);
        return true;
    }

    private int Skip(int available)
    {
        int count = Math.Min(_skip, available);
        _skip -= count;
        return count;
    }
}
