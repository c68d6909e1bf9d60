using Dataplane.Nat;
using Dataplane.Packets;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Reference;

namespace Dataplane.Tests.Nat;

/// <summary>Hosts 11 to 13 inside behind mapped ports of the gateway's address, and many remote ones behind the host outside, in one address family.</summary>
internal sealed class MappedNet(int family)
{
    public NatNet Net { get; } = NatNet.Of(family);

    public IpAddress Gateway => Net.Gateway;

    /// <summary>A remote address.</summary>
    public IpAddress Remote(int number) => IpAddress.Parse(family == 4 ? $"203.0.113.{number}" : $"2001:db8:9::{number}");

    public static NatSpec Rule(NatFiltering filtering = NatFiltering.AddressAndPortDependent) =>
        new() { Inside = "lan", Outside = "wan", Mapping = NatMapping.EndpointIndependent, Filtering = filtering };

    public static TestPlane Create(NatSpec rule, int workers = 1, Action<DataplaneBuilder>? more = null) => TestPlane.Create(builder =>
    {
        builder.Nat(rule).Route("203.0.113.0/24", "198.51.100.2").Route("2001:db8:9::/64", "2001:db8:1::2").Workers(settings => settings with { Count = workers });
        more?.Invoke(builder);
    });

    /// <summary>A packet of an inside host.</summary>
    public PacketBuilder From(int host, IpAddress destination, byte ttl = 64) => PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Ip(Net.Inside(host), destination, ttl);

    /// <summary>What comes from a remote address.</summary>
    public PacketBuilder FromRemote(IpAddress remote) => PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ip(remote, Gateway);

    /// <summary>What arrives outside.</summary>
    public PacketBuilder AtRemote(IpAddress remote) => PacketBuilder.Ethernet(TestPlane.WanMac, TestPlane.ClientMac).Ip(Gateway, remote, 63);

    /// <summary>What arrives at an inside host.</summary>
    public PacketBuilder At(int host, IpAddress source) => PacketBuilder.Ethernet(TestPlane.LanMac, TestPlane.ServerMac).Ip(source, Net.Inside(host), 63);

    /// <summary>Has a host send a datagram, and tells the port it comes from outside.</summary>
    public ushort Open(TestPlane plane, int host, ushort port, IpAddress remote, ushort remotePort = 53)
    {
        byte[] sent = plane.SendForOne("lan", From(host, remote).Udp(port, remotePort).Payload("x").Build(), "wan");
        ushort outside = (ushort)ReferenceDecoder.Decode(sent).SourcePort;
        NatNet.Same(AtRemote(remote).Udp(outside, remotePort).Payload("x").Build(), sent);
        return outside;
    }

    /// <summary>Whether a datagram from outside reaches an inside host, byte by byte; else it must be dropped.</summary>
    public bool Reaches(TestPlane plane, IpAddress remote, ushort remotePort, ushort outside, int host, ushort port)
    {
        IReadOnlyList<(string Port, byte[] Frame)> sent = plane.Send("wan", FromRemote(remote).Udp(remotePort, outside).Payload("y").Build());
        if (sent.FirstOrDefault(frame => frame.Port == "lan").Frame is not { } arrived)
        {
            return false;
        }

        NatNet.Same(At(host, remote).Udp(remotePort, port).Payload("y").Build(), arrived);
        Assert.Single(sent);
        return true;
    }
}
