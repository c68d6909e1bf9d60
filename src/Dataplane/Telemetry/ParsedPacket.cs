using System.Text.Json;
using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Telemetry;

/// <summary>What the parser found in a frame, for people and programs.</summary>
public sealed record ParsedPacket
{
    /// <summary>Hardware address of the receiver; null in a frame shorter than 14 bytes.</summary>
    public MacAddress? DestinationMac { get; init; }

    /// <summary>Hardware address of the sender; null in a frame shorter than 14 bytes.</summary>
    public MacAddress? SourceMac { get; init; }

    /// <summary>EtherType behind VLAN tags and SNAP header; 0x05FF for an IEEE 802.2 frame without one.</summary>
    public ushort EtherType { get; init; }

    /// <summary>VLAN identifiers from the outermost tag inwards; 0 is a priority tag.</summary>
    public IReadOnlyList<int> VlanIds { get; init; } = [];

    /// <summary>Source address; null when the frame carries no IP header.</summary>
    public IpAddress? Source { get; init; }

    /// <summary>Destination address; null when the frame carries no IP header.</summary>
    public IpAddress? Destination { get; init; }

    /// <summary>IP protocol number behind any extension headers; null without an IP header.</summary>
    public byte? Protocol { get; init; }

    /// <summary>Source port of TCP and UDP.</summary>
    public ushort? SourcePort { get; init; }

    /// <summary>Destination port of TCP and UDP.</summary>
    public ushort? DestinationPort { get; init; }

    /// <summary>TCP flags byte.</summary>
    public byte? TcpFlags { get; init; }

    /// <summary>ICMP or ICMPv6 type.</summary>
    public byte? IcmpType { get; init; }

    /// <summary>ICMP or ICMPv6 code.</summary>
    public byte? IcmpCode { get; init; }

    /// <summary>TTL or hop limit.</summary>
    public byte? Ttl { get; init; }

    /// <summary>Type of service or traffic class.</summary>
    public byte? Tos { get; init; }

    /// <summary>Which part of the packet the frame carries.</summary>
    public FragmentKind Fragment { get; init; }

    /// <summary>Offset of the network header; null without one.</summary>
    public int? NetworkOffset { get; init; }

    /// <summary>Offset of the transport header; null without one in this frame.</summary>
    public int? TransportOffset { get; init; }

    /// <summary>Offset behind the transport header; null without one.</summary>
    public int? PayloadOffset { get; init; }

    /// <summary>Why the parser refused the frame; <see cref="DropReason.None"/> when it did not.</summary>
    public DropReason Error { get; init; }

    /// <summary>Parses a frame as the engine does.</summary>
    public static ParsedPacket Parse(ReadOnlySpan<byte> frame)
    {
        PacketHeaders headers = default;
        FlowKey key = default;
        DropReason error = PacketParser.Parse(frame, ref headers, ref key);
        bool ip = headers.IpVersion != 0 && key.Family != 0;
        int transport = headers.TransportOffset;
        bool hasPorts = transport != 0 && headers.Protocol is IpProtocols.Tcp or IpProtocols.Udp && frame.Length >= transport + 4 && (error == DropReason.None || key.Transport >> 32 != 0);
        bool isIcmp = transport != 0 && frame.Length >= transport + 8 && headers.Protocol == (headers.IpVersion == 4 ? IpProtocols.Icmp : IpProtocols.Icmpv6);
        return new ParsedPacket
        {
            DestinationMac = frame.Length >= 14 ? MacAddress.Read(frame) : null,
            SourceMac = frame.Length >= 14 ? MacAddress.Read(frame[6..]) : null,
            EtherType = headers.EtherType,
            VlanIds = VlanIdsOf(frame, headers.VlanTags),
            Source = ip ? key.Source : null,
            Destination = ip ? key.Destination : null,
            Protocol = headers.IpVersion != 0 ? headers.Protocol : null,
            SourcePort = hasPorts ? key.SourcePort : null,
            DestinationPort = hasPorts ? key.DestinationPort : null,
            TcpFlags = hasPorts && headers.Protocol == IpProtocols.Tcp ? headers.TcpFlags : null,
            IcmpType = isIcmp ? frame[transport] : null,
            IcmpCode = isIcmp ? frame[transport + 1] : null,
            Ttl = headers.IpVersion != 0 ? headers.Ttl : null,
            Tos = headers.IpVersion != 0 ? headers.Tos : null,
            Fragment = headers.Fragment,
            NetworkOffset = headers.NetworkOffset != 0 ? headers.NetworkOffset : null,
            TransportOffset = transport != 0 ? transport : null,
            PayloadOffset = PayloadOffsetOf(frame, in headers, error),
            Error = error,
        };
    }

    /// <summary>Writes the fields as one JSON object; fields the packet does not have are null.</summary>
    public void WriteJson(Utf8JsonWriter json)
    {
        ArgumentNullException.ThrowIfNull(json);
        json.WriteStartObject();
        json.WriteString("destination_mac", DestinationMac?.ToString());
        json.WriteString("source_mac", SourceMac?.ToString());
        json.WriteString("ether_type", $"0x{EtherType:x4}");
        json.WriteStartArray("vlan_ids");
        foreach (int id in VlanIds)
        {
            json.WriteNumberValue(id);
        }

        json.WriteEndArray();
        json.WriteString("source", Source?.ToString());
        json.WriteString("destination", Destination?.ToString());
        WriteNumber(json, "protocol", Protocol);
        WriteNumber(json, "source_port", SourcePort);
        WriteNumber(json, "destination_port", DestinationPort);
        WriteNumber(json, "tcp_flags", TcpFlags);
        WriteNumber(json, "icmp_type", IcmpType);
        WriteNumber(json, "icmp_code", IcmpCode);
        WriteNumber(json, "ttl", Ttl);
        WriteNumber(json, "tos", Tos);
        json.WriteString("fragment", Fragment.ToString().ToLowerInvariant());
        WriteNumber(json, "network_offset", NetworkOffset);
        WriteNumber(json, "transport_offset", TransportOffset);
        WriteNumber(json, "payload_offset", PayloadOffset);
        json.WriteString("error", Error == DropReason.None ? null : Error.ToName());
        json.WriteEndObject();
    }

    private static void WriteNumber(Utf8JsonWriter json, string name, int? value)
    {
        if (value is int number)
        {
            json.WriteNumber(name, number);
        }
        else
        {
            json.WriteNull(name);
        }
    }

    private static int[] VlanIdsOf(ReadOnlySpan<byte> frame, int tags)
    {
        int[] ids = new int[tags];
        for (int tag = 0; tag < tags; tag++)
        {
            ids[tag] = ((frame[14 + (tag * 4)] & 0x0F) << 8) | frame[15 + (tag * 4)];
        }

        return ids;
    }

    private static int? PayloadOffsetOf(ReadOnlySpan<byte> frame, in PacketHeaders headers, DropReason error)
    {
        if (headers.TransportOffset == 0 || error != DropReason.None)
        {
            return null;
        }

        return headers.TransportOffset + headers.Protocol switch
        {
            IpProtocols.Tcp => (frame[headers.TransportOffset + 12] >> 4) << 2,
            IpProtocols.Udp or IpProtocols.Icmp or IpProtocols.Icmpv6 => 8,
            _ => 0,
        };
    }
}
