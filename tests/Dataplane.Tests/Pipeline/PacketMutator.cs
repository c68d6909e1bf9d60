using System.Buffers.Binary;
using Dataplane.Packets;

namespace Dataplane.Tests.Pipeline;

/// <summary>Random packets without end from one seed: copies of a corpus, mutated in place. Allocates nothing per packet.</summary>
internal sealed class PacketMutator
{
    private static readonly byte[][] s_v4 = [.. new[]
    {
        "198.51.100.2", "198.51.100.2", "198.51.100.9", "10.1.0.11", "10.1.0.12", "10.1.0.50", "10.5.0.7", "10.5.0.8", "203.0.113.80", "203.0.113.80",
        "198.51.100.1", "192.0.2.1", "224.0.0.1", "255.255.255.255", "10.1.0.255", "127.0.0.1", "0.0.0.0", "169.254.0.1",
    }.Select(Bytes)];

    private static readonly byte[][] s_v6 = [.. new[]
    {
        "2001:db8:1::2", "2001:db8:1::2", "2001:db8:1::9", "2001:db8:2::11", "2001:db8:2::12", "2001:db8:2::50", "2001:db8:5::7", "2001:db8:5::8",
        "2001:db8:80::80", "2001:db8:80::80", "2001:db8:1::1", "2001:db8:ffff::1", "ff02::1", "::", "::1", "fe80::1",
    }.Select(Bytes)];

    private static readonly ushort[] s_ports = [80, 80, 80, 53, 8080, 8080, 40000, 40001, 40002, 40003, 23, 0, 65535];

    private readonly (byte[] Frame, bool CanMend)[] _corpus;
    private ulong _state;

    public PacketMutator(ulong seed, (byte[] Frame, bool CanMend)[] corpus)
    {
        _corpus = corpus;
        _state = (seed * 0x9E3779B97F4A7C15) | 1;
    }

    /// <summary>Writes the next packet, with every checksum right that was right in the corpus.</summary>
    /// <param name="target">Room for 2,048 bytes.</param>
    /// <param name="stationMac">Hardware address it is for, as a rule.</param>
    /// <returns>Its length.</returns>
    public int NextSound(Span<byte> target, MacAddress stationMac)
    {
        (byte[] template, bool canMend) = _corpus[Next(_corpus.Length)];
        template.CopyTo(target);
        Address(target, stationMac);
        int network = target[12] == 0x81 ? 18 : 14;
        if (!canMend)
        {
            return template.Length;
        }

        Span<byte> packet = target[network..template.Length];
        bool isV4 = packet[0] >> 4 == 4;
        for (int changes = Next(4); changes > 0; changes--)
        {
            Change(packet, isV4);
        }

        Mend(packet, isV4);
        int padding = Next(8) == 0 ? Next(20) : 0;
        target.Slice(template.Length, padding).Fill((byte)Next(256));
        return template.Length + padding;
    }

    /// <summary>Writes the next packet, damaged anywhere.</summary>
    public int NextWild(Span<byte> target, MacAddress stationMac)
    {
        int length = NextSound(target, stationMac);
        for (int changes = 1 + Next(4); changes > 0; changes--)
        {
            int at = length == 0 ? 0 : Next(Next(2) == 0 ? length : Math.Min(length, 80));
            switch (Next(8))
            {
                case 0 or 1:
                    target[at] = (byte)Next(256);
                    break;
                case 2 or 3:
                    target[at] ^= (byte)(1 << Next(8));
                    break;
                case 4:
                    length = at;
                    break;
                case 5:
                    int more = Next(60);
                    target.Slice(length, more).Fill((byte)Next(256));
                    length += more;
                    break;
                case 6:
                    BinaryPrimitives.WriteUInt16BigEndian(target[at..], (ushort)(Next(4) == 0 ? Next(65536) : Next(64)));
                    break;
                default:
                    target[at] = Next(2) == 0 ? (byte)0 : (byte)255;
                    break;
            }
        }

        return length;
    }

    /// <summary>A number from 0 to below <paramref name="below"/>.</summary>
    public int Next(int below)
    {
        // xorshift64* (Vigna 2016).
        _state ^= _state >> 12;
        _state ^= _state << 25;
        _state ^= _state >> 27;
        return (int)((_state * 0x2545F4914F6CDD1D >> 33) % (ulong)below);
    }

    private static byte[] Bytes(string text)
    {
        IpAddress address = IpAddress.Parse(text);
        byte[] bytes = new byte[address.IsIpv4 ? 4 : 16];
        address.Write(bytes);
        return bytes;
    }

    private void Address(Span<byte> frame, MacAddress station)
    {
        if ((frame[0] & 1) != 0)
        {
            return;
        }

        station.Write(frame);
        int other = Next(64);
        frame[0] ^= (byte)(other < 2 ? other + 1 : 0);
    }

    private void Change(Span<byte> packet, bool isV4)
    {
        int transport = isV4 ? (packet[0] & 15) * 4 : 40;
        bool hasPorts = packet[isV4 ? 9 : 6] is 6 or 17;
        byte[][] addresses = isV4 ? s_v4 : s_v6;
        switch (Next(9))
        {
            case 0:
                addresses[Next(addresses.Length)].CopyTo(packet[(isV4 ? 12 : 8)..]);
                break;
            case 1 or 2:
                addresses[Next(addresses.Length)].CopyTo(packet[(isV4 ? 16 : 24)..]);
                break;
            case 3 when hasPorts:
                BinaryPrimitives.WriteUInt16BigEndian(packet[transport..], s_ports[Next(s_ports.Length)]);
                break;
            case 4 when hasPorts:
                BinaryPrimitives.WriteUInt16BigEndian(packet[(transport + 2)..], s_ports[Next(s_ports.Length)]);
                break;
            case 5:
                packet[isV4 ? 8 : 7] = (byte)(Next(3) == 0 ? Next(3) : Next(256));
                break;
            case 6 when packet[isV4 ? 9 : 6] == 6:
                packet[transport + 13] = (byte)Next(64);
                break;
            case 7 when packet.Length > transport + 20:
                packet[transport + 20 + Next(packet.Length - transport - 20)] = (byte)Next(256);
                break;
            case 8 when isV4:
                packet[6] ^= 0x40;
                packet[5] = (byte)Next(256);
                break;
        }
    }

    /// <summary>Computes the checksums anew: byte by byte and apart from what the engine does.</summary>
    private static void Mend(Span<byte> packet, bool isV4)
    {
        int transport = isV4 ? (packet[0] & 15) * 4 : 40;
        byte protocol = packet[isV4 ? 9 : 6];
        int length = packet.Length - transport;
        if (isV4)
        {
            packet[10] = packet[11] = 0;
            BinaryPrimitives.WriteUInt16BigEndian(packet[10..], Sum(packet[..transport], 0));
        }

        int place = transport + protocol switch { 6 => 16, 17 => 6, _ => 2 };
        bool none = isV4 && protocol == 17 && packet[place] == 0 && packet[place + 1] == 0;
        if (none)
        {
            return;
        }

        packet[place] = packet[place + 1] = 0;
        uint pseudo = isV4 && protocol == 1 ? 0 : (uint)(length + protocol);
        ReadOnlySpan<byte> addresses = isV4 && protocol == 1 ? default : isV4 ? packet[12..20] : packet[8..40];
        for (int i = 0; i < addresses.Length; i += 2)
        {
            pseudo += (uint)((addresses[i] << 8) + addresses[i + 1]);
        }

        ushort sum = Sum(packet[transport..], pseudo);
        BinaryPrimitives.WriteUInt16BigEndian(packet[place..], sum == 0 && protocol == 17 ? (ushort)0xFFFF : sum);
    }

    private static ushort Sum(ReadOnlySpan<byte> bytes, ulong sum)
    {
        for (int i = 0; i + 1 < bytes.Length; i += 2)
        {
            sum += (uint)((bytes[i] << 8) + bytes[i + 1]);
        }

        sum += (bytes.Length & 1) != 0 ? (ulong)bytes[^1] << 8 : 0;
        while (sum > 0xFFFF)
        {
            sum = (sum & 0xFFFF) + (sum >> 16);
        }

        return (ushort)~sum;
    }
}
