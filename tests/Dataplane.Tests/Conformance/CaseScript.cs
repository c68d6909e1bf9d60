using System.Buffers.Binary;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Tests.Reassembly;

namespace Dataplane.Tests.Conformance;

/// <summary>What a case says its packets with: the addresses of its family, ports of its own, and steps.</summary>
/// <param name="family">4 or 6.</param>
/// <param name="port">First of <see cref="ConformanceGroup.PortsOfACase"/> ports that no other case of the group uses; even.</param>
/// <param name="bed">Where it is played.</param>
internal sealed partial class CaseScript(int family, ushort port, ICaseBed bed)
{
    public bool IsV4 => family == 4;

    /// <summary>Bytes from the start of a frame to the transport header, where there are no options.</summary>
    public int TransportAt => IsV4 ? 34 : 54;

    /// <summary>A port, or an identifier, of the case's own.</summary>
    public ushort Port(int number = 0) => (ushort)(port + number);

    /// <summary>A host inside: 11, 12 or 13.</summary>
    public IpAddress Host(int number = 11) => IpAddress.Parse(IsV4 ? $"10.1.0.{number}" : $"2001:db8:2::{number}");

    /// <summary>The host on the link outside.</summary>
    public IpAddress Client { get; } = IpAddress.Parse(family == 4 ? "198.51.100.2" : "2001:db8:1::2");

    /// <summary>A host beyond it.</summary>
    public IpAddress Remote(int number) => IpAddress.Parse(IsV4 ? $"203.0.113.{number}" : $"2001:db8:9::{number}");

    /// <summary>The gateway's address outside.</summary>
    public IpAddress Gateway { get; } = IpAddress.Parse(family == 4 ? "198.51.100.1" : "2001:db8:1::1");

    /// <summary>Its address inside.</summary>
    public IpAddress LanGateway { get; } = IpAddress.Parse(family == 4 ? "10.1.0.1" : "2001:db8:2::1");

    /// <summary>The address of services.</summary>
    public IpAddress Service { get; } = IpAddress.Parse(family == 4 ? "192.0.2.80" : "2001:db8:80::80");

    /// <summary>An address of either family.</summary>
    public IpAddress Of(string v4, string v6) => IpAddress.Parse(IsV4 ? v4 : v6);

    public PacketBuilder FromLan(IpAddress source, IpAddress destination, byte ttl = 64) =>
        PacketBuilder.Ethernet(ConformanceWorld.ServerMac, ConformanceWorld.LanMac).Ip(source, destination, ttl);

    public PacketBuilder FromWan(IpAddress source, IpAddress destination, byte ttl = 64) =>
        PacketBuilder.Ethernet(ConformanceWorld.ClientMac, ConformanceWorld.WanMac).Ip(source, destination, ttl);

    public PacketBuilder AtLan(IpAddress source, IpAddress destination, byte ttl = 63) =>
        PacketBuilder.Ethernet(ConformanceWorld.LanMac, ConformanceWorld.ServerMac).Ip(source, destination, ttl);

    public PacketBuilder AtWan(IpAddress source, IpAddress destination, byte ttl = 63) =>
        PacketBuilder.Ethernet(ConformanceWorld.WanMac, ConformanceWorld.ClientMac).Ip(source, destination, ttl);

    /// <summary>A frame comes from inside.</summary>
    public CaseStep Lan(byte[] frame) => new(bed, "lan", frame);

    /// <summary>A packet comes from inside.</summary>
    public CaseStep Lan(PacketBuilder packet) => Lan(packet.Build());

    /// <summary>A frame comes from outside.</summary>
    public CaseStep Wan(byte[] frame) => new(bed, "wan", frame);

    /// <summary>A packet comes from outside.</summary>
    public CaseStep Wan(PacketBuilder packet) => Wan(packet.Build());

    /// <summary>A host inside sends to the client, and it passes as it is.</summary>
    public void Out(Func<PacketBuilder, PacketBuilder> body) => Lan(body(FromLan(Host(), Client))).ToWan(body(AtWan(Host(), Client)));

    /// <summary>The client sends to a host inside, and it passes as it is.</summary>
    public void In(Func<PacketBuilder, PacketBuilder> body) => Wan(body(FromWan(Client, Host()))).ToLan(body(AtLan(Client, Host())));

    /// <summary>A host inside sends to the client, and it is dropped without a word.</summary>
    public void OutDropped(DropReason reason, Func<PacketBuilder, PacketBuilder> body) => Lan(body(FromLan(Host(), Client))).Dropped(reason);

    /// <summary>The client sends to a host inside, and it is dropped without a word.</summary>
    public void InDropped(DropReason reason, Func<PacketBuilder, PacketBuilder> body) => Wan(body(FromWan(Client, Host()))).Dropped(reason);

    public void Wait(double seconds) => bed.Wait(TimeSpan.FromSeconds(seconds));

    public void Update(Func<DataplaneSpec, DataplaneSpec> change) => bed.Update(change);

    /// <summary>Source port, or identifier of an echo, of a frame that left.</summary>
    public ushort SourcePort(byte[] frame) => BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(TransportAt));

    /// <summary>Identifier of an echo message that left.</summary>
    public ushort EchoIdentifier(byte[] frame) => BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(TransportAt + 4));

    /// <summary>The packet in fragments under the case's own identification.</summary>
    /// <param name="packet">The packet.</param>
    /// <param name="dataBytes">Bytes of each but the last.</param>
    /// <param name="number">Which of the case's identifications.</param>
    public IReadOnlyList<byte[]> Fragments(PacketBuilder packet, int dataBytes, int number = 0) => Pieces.Of(packet, dataBytes, Port(number));

    public void Same(PacketBuilder expected, byte[] actual) => bed.AssertSame([("", expected.Build())], [("", actual)]);
}
