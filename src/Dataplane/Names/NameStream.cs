using System.Buffers.Binary;
using Dataplane.Packets;

namespace Dataplane.Names;

/// <summary>One connection of a client to a name server: what it has said, and what it has not yet acknowledged. One thread.</summary>
/// <remarks>Sequence numbers wrap: only their differences are looked at (RFC 9293 3.4).</remarks>
internal sealed class NameStream
{
    /// <summary>What a client may say before it is answered; also the window that it is told.</summary>
    public const int ReceivedBytes = 1024 + LengthBytes;

    /// <summary>Length before each message (RFC 1035 4.2.2).</summary>
    public const int LengthBytes = 2;

    private const int MaxMessageBytes = ushort.MaxValue;

    private readonly byte[] _received = new byte[ReceivedBytes];
    private byte[] _response = [];
    private int _receivedLength;
    private int _from;
    private uint _sentMost;
    private uint _endNumber;

    /// <summary>Whether it is one now.</summary>
    public bool IsUsed { get; private set; }

    /// <summary>The client's flow, from the client to the server.</summary>
    public FlowKey Key { get; private set; }

    /// <summary>Where its packets come from.</summary>
    public ushort Port { get; private set; }

    public ushort Vlan { get; private set; }

    /// <summary>Tells it from others before and after it in the same place.</summary>
    public uint Serial { get; private set; }

    /// <summary>The largest segment that the client takes.</summary>
    public int SegmentBytes { get; private set; }

    /// <summary>The next number expected from the client.</summary>
    public uint ReceiveNext { get; private set; }

    /// <summary>The first number that the client has not acknowledged.</summary>
    public uint SendBase { get; private set; }

    /// <summary>The next number to send.</summary>
    public uint SendNext { get; private set; }

    /// <summary>What the client has room for.</summary>
    public uint PeerWindow { get; set; }

    /// <summary>How much may be on its way.</summary>
    public uint CongestionWindow { get; private set; }

    /// <summary>Whether the client has said all it has to say.</summary>
    public bool HasPeerEnded { get; private set; }

    /// <summary>Whether others are being asked for the answer.</summary>
    public bool IsWaiting { get; set; }

    /// <summary>Whether the server has said all it will.</summary>
    public bool IsEnding { get; private set; }

    /// <summary>When something must be done about it, in nanoseconds.</summary>
    public long TimerNs { get; set; }

    /// <summary>When the query that is being answered was begun with, in nanoseconds; means something while there is output, or others are being asked.</summary>
    public long BusySinceNs { get; set; }

    /// <summary>How often in a row what is on its way was sent in vain.</summary>
    public int Tries { get; set; }

    /// <summary>What of the response is not acknowledged.</summary>
    public ReadOnlySpan<byte> Response => _response.AsSpan(_from, ResponseBytes);

    public int ResponseBytes { get; private set; }

    /// <summary>Whether something is to be sent or acknowledged.</summary>
    public bool HasOutput => ResponseBytes > 0 || IsEnding;

    /// <summary>Room for more from the client.</summary>
    public ushort Window => (ushort)(ReceivedBytes - _receivedLength);

    /// <summary>How much is on its way, the end counting as one.</summary>
    public uint InFlight => SendNext - SendBase;

    /// <summary>Begins.</summary>
    public void Begin(in FlowKey key, ushort port, ushort vlan, uint serial, int segmentBytes, uint receiveNext, uint sendNext)
    {
        (Key, Port, Vlan, Serial, SegmentBytes, ReceiveNext) = (key, port, vlan, serial, segmentBytes, receiveNext);
        (SendBase, SendNext, _sentMost) = (sendNext, sendNext, sendNext);
        (IsUsed, HasPeerEnded, IsWaiting, IsEnding) = (true, false, false, false);
        (_receivedLength, _from, ResponseBytes, Tries) = (0, 0, 0, 0);
        CongestionWindow = (uint)(10 * segmentBytes); // RFC 6928.
        if (_response.Length == 0)
        {
            _response = new byte[LengthBytes + MaxMessageBytes];
        }
    }

    public void Free() => IsUsed = false;

    /// <summary>Takes in what a segment brings, as far as it is next and there is room.</summary>
    public void Take(uint sequence, ReadOnlySpan<byte> data, bool isLast)
    {
        int offset = (int)(sequence - ReceiveNext), known = -offset;
        if (offset > 0 || known > data.Length || HasPeerEnded)
        {
            return;
        }

        data = data[known..];
        int taken = Math.Min(data.Length, ReceivedBytes - _receivedLength);
        data[..taken].CopyTo(_received.AsSpan(_receivedLength));
        _receivedLength += taken;
        ReceiveNext += (uint)taken;
        if (isLast && taken == data.Length)
        {
            HasPeerEnded = true;
            ReceiveNext++;
        }
    }

    /// <summary>Hears what the client has received.</summary>
    /// <returns>False when the client acknowledges what was never sent.</returns>
    public bool Acknowledge(uint number)
    {
        uint acknowledged = number - SendBase;
        if (acknowledged > _sentMost - SendBase)
        {
            // An old one comes late; one from the future does not come from a client.
            return acknowledged > int.MaxValue;
        }

        if (acknowledged == 0)
        {
            return true;
        }

        int data = (int)Math.Min(acknowledged, (uint)ResponseBytes);
        (_from, ResponseBytes) = (_from + data, ResponseBytes - data);
        SendBase = number;
        SendNext = (int)(SendNext - SendBase) < 0 ? SendBase : SendNext;
        CongestionWindow = Math.Min(CongestionWindow + Math.Min(acknowledged, (uint)SegmentBytes), ushort.MaxValue);
        Tries = 0;
        return true;
    }

    /// <summary>Whether the client has acknowledged the server's end, which is the last of all.</summary>
    public bool IsDone => IsEnding && ResponseBytes == 0 && SendBase == _endNumber;

    /// <summary>The next query that is whole; empty when there is none. Stays until <see cref="Drop"/>.</summary>
    /// <param name="isGood">False when what the client says is no query.</param>
    public ReadOnlySpan<byte> Query(out bool isGood)
    {
        isGood = true;
        if (_receivedLength < LengthBytes)
        {
            return default;
        }

        int length = BinaryPrimitives.ReadUInt16BigEndian(_received);
        isGood = length is >= DnsWire.HeaderBytes and <= ReceivedBytes - LengthBytes;
        return isGood && _receivedLength >= LengthBytes + length ? _received.AsSpan(LengthBytes, length) : default;
    }

    /// <summary>Forgets the query in front.</summary>
    public void Drop(int queryBytes)
    {
        int whole = LengthBytes + queryBytes;
        _received.AsSpan(whole, _receivedLength - whole).CopyTo(_received);
        _receivedLength -= whole;
    }

    /// <summary>Where a response is to be written.</summary>
    public Span<byte> ResponseBuffer => _response.AsSpan(LengthBytes);

    /// <summary>Begins to send the response that has been written.</summary>
    public void Respond(int bytes)
    {
        BinaryPrimitives.WriteUInt16BigEndian(_response, (ushort)bytes);
        (_from, ResponseBytes) = (0, LengthBytes + bytes);
    }

    /// <summary>Ends the server's side behind what is to be sent.</summary>
    public void End()
    {
        IsEnding = true;
        _endNumber = SendBase + (uint)ResponseBytes + 1;
    }

    /// <summary>Something has been sent.</summary>
    public void Sent(uint numbers)
    {
        SendNext += numbers;
        _sentMost = (int)(SendNext - _sentMost) > 0 ? SendNext : _sentMost;
    }

    /// <summary>What is on its way is taken for lost: all of it is sent again, slowly at first (RFC 5681 3.1).</summary>
    public void Lose()
    {
        SendNext = SendBase;
        CongestionWindow = (uint)SegmentBytes;
        Tries++;
    }
}
