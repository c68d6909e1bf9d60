using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Capturing;

/// <summary>What a filter asks about one packet: what is in it, where it was seen, and what has become of it, as far as that is known.</summary>
[StructLayout(LayoutKind.Auto)]
internal struct CaptureFacts
{
    private const int ArpBytes = 28;

    /// <summary>Addresses and ports of the outermost IP header, or those that an ARP message is about; family 0 when there are none.</summary>
    public FlowKey Key;

    /// <summary>The flow the packet belongs to, as it comes; family 0 when it is not known.</summary>
    public FlowKey Flow;

    /// <summary>The same in the opposite direction, as that comes.</summary>
    public FlowKey Opposite;

    /// <summary>EtherType behind any VLAN tags.</summary>
    public ushort EtherType;

    /// <summary>IP protocol of the packet or, of a fragment, of its datagram.</summary>
    public byte Protocol;

    /// <summary>The port the packet was seen at.</summary>
    public ushort Port;

    /// <summary>Why it was dropped.</summary>
    public DropReason Reason;

    /// <summary>What has become of it.</summary>
    public Verdict Verdict;

    /// <summary>Where it was seen.</summary>
    public CaptureDirection Direction;

    /// <summary>Whether flow, verdict and reason are known.</summary>
    public bool IsDecided;

    /// <summary>Whether <see cref="Key"/> has ports of TCP or UDP.</summary>
    public bool HasPorts;

    /// <summary>Whether it is an IP packet.</summary>
    public readonly bool IsIp => EtherType is EtherTypes.Ipv4 or EtherTypes.Ipv6 && Key.Family != 0;

    /// <summary>Whether it was dropped for anything but having been answered or otherwise used by the engine.</summary>
    public readonly bool IsLost => Verdict == Verdict.Drop && !IsConsumed(Reason);

    /// <summary>Whether a reason says that the packet was for the engine itself, which has used it.</summary>
    public static bool IsConsumed(DropReason reason) => reason >= DropReason.ConsumedArp;

    /// <summary>Reads what is in a frame; whatever cannot be read is left out.</summary>
    public void Read(ReadOnlySpan<byte> frame)
    {
        PacketHeaders headers = default;
        (Key, EtherType, Protocol, HasPorts) = (default, 0, 0, false);
        if (PacketParser.Parse(frame, ref headers, ref Key) != DropReason.None)
        {
            Key = default;
            ReadMalformed(frame);
            return;
        }

        EtherType = headers.EtherType;
        if (headers.IpVersion == 0)
        {
            Key = default;
            ReadArp(frame, headers.NetworkOffset);
            return;
        }

        Protocol = headers.Protocol;
        HasPorts = headers.TransportOffset != 0 && Protocol is IpProtocols.Tcp or IpProtocols.Udp;
    }

    /// <summary>The addresses of packets that the parser refuses: what was dropped as malformed is asked for by its sender most of all.</summary>
    private void ReadMalformed(ReadOnlySpan<byte> frame)
    {
        int at = 12;
        for (int tags = 0; at + 2 <= frame.Length && tags <= 2; tags++, at += 4)
        {
            EtherType = BinaryPrimitives.ReadUInt16BigEndian(frame[at..]);
            if (EtherType is not (0x8100 or 0x88A8))
            {
                break;
            }
        }

        if (at + 2 > frame.Length)
        {
            return;
        }

        ReadOnlySpan<byte> packet = frame[(at + 2)..];
        if (EtherType == EtherTypes.Ipv4 && packet.Length >= 20)
        {
            bool isFirst = (BinaryPrimitives.ReadUInt16BigEndian(packet[6..]) & 0x1FFF) == 0;
            (Key.SourceLow, Key.DestinationLow) = (BinaryPrimitives.ReadUInt32BigEndian(packet[12..]), BinaryPrimitives.ReadUInt32BigEndian(packet[16..]));
            ReadPorts(packet, isFirst ? (packet[0] & 0xF) << 2 : 0, packet[9], 4);
        }
        else if (EtherType == EtherTypes.Ipv6 && packet.Length >= 40)
        {
            (Key.SourceHigh, Key.SourceLow) = (BinaryPrimitives.ReadUInt64BigEndian(packet[8..]), BinaryPrimitives.ReadUInt64BigEndian(packet[16..]));
            (Key.DestinationHigh, Key.DestinationLow) = (BinaryPrimitives.ReadUInt64BigEndian(packet[24..]), BinaryPrimitives.ReadUInt64BigEndian(packet[32..]));
            ReadPorts(packet, 40, packet[6], 6);
        }
        else
        {
            ReadArp(frame, at + 2);
        }
    }

    private void ReadPorts(ReadOnlySpan<byte> packet, int transport, byte protocol, byte family)
    {
        Protocol = protocol;
        HasPorts = protocol is IpProtocols.Tcp or IpProtocols.Udp && transport >= 20 && packet.Length >= transport + 4;
        Key.Transport = HasPorts
            ? FlowKey.PackTransport(BinaryPrimitives.ReadUInt16BigEndian(packet[transport..]), BinaryPrimitives.ReadUInt16BigEndian(packet[(transport + 2)..]), protocol, family)
            : FlowKey.PackTransport(0, 0, protocol, family);
    }

    private void ReadArp(ReadOnlySpan<byte> frame, int at)
    {
        if (EtherType == EtherTypes.Arp && at + ArpBytes <= frame.Length)
        {
            (Key.SourceLow, Key.DestinationLow) = (BinaryPrimitives.ReadUInt32BigEndian(frame[(at + 14)..]), BinaryPrimitives.ReadUInt32BigEndian(frame[(at + 24)..]));
            Key.Transport = FlowKey.PackTransport(0, 0, 0, 4);
        }
    }
}
