namespace Dataplane.Tests.Reference;

/// <summary>What <see cref="ReferenceDecoder"/> found. Plain types only, so that nothing of the code under test is in it.</summary>
public sealed class ReferencePacket
{
    /// <summary>The first thing that is wrong, or null: "truncated" or "malformed", a colon, and where. Fields read before it are set.</summary>
    public string? Problem { get; set; }

    /// <summary>Whether <see cref="Problem"/> is that bytes are missing.</summary>
    public bool IsTruncated => Problem?.StartsWith("truncated", StringComparison.Ordinal) == true;

    public string DestinationMac { get; set; } = "";

    public string SourceMac { get; set; } = "";

    /// <summary>VLAN tags from the outside in.</summary>
    public List<(int Tpid, int Priority, bool DropEligible, int Id)> Tags { get; } = [];

    /// <summary>Behind tags and SNAP; 0x05ff for 802.2 without one.</summary>
    public int EtherType { get; set; }

    /// <summary>Offset of the network header in the decoded bytes.</summary>
    public int NetworkOffset { get; set; }

    public ReferenceArp? Arp { get; set; }

    /// <summary>4, 6, or 0 when there is no IP header.</summary>
    public int IpVersion { get; set; }

    /// <summary>Text of the addresses as System.Net writes them.</summary>
    public string Source { get; set; } = "";

    public string Destination { get; set; } = "";

    public int Tos { get; set; }

    public int Ttl { get; set; }

    public int FlowLabel { get; set; }

    public uint Identification { get; set; }

    public bool DontFragment { get; set; }

    public bool MoreFragments { get; set; }

    public int FragmentOffset { get; set; }

    /// <summary>none, first or later.</summary>
    public string Fragment { get; set; } = "none";

    /// <summary>Types of the IPv6 extension headers in order.</summary>
    public List<int> ExtensionHeaders { get; } = [];

    /// <summary>The upper protocol, behind extension headers.</summary>
    public int Protocol { get; set; }

    /// <summary>Offset of the upper-layer header (in a later fragment: of its data) in the decoded bytes.</summary>
    public int TransportOffset { get; set; }

    /// <summary>Offset just behind the IP packet in the decoded bytes.</summary>
    public int EndOffset { get; set; }

    /// <summary>Whether the IPv4 header adds up; null for IPv6.</summary>
    public bool? HeaderChecksumRight { get; set; }

    /// <summary>Whether the TCP, UDP, ICMP or ICMPv6 checksum adds up; null when there is none to check.</summary>
    public bool? TransportChecksumRight { get; set; }

    /// <summary>Whether this is UDP with checksum 0.</summary>
    public bool IsUdpWithoutChecksum { get; set; }

    public int SourcePort { get; set; }

    public int DestinationPort { get; set; }

    public uint SequenceNumber { get; set; }

    public uint AcknowledgmentNumber { get; set; }

    /// <summary>Nine bits.</summary>
    public int TcpFlags { get; set; }

    public int TcpWindow { get; set; }

    public int TcpHeaderLength { get; set; }

    public int IcmpType { get; set; }

    public int IcmpCode { get; set; }

    public uint IcmpRest { get; set; }

    /// <summary>What follows the transport header; in a later fragment its data.</summary>
    public byte[] Payload { get; set; } = [];

    /// <summary>What the frame has behind the IP packet.</summary>
    public byte[] Trailer { get; set; } = [];
}
