using System.Buffers.Binary;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Rewriting;

namespace Dataplane.Routing;

/// <summary>Neighbour discovery for IPv6 (RFC 4861): answers, learns, asks. Router advertisements and redirects are not acted on.</summary>
internal static class NeighbourDiscovery
{
    private const byte Solicitation = 135;
    private const byte Advertisement = 136;
    private const int MessageBytes = 24;
    private const int OptionBytes = 8;
    private const int Ipv6Header = 40;
    private const byte SourceLinkAddress = 1;
    private const byte TargetLinkAddress = 2;
    private const byte FlagRouter = 0x80, FlagSolicited = 0x40, FlagOverride = 0x20;

    /// <summary>True for types 133 to 137.</summary>
    public static bool IsMessage(PacketBatch batch, int i)
    {
        int transport = batch.Parsed[i].Headers.TransportOffset;
        return transport != 0 && batch.Parsed[i].Headers.IpVersion == 6 && batch.Frame(i)[transport] is >= 133 and <= 137;
    }

    /// <summary>Takes in a message: a solicitation for us is answered, what is learned goes to the table.</summary>
    public static void Handle(WorkerContext context, PacketBatch batch, int i, L3Interface entry)
    {
        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        ref readonly FlowKey key = ref batch.Parsed[i].Key;
        ReadOnlySpan<byte> message = batch.Frame(i)[headers.TransportOffset..headers.EndOffset];

        // RFC 4861 6.1, 7.1, 8.1: hop limit 255 proves that no router passed it on; code 0; checksum; no fragment.
        if (headers.Ttl != 255 || message[1] != 0 || headers.Fragment != FragmentKind.None
            || !InternetChecksum.Verify(message, InternetChecksum.PseudoHeader(key.Source, key.Destination, IpProtocols.Icmpv6, (uint)message.Length)))
        {
            batch.Drop(i, DropReason.BadNeighbourMessage);
            return;
        }

        bool known = entry.Speaks(6) && message.Length >= MessageBytes;
        DropReason reason = (message[0], known) switch
        {
            (Solicitation, true) => HandleSolicitation(context, in key, message, entry),
            (Advertisement, true) => HandleAdvertisement(context, in key, message, entry),
            (Solicitation or Advertisement, false) => entry.Speaks(6) ? DropReason.BadNeighbourMessage : DropReason.NeighbourNotForUs,
            _ => DropReason.NeighbourNotForUs,
        };
        batch.Drop(i, reason);
    }

    /// <summary>Makes a solicitation: to the solicited-node group, or to the hardware address known before.</summary>
    public static void Ask(WorkerContext context, L3Interface entry, IpAddress target, ulong knownMac)
    {
        IpAddress source = NeighbourStage.SenderFor(entry, target);
        if (!source.IsIpv6)
        {
            return;
        }

        IpAddress destination = knownMac == 0 ? IpAddress.FromV6(0xFF02_0000_0000_0000, 0x1_FF00_0000 | (target.Low & 0xFF_FFFF)) : target;
        ulong mac = knownMac == 0 ? MacAddress.ForIpv6Multicast(destination).Bits : knownMac;
        Send(context, entry, mac, source, destination, Solicitation, 0, target, SourceLinkAddress);
    }

    private static DropReason HandleSolicitation(WorkerContext context, in FlowKey key, ReadOnlySpan<byte> message, L3Interface entry)
    {
        IpAddress target = IpAddress.ReadV6(message[8..]);
        bool fromUnspecified = key.Source.IsUnspecified;
        if (target.IsMulticast || !TryReadOption(message[MessageBytes..], SourceLinkAddress, out ulong mac) || (fromUnspecified && mac != 0))
        {
            return DropReason.BadNeighbourMessage;
        }

        if (!entry.Answered.Contains(target))
        {
            return DropReason.NeighbourNotForUs;
        }

        if (entry.Answered.Contains(key.Source))
        {
            return DropReason.BadNeighbourMessage;
        }

        if (fromUnspecified)
        {
            // Somebody checks whether the address is free (RFC 4862 5.4): all nodes are told that it is not.
            IpAddress allNodes = IpAddress.FromV6(0xFF02_0000_0000_0000, 1);
            Send(context, entry, MacAddress.ForIpv6Multicast(allNodes).Bits, target, allNodes, Advertisement,
                FlagRouter | FlagOverride, target, TargetLinkAddress);
            return DropReason.ConsumedNeighbourDiscovery;
        }

        if (mac != 0)
        {
            NeighbourStage.Learn(context, entry, key.Source, mac, solicited: false, create: true);
        }
        else
        {
            int neighbour = context.Neighbours.Find(entry.Port, entry.Vlan, key.Source);
            if (neighbour < 0 || !context.Neighbours[neighbour].IsUsable)
            {
                return DropReason.NeighbourUnresolved;
            }

            mac = context.Neighbours[neighbour].Mac;
        }

        Send(context, entry, mac, target, key.Source, Advertisement, FlagRouter | FlagSolicited | FlagOverride, target, TargetLinkAddress);
        return DropReason.ConsumedNeighbourDiscovery;
    }

    private static DropReason HandleAdvertisement(WorkerContext context, in FlowKey key, ReadOnlySpan<byte> message, L3Interface entry)
    {
        IpAddress target = IpAddress.ReadV6(message[8..]);
        bool solicited = (message[4] & FlagSolicited) != 0;
        if (target.IsMulticast || (solicited && key.Destination.IsMulticast) || entry.Answered.Contains(target)
            || !TryReadOption(message[MessageBytes..], TargetLinkAddress, out ulong mac))
        {
            return DropReason.BadNeighbourMessage;
        }

        int neighbour = context.Neighbours.Find(entry.Port, entry.Vlan, target);
        if (neighbour < 0)
        {
            // With several workers it may be what another has asked for, which sees it too.
            return solicited && context.Links is not null ? DropReason.ConsumedNeighbourDiscovery : DropReason.NeighbourNotForUs;
        }

        ref NeighbourEntry known = ref context.Neighbours[neighbour];
        bool overrides = (message[4] & FlagOverride) != 0;
        if (mac == 0)
        {
            // Without the option it can confirm what is known, not tell something new (RFC 4861 7.2.5).
            mac = known.State == NeighbourState.Incomplete ? 0 : known.Mac;
        }
        else if (!overrides && known.State > NeighbourState.Incomplete && known.Mac != mac)
        {
            return DropReason.ConsumedNeighbourDiscovery;
        }

        if (mac != 0)
        {
            NeighbourStage.Learn(context, entry, target, mac, solicited, create: false);
        }

        return DropReason.ConsumedNeighbourDiscovery;
    }

    /// <summary>Looks for a link-layer address option.</summary>
    /// <returns>False when an option is malformed; without the option the address is 0.</returns>
    public static bool TryReadOption(ReadOnlySpan<byte> options, byte wanted, out ulong mac)
    {
        mac = 0;
        while (!options.IsEmpty)
        {
            if (options.Length < OptionBytes || options[1] == 0 || options.Length < options[1] * 8)
            {
                return false;
            }

            if (options[0] == wanted)
            {
                mac = BinaryPrimitives.ReadUInt64BigEndian(options) & 0xFFFF_FFFF_FFFF;
                if (mac == 0 || (mac >> 40 & 1) != 0)
                {
                    return false;
                }
            }

            options = options[(options[1] * 8)..];
        }

        return true;
    }

    private static void Send(WorkerContext context, L3Interface entry, ulong mac, IpAddress source, IpAddress destination, byte type, byte flags,
        IpAddress target, byte option) => Send(context, entry, mac, source, destination, type, flags, target, option, entry.Mac.Bits);

    /// <summary>Makes a message that says which hardware address belongs to an address, whoever has it.</summary>
    public static void Send(WorkerContext context, L3Interface entry, ulong mac, IpAddress source, IpAddress destination, byte type, byte flags,
        IpAddress target, byte option, ulong optionMac)
    {
        int link = entry.LinkHeaderBytes;
        int index = context.Originated.Add(link + Ipv6Header + MessageBytes + OptionBytes);
        if (index < 0)
        {
            return;
        }

        PacketBatch batch = context.Originated.Batch;
        Span<byte> frame = batch.Frame(index);
        LinkHeader.Write(frame, mac, entry, EtherTypes.Ipv6);
        Ipv6Writer.WriteHeader(frame[link..], source, destination, IpProtocols.Icmpv6, 255, MessageBytes + OptionBytes);
        Span<byte> message = frame[(link + Ipv6Header)..];
        message[0] = type;
        message[4] = flags;
        target.Write(message[8..]);
        BinaryPrimitives.WriteUInt64BigEndian(message[MessageBytes..], ((ulong)option << 56) | (1UL << 48) | optionMac);
        ushort checksum = InternetChecksum.Compute(message, InternetChecksum.PseudoHeader(source, destination, IpProtocols.Icmpv6, (uint)message.Length));
        BinaryPrimitives.WriteUInt16BigEndian(message[2..], checksum);
        batch.Parsed[index].Headers = new PacketHeaders { EtherType = EtherTypes.Ipv6, NetworkOffset = (ushort)link, IpVersion = 6 };
        batch.Transmit(index, new Ports.PortId(entry.Port));
    }
}
