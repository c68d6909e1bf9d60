using System.Text;

namespace Dataplane.Packets;

/// <summary>Builds packets layer by layer, from the outside in, with right lengths and checksums: for tests and tools, not for the hot path.</summary>
/// <example><code>
/// byte[] frame = PacketBuilder.Ethernet("02:00:00:00:00:01", "02:00:00:00:00:02").Vlan(5)
///     .Ipv4("10.0.0.1", "192.0.2.7", ttl: 64).Udp(1000, 80).Payload("hello").Build();
/// </code></example>
/// <remarks>Each call appends a layer and returns the same builder; <see cref="Build"/> may be called more than once. Wrong on purpose is possible
/// too: <see cref="Carrying"/> announces something else than what follows, and built bytes are the caller's to damage. Not thread-safe.</remarks>
public sealed partial class PacketBuilder
{
    private const int MaxPacketBytes = 0x1_0000 + 256;

    private readonly List<PacketLayer> _layers = [];
    private PacketLayers.Link? _link;
    private PacketLayers.Network? _network;
    private int _minFrameBytes;

    private PacketBuilder()
    {
    }

    /// <summary>Begins an Ethernet frame.</summary>
    /// <param name="source">Station the frame is from.</param>
    /// <param name="destination">Station the frame is for.</param>
    public static PacketBuilder Ethernet(MacAddress source, MacAddress destination)
    {
        var builder = new PacketBuilder();
        builder._link = new PacketLayers.Link(source, destination);
        return builder.Append(builder._link);
    }

    /// <summary>Begins an Ethernet frame; addresses as text.</summary>
    /// <param name="source">Station the frame is from, as in 02:00:00:00:00:01.</param>
    /// <param name="destination">Station the frame is for.</param>
    /// <exception cref="FormatException">An address cannot be read.</exception>
    public static PacketBuilder Ethernet(string source, string destination) => Ethernet(MacAddress.Parse(source), MacAddress.Parse(destination));

    /// <summary>Begins a packet without link header: the first layer is IP, as on a tunnel or inside an ICMP error.</summary>
    public static PacketBuilder WithoutLink() => new();

    /// <summary>Appends a VLAN tag; several make a stack, the outermost first.</summary>
    /// <param name="id">VLAN identifier, 0 to 4095.</param>
    /// <param name="priority">Priority code point, 0 to 7.</param>
    /// <param name="protocol">TPID: <see cref="EtherTypes.Vlan"/> or <see cref="EtherTypes.ServiceVlan"/>.</param>
    /// <exception cref="InvalidOperationException">Not behind Ethernet or another tag.</exception>
    public PacketBuilder Vlan(ushort id, byte priority = 0, ushort protocol = EtherTypes.Vlan)
    {
        if (_layers.Count == 0 || _layers[^1] is not (PacketLayers.Link or PacketLayers.Vlan))
        {
            throw new InvalidOperationException("Vlan stands behind Ethernet or another Vlan; call it before the network layer.");
        }

        return Append(new PacketLayers.Vlan(new VlanTag(id, priority, protocol: protocol)));
    }

    /// <summary>States what the last layer says comes behind it, instead of what really does: an EtherType, or an IP protocol number.</summary>
    /// <exception cref="InvalidOperationException">There is no layer yet.</exception>
    public PacketBuilder Carrying(ushort protocol)
    {
        if (_layers.Count == 0)
        {
            throw new InvalidOperationException("Carrying is about the layer before it; add Ethernet or an IP layer first.");
        }

        _layers[^1].Carried = protocol;
        return this;
    }

    /// <summary>Appends data; nothing can follow it.</summary>
    public PacketBuilder Payload(ReadOnlySpan<byte> bytes) => Append(new PacketLayers.Bytes(bytes.ToArray()));

    /// <summary>Appends text as UTF-8; nothing can follow it.</summary>
    public PacketBuilder Payload(string text) => Append(new PacketLayers.Bytes(Encoding.UTF8.GetBytes(text)));

    /// <summary>Appends so many bytes that count up from 0; nothing can follow them.</summary>
    /// <param name="sizeBytes">0 to 65,535.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size outside the range.</exception>
    public PacketBuilder PayloadOf(int sizeBytes)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)sizeBytes, ushort.MaxValue, nameof(sizeBytes));
        byte[] bytes = new byte[sizeBytes];
        for (int index = 0; index < bytes.Length; index++)
        {
            bytes[index] = (byte)index;
        }

        return Append(new PacketLayers.Bytes(bytes));
    }

    /// <summary>Pads the frame with zeros behind everything else, as Ethernet does up to 60 bytes without check sequence.</summary>
    /// <param name="frameBytes">The least length of the frame.</param>
    public PacketBuilder PadTo(int frameBytes = 60)
    {
        _minFrameBytes = frameBytes;
        return this;
    }

    /// <summary>Writes the packet.</summary>
    /// <returns>A new array.</returns>
    /// <exception cref="InvalidOperationException">The packet is larger than IP can state.</exception>
    public byte[] Build()
    {
        int length = 0;
        foreach (PacketLayer layer in _layers)
        {
            length += layer.LengthBytes;
        }

        if (length > MaxPacketBytes)
        {
            throw new InvalidOperationException($"The packet has {length} bytes; an IP packet holds at most 65,535.");
        }

        byte[] packet = new byte[Math.Max(length, _minFrameBytes)];
        int offset = length;
        for (int index = _layers.Count - 1; index >= 0; index--)
        {
            offset -= _layers[index].LengthBytes;
            _layers[index].Write(packet.AsSpan(offset, length - offset));
        }

        return packet;
    }

    private PacketBuilder Append(PacketLayer layer)
    {
        if (_layers.Count > 0)
        {
            if (!_layers[^1].IsContainer)
            {
                throw new InvalidOperationException("Nothing can follow a payload, an ARP packet or a neighbour discovery message.");
            }

            _layers[^1].Inner = layer;
        }

        _layers.Add(layer);
        return this;
    }

    private PacketLayers.Network RequireNetwork(string layer) =>
        _network ?? throw new InvalidOperationException($"{layer} needs addresses for its checksum; add an Ipv4 or Ipv6 layer before it.");
}
