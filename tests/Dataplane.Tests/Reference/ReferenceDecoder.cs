using System.Net;

namespace Dataplane.Tests.Reference;

/// <summary>
/// A second decoder, the oracle of the other tests: slow and simple, one byte at a time, and sharing no code with src. It reads what
/// the RFCs say and nothing of how the engine reads it. When the two differ, one of them is wrong.
/// </summary>
public sealed partial class ReferenceDecoder
{
    private const int MaxTags = 8, MaxExtensionHeaders = 8;

    private readonly ReferencePacket _packet = new();
    private byte[] _bytes;
    private int _at;
    private byte[] _source = [];
    private byte[] _destination = [];

    private ReferenceDecoder(byte[] bytes) => _bytes = bytes;

    /// <summary>Decodes an Ethernet frame without check sequence.</summary>
    public static ReferencePacket Decode(byte[] frame)
    {
        var decoder = new ReferenceDecoder(frame);
        decoder.Ethernet();
        return decoder._packet;
    }

    /// <summary>Decodes a packet that begins with its IP header.</summary>
    public static ReferencePacket DecodeIp(byte[] packet)
    {
        var decoder = new ReferenceDecoder(packet);
        if (packet.Length == 0)
        {
            decoder.Stop("truncated: ip");
        }
        else if (packet[0] / 16 == 6)
        {
            decoder.V6();
        }
        else
        {
            decoder.V4();
        }

        return decoder._packet;
    }

    private void Stop(string problem) => _packet.Problem ??= problem;

    private int Left => _bytes.Length - _at;

    private int Byte(int offset) => _bytes[_at + offset];

    private int Word(int offset) => (Byte(offset) * 256) + Byte(offset + 1);

    private uint Long(int offset) => ((uint)Word(offset) * 65536) + (uint)Word(offset + 2);

    private byte[] Cut(int offset, int length) => _bytes[(_at + offset)..(_at + offset + length)];

    private string Mac(int offset) => string.Join(":", Cut(offset, 6).Select(value => value.ToString("x2")));

    private void Ethernet()
    {
        if (Left < 14)
        {
            Stop("truncated: ethernet");
            return;
        }

        (_packet.DestinationMac, _packet.SourceMac) = (Mac(0), Mac(6));
        _at = 12;
        int type = Word(0);
        while (type is 0x8100 or 0x88A8)
        {
            if (_packet.Tags.Count == MaxTags)
            {
                Stop("malformed: vlan");
                return;
            }

            if (Left < 6)
            {
                Stop("truncated: vlan");
                return;
            }

            int control = Word(2);
            _packet.Tags.Add((type, control / 8192, control / 4096 % 2 == 1, control % 4096));
            _at += 4;
            type = Word(0);
        }

        _at += 2;
        int end = _bytes.Length;
        if (type < 1536)
        {
            end = Math.Min(end, _at + type);
            type = 0x05FF;
            if (end - _at >= 8 && Cut(0, 3).SequenceEqual(new byte[] { 0xAA, 0xAA, 3 }))
            {
                bool plain = Byte(3) == 0 && Byte(4) == 0 && Byte(5) == 0;
                type = plain && Word(6) >= 1536 ? Word(6) : 0x05FF;
                _at += 8;
            }
        }

        _packet.EtherType = type;
        _packet.NetworkOffset = _at;

        // Bytes behind an 802.3 length do not exist for the layers above.
        _bytes = _bytes[..end];
        switch (type)
        {
            case 0x0806:
                ArpPacket();
                break;
            case 0x0800:
                V4();
                break;
            case 0x86DD:
                V6();
                break;
            default:
                break;
        }
    }

    private void ArpPacket()
    {
        if (Left < 28)
        {
            Stop("truncated: arp");
        }
        else if (Word(0) != 1 || Word(2) != 0x0800 || Byte(4) != 6 || Byte(5) != 4)
        {
            Stop("malformed: arp");
        }
        else
        {
            _packet.Arp = new ReferenceArp(Word(6), Mac(8), new IPAddress(Cut(14, 4)).ToString(), Mac(18), new IPAddress(Cut(24, 4)).ToString());
        }
    }

    private void V4()
    {
        _packet.NetworkOffset = _at;
        if (Left < 20)
        {
            Stop("truncated: ipv4");
            return;
        }

        int headerLength = Byte(0) % 16 * 4, totalLength = Word(2);
        if (Byte(0) / 16 != 4 || headerLength < 20 || totalLength < headerLength)
        {
            Stop("malformed: ipv4");
            return;
        }

        if (Left < headerLength)
        {
            Stop("truncated: ipv4");
            return;
        }

        _packet.IpVersion = 4;
        (_source, _destination) = (Cut(12, 4), Cut(16, 4));
        (_packet.Source, _packet.Destination) = (new IPAddress(_source).ToString(), new IPAddress(_destination).ToString());
        (_packet.Tos, _packet.Ttl, _packet.Protocol) = (Byte(1), Byte(8), Byte(9));
        _packet.Identification = (uint)Word(4);
        int flags = Word(6);
        _packet.DontFragment = flags / 0x4000 % 2 == 1;
        SetFragment(flags / 0x2000 % 2 == 1, flags % 0x2000 * 8);
        _packet.HeaderChecksumRight = AddsUp(Cut(0, headerLength));
        SourceRoute(headerLength);
        Finish(totalLength, headerLength);
    }

    /// <summary>A source route with hops left holds the destination that checksums cover in its last place.</summary>
    private void SourceRoute(int headerLength)
    {
        for (int at = 20; at < headerLength && Byte(at) != 0;)
        {
            if (Byte(at) == 1)
            {
                at++;
                continue;
            }

            if (at + 1 >= headerLength || Byte(at + 1) < 2 || at + Byte(at + 1) > headerLength)
            {
                return;
            }

            int length = Byte(at + 1);
            if (Byte(at) is 131 or 137 && length >= 7)
            {
                int places = (length - 3) / 4, visited = Byte(at + 2) - 4;
                if (visited >= 0 && visited + 4 <= places * 4)
                {
                    _destination = Cut(at + 3 + ((places - 1) * 4), 4);
                    return;
                }
            }

            at += length;
        }
    }

    private void V6()
    {
        _packet.NetworkOffset = _at;
        if (Left < 40)
        {
            Stop("truncated: ipv6");
            return;
        }

        if (Byte(0) / 16 != 6)
        {
            Stop("malformed: ipv6");
            return;
        }

        _packet.IpVersion = 6;
        (_source, _destination) = (Cut(8, 16), Cut(24, 16));
        (_packet.Source, _packet.Destination) = (new IPAddress(_source).ToString(), new IPAddress(_destination).ToString());
        _packet.Tos = (Byte(0) % 16 * 16) + (Byte(1) / 16);
        _packet.FlowLabel = (Byte(1) % 16 * 65536) + Word(2);
        _packet.Ttl = Byte(7);
        int total = 40 + Word(4);
        if (Left < total)
        {
            _packet.Protocol = Byte(6);
            Stop("truncated: ipv6");
            return;
        }

        int offset = 40, next = Byte(6);
        while (next is 0 or 43 or 44 or 51 or 60 && _packet.Fragment != "later")
        {
            _packet.Protocol = next;
            int length = ExtensionLength(next, offset, total);
            if (length == 0)
            {
                return;
            }

            Extension(next, offset, length);
            _packet.ExtensionHeaders.Add(next);
            next = Byte(offset);
            offset += length;
        }

        _packet.Protocol = next;
        Finish(total, offset);
    }

    private int ExtensionLength(int type, int offset, int total)
    {
        if (_packet.ExtensionHeaders.Count == MaxExtensionHeaders || (type == 0 && _packet.ExtensionHeaders.Count > 0)
            || (type == 44 && _packet.ExtensionHeaders.Contains(44)))
        {
            Stop("malformed: ipv6 extension");
            return 0;
        }

        if (total - offset < 8)
        {
            Stop("truncated: ipv6 extension");
            return 0;
        }

        int length = type == 44 ? 8 : type == 51 ? (Byte(offset + 1) + 2) * 4 : (Byte(offset + 1) + 1) * 8;
        if (type == 51 && length < 12)
        {
            Stop("malformed: ipv6 extension");
            return 0;
        }

        if (total - offset < length)
        {
            Stop("truncated: ipv6 extension");
            return 0;
        }

        return length;
    }

    private void Extension(int type, int offset, int length)
    {
        if (type == 44)
        {
            _packet.Identification = Long(offset + 4);
            SetFragment(Byte(offset + 3) % 2 == 1, Word(offset + 2) / 8 * 8);
        }

        if (type == 43 && Byte(offset + 3) > 0)
        {
            int kind = Byte(offset + 2), left = Byte(offset + 3), places = (length - 8) / 16;
            places = kind switch { 0 or 2 => places, 4 => Math.Min(places, Byte(offset + 4) + 1), _ => 0 };
            _destination = left > places ? [] : Cut(offset + 8 + (kind == 4 ? 0 : (places - 1) * 16), 16);
        }
    }

    private void SetFragment(bool more, int offset)
    {
        (_packet.MoreFragments, _packet.FragmentOffset) = (more, offset);
        _packet.Fragment = offset > 0 ? "later" : more ? "first" : "none";
    }

    private void Finish(int total, int transport)
    {
        _packet.TransportOffset = _at + transport;
        if (Left < total)
        {
            Stop("truncated: ip");
            return;
        }

        _packet.EndOffset = _at + total;
        _packet.Trailer = _bytes[_packet.EndOffset..];
        byte[] upper = Cut(transport, total - transport);
        _packet.Payload = upper;
        if (_packet.Fragment != "later")
        {
            Transport(upper);
        }
    }

    private static bool AddsUp(byte[] bytes)
    {
        int sum = 0;
        for (int index = 0; index < bytes.Length; index++)
        {
            sum += index % 2 == 0 ? bytes[index] * 256 : bytes[index];
            if (sum > 0xFFFF)
            {
                sum -= 0xFFFF;
            }
        }

        return sum == 0xFFFF;
    }
}
