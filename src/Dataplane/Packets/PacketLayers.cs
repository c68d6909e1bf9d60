namespace Dataplane.Packets;

/// <summary>The layers of <see cref="PacketBuilder"/>. All write through the public fields types, so a built packet tests those as well.</summary>
internal static class PacketLayers
{
    /// <summary>The Ethernet header up to, and without, VLAN tags and the type.</summary>
    public sealed class Link(MacAddress source, MacAddress destination) : PacketLayer
    {
        public MacAddress Source => source;

        public override int LengthBytes => EthernetView.HeaderLengthBytes;

        public override void Write(Span<byte> bytes) =>
            new EthernetFields { Source = source, Destination = destination, EtherType = CarriedEtherType }.Emit(bytes);
    }

    /// <summary>A VLAN tag: its TPID is the type of the layer before, so it writes control information and the next type.</summary>
    public sealed class Vlan(VlanTag tag) : PacketLayer
    {
        public override int LengthBytes => VlanTag.LengthBytes;

        public override ushort EtherType => tag.Protocol;

        public override void Write(Span<byte> bytes)
        {
            NetworkOrder.WriteUInt16(bytes, 0, tag.Control);
            NetworkOrder.WriteUInt16(bytes, 2, CarriedEtherType);
        }
    }

    /// <summary>An IP header of either family; upper layers take their pseudo-header addresses from it.</summary>
    public abstract class Network(IpAddress source, IpAddress destination) : PacketLayer
    {
        public IpAddress Source => source;

        /// <summary>Where the packet ends up, which differs from its destination under a routing header.</summary>
        public IpAddress FinalDestination { get; set; } = destination;
    }

    public sealed class V4 : Network
    {
        private readonly Ipv4Fields _fields;
        private readonly byte[] _options;

        public V4(Ipv4Fields fields, byte[] options)
            : base(fields.Source, fields.Destination)
        {
            (_fields, _options) = (fields with { PayloadLengthBytes = 0 }, options);
            byte[] header = new byte[LengthBytes];
            _fields.Emit(header, options);
            if (Ipv4View.TryParse(header, out Ipv4View view))
            {
                FinalDestination = view.FinalDestination;
            }
        }

        public override int LengthBytes => Ipv4Fields.EmittedLength + ((_options.Length + 3) & ~3);

        public override ushort EtherType => EtherTypes.Ipv4;

        public override byte Protocol => IpProtocols.Ipv4;

        public override void Write(Span<byte> bytes) =>
            (_fields with { Protocol = CarriedProtocol, PayloadLengthBytes = bytes.Length - LengthBytes }).Emit(bytes, _options);
    }

    public sealed class V6(Ipv6Fields fields) : Network(fields.Source, fields.Destination)
    {
        public override int LengthBytes => Ipv6Fields.EmittedLength;

        public override ushort EtherType => EtherTypes.Ipv6;

        public override byte Protocol => IpProtocols.Ipv6;

        public override void Write(Span<byte> bytes) =>
            (fields with { NextHeader = CarriedProtocol, PayloadLengthBytes = bytes.Length - LengthBytes }).Emit(bytes);
    }

    public sealed class Options(byte protocol, byte[] options) : PacketLayer
    {
        public override int LengthBytes => Ipv6OptionsFields.EmittedLength(options.Length);

        public override byte Protocol => protocol;

        public override void Write(Span<byte> bytes) => new Ipv6OptionsFields { NextHeader = CarriedProtocol }.Emit(bytes, options);
    }

    public sealed class Routing(Ipv6RoutingFields fields, byte[] data) : PacketLayer
    {
        public override int LengthBytes => Ipv6RoutingFields.EmittedLength(data.Length);

        public override byte Protocol => IpProtocols.Routing;

        public override void Write(Span<byte> bytes) => (fields with { NextHeader = CarriedProtocol }).Emit(bytes, data);

        /// <summary>Applies the route to the destination of its packet, where its form is known.</summary>
        public void Route(Network network)
        {
            byte[] header = new byte[LengthBytes];
            fields.Emit(header, data);
            IpAddress destination = network.FinalDestination;
            if (Ipv6RoutingView.TryParse(header, out Ipv6RoutingView view) && view.TryGetFinalDestination(ref destination))
            {
                network.FinalDestination = destination;
            }
        }
    }

    public sealed class Fragment(Ipv6FragmentFields fields) : PacketLayer
    {
        public override int LengthBytes => Ipv6FragmentFields.EmittedLength;

        public override byte Protocol => IpProtocols.Fragment;

        public override void Write(Span<byte> bytes) => (fields with { NextHeader = CarriedProtocol }).Emit(bytes);
    }

    public sealed class Authentication(AuthenticationFields fields, byte[] value) : PacketLayer
    {
        public override int LengthBytes => AuthenticationFields.EmittedLength(value.Length);

        public override byte Protocol => IpProtocols.Authentication;

        public override void Write(Span<byte> bytes) => (fields with { NextHeader = CarriedProtocol }).Emit(bytes, value);
    }

    public sealed class Tcp(TcpFields fields, Network network) : PacketLayer
    {
        public override int LengthBytes => fields.EmittedLength;

        public override byte Protocol => IpProtocols.Tcp;

        public override void Write(Span<byte> bytes)
        {
            fields.Emit(bytes);
            if (TcpEditor.TryCreate(bytes, out TcpEditor editor))
            {
                editor.FillChecksum(network.Source, network.FinalDestination);
            }
        }
    }

    public sealed class Udp(UdpFields fields, bool checksum, Network network) : PacketLayer
    {
        public override int LengthBytes => UdpFields.EmittedLength;

        public override byte Protocol => IpProtocols.Udp;

        public override void Write(Span<byte> bytes)
        {
            (fields with { PayloadLengthBytes = bytes.Length - LengthBytes }).Emit(bytes);
            if (checksum && UdpEditor.TryCreate(bytes, out UdpEditor editor))
            {
                editor.FillChecksum(network.Source, network.FinalDestination);
            }
        }
    }

    public sealed class IcmpMessage(Icmpv4Fields fields) : PacketLayer
    {
        public override int LengthBytes => Icmpv4Fields.EmittedLength;

        public override byte Protocol => IpProtocols.Icmp;

        public override void Write(Span<byte> bytes) => fields.Emit(bytes);
    }

    public sealed class Icmpv6Message(Icmpv6Fields fields, Network network) : PacketLayer
    {
        public override int LengthBytes => Icmpv6Fields.EmittedLength;

        public override byte Protocol => IpProtocols.Icmpv6;

        public override void Write(Span<byte> bytes) => fields.Emit(bytes, network.Source, network.FinalDestination);
    }

    /// <summary>Bytes that are complete in themselves: a payload, an ARP packet, or a neighbour discovery message.</summary>
    public sealed class Bytes(byte[] content, ushort etherType = PacketLayer.ExperimentalEtherType, byte protocol = PacketLayer.ExperimentalProtocol)
        : PacketLayer
    {
        public override int LengthBytes => content.Length;

        public override ushort EtherType => etherType;

        public override byte Protocol => protocol;

        public override bool IsContainer => false;

        public override void Write(Span<byte> bytes) => content.CopyTo(bytes);
    }
}
