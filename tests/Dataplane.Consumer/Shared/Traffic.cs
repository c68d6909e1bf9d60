using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Telemetry;

namespace Dataplane.Consumer.Shared;

/// <summary>A client on port wan and two hosts on port lan: packets that are sent, and the very bytes that must come out, or nothing.</summary>
/// <remarks>What must come out is built anew, checksums too, while the engine changes what came in: the two agree only if both are right.</remarks>
internal sealed class Traffic
{
    private const string Client = "02:00:00:00:00:09", Wan = "02:00:00:00:00:01", Lan = "02:00:00:00:00:02", Host = "02:00:00:00:00:07";

    private readonly (string What, bool FromWan, byte[] Sent, byte[]? Expected)[] _exchanges =
    [
        // Not the last one: packets of a port are forwarded in order, so that it has been decided when the next is out.
        ("denied by rule", true, FromClient().Ipv4("198.51.100.66", "192.0.2.77").Udp(1000, 2000).Payload("x").Build(), null),
        ("IPv4 to the service", true,
            FromClient().Ipv4("198.51.100.9", "203.0.113.53").Udp(5000, 53).Payload("query").Build(),
            ToHost().Ipv4("198.51.100.9", "10.1.0.7", ttl: 63).Udp(5000, 5353).Payload("query").Build()),
        ("the backend's answer", false,
            PacketBuilder.Ethernet(Host, Lan).Ipv4("10.1.0.7", "198.51.100.9").Udp(5353, 5000).Payload("answer").Build(),
            PacketBuilder.Ethernet(Wan, Client).Ipv4("203.0.113.53", "198.51.100.9", ttl: 63).Udp(53, 5000).Payload("answer").Build()),
        ("IPv6 to the service", true,
            FromClient().Ipv6("2001:db8:1::9", "2001:db8:53::53").Udp(5000, 53).Payload("query").Build(),
            ToHost().Ipv6("2001:db8:1::9", "2001:db8:2::7", hopLimit: 63).Udp(5000, 5353).Payload("query").Build()),
        ("IPv4 routed", true,
            FromClient().Ipv4("198.51.100.9", "192.0.2.77").Udp(1000, 2000).Payload("x").Build(),
            ToHost().Ipv4("198.51.100.9", "192.0.2.77", ttl: 63).Udp(1000, 2000).Payload("x").Build()),
        ("IPv6 routed", true,
            FromClient().Ipv6("2001:db8:1::9", "2001:db8:ffff::77").Udp(1000, 2000).Payload("x").Build(),
            ToHost().Ipv6("2001:db8:1::9", "2001:db8:ffff::77", hopLimit: 63).Udp(1000, 2000).Payload("x").Build()),
    ];

    private readonly MemoryPort _wan = new(new MemoryPortOptions { Mac = MacAddress.Parse(Wan) });
    private readonly MemoryPort _lan = new(new MemoryPortOptions { Mac = MacAddress.Parse(Lan) });

    /// <summary>The same gateway as <see cref="Configure"/> makes, without its ports, as text.</summary>
    public static string Yaml => """
        interfaces:
          - { port: wan, address: 198.51.100.1/24 }
          - { port: wan, address: "2001:db8:1::1/64" }
          - { port: lan, address: 10.1.0.1/24 }
          - { port: lan, address: "2001:db8:2::1/64" }
        neighbours:
          - { port: wan, address: 198.51.100.9, mac: "02:00:00:00:00:09" }
          - { port: lan, address: 10.1.0.7, mac: "02:00:00:00:00:07" }
          - { port: lan, address: "2001:db8:2::7", mac: "02:00:00:00:00:07" }
        routes:
          - { to: 0.0.0.0/0, via: 10.1.0.7 }
          - { to: "::/0", via: "2001:db8:2::7" }
        filter:
          default: allow
          rules: [ { name: no-guest, action: deny, from: 198.51.100.66/32 } ]
        services:
          - { name: dns, address: 203.0.113.53, port: 53, protocol: udp, balance: maglev, backends: [ { address: 10.1.0.7, port: 5353 } ] }
          - { name: dns6, address: "2001:db8:53::53", port: 53, protocol: udp, balance: maglev, backends: [ { address: "2001:db8:2::7", port: 5353 } ] }

        """;

    /// <summary>Adds the ports, which are code and can be in no text.</summary>
    public DataplaneBuilder AddPorts(DataplaneBuilder builder) => builder.Port("wan", PortSource.Memory(_wan)).Port("lan", PortSource.Memory(_lan));

    /// <summary>Writes the gateway down with the builder.</summary>
    public DataplaneBuilder Configure(DataplaneBuilder builder) => AddPorts(builder)
        .Interface("wan", "198.51.100.1/24").Interface("wan", "2001:db8:1::1/64")
        .Interface("lan", "10.1.0.1/24").Interface("lan", "2001:db8:2::1/64")
        .Neighbour("wan", "198.51.100.9", Client).Neighbour("lan", "10.1.0.7", Host).Neighbour("lan", "2001:db8:2::7", Host)
        .Route("0.0.0.0/0", via: "10.1.0.7").Route("::/0", via: "2001:db8:2::7")
        .Filter(filter => filter.Deny(from: "198.51.100.66/32", name: "no-guest").DefaultAllow())
        .Service("dns", "203.0.113.53", 53, service => service.Udp().Maglev().Backend("10.1.0.7", 5353))
        .Service("dns6", "2001:db8:53::53", 53, service => service.Udp().Maglev().Backend("2001:db8:2::7", 5353));

    /// <summary>Sends everything through a running engine and returns what was wrong with what came out; empty when nothing was.</summary>
    public IReadOnlyList<string> Send()
    {
        var faults = new List<string>();
        foreach ((string what, bool fromWan, byte[] sent, byte[]? expected) in _exchanges)
        {
            MemoryPort enters = fromWan ? _wan : _lan, leaves = fromWan ? _lan : _wan;
            if (!enters.TrySend(sent))
            {
                faults.Add($"{what}: the port does not take the packet");
            }
            else if (expected is not null)
            {
                byte[] got = Receive(leaves);
                if (!got.AsSpan().SequenceEqual(expected))
                {
                    faults.Add($"{what}: got {(got.Length == 0 ? "nothing" : Convert.ToHexStringLower(got))}, not {Convert.ToHexStringLower(expected)}");
                }
            }
        }

        return faults;
    }

    /// <summary>What is wrong with the accounting behind <see cref="Send"/>, the engine having stopped; empty when nothing is.</summary>
    public IReadOnlyList<string> Check(Accounting accounting)
    {
        int dropped = _exchanges.Count(exchange => exchange.Expected is null);
        var faults = new List<string>();
        if (!accounting.IsBalanced || accounting.Received != _exchanges.Length || accounting.Transmitted != _exchanges.Length - dropped
            || accounting.Dropped != dropped || accounting.DroppedFor(DropReason.FilterRule) != dropped || accounting.Originated != 0)
        {
            faults.Add($"the accounting is: {accounting}");
        }

        if (_wan.PendingReceived + _lan.PendingReceived > 0)
        {
            faults.Add($"packets left that nobody asked for: {_wan.PendingReceived} by wan, {_lan.PendingReceived} by lan");
        }

        return faults;
    }

    private static PacketBuilder FromClient() => PacketBuilder.Ethernet(Client, Wan);

    private static PacketBuilder ToHost() => PacketBuilder.Ethernet(Lan, Host);

    private static byte[] Receive(MemoryPort port)
    {
        byte[] frame = new byte[2048];
        return port.WaitToReceive(TimeSpan.FromSeconds(30)) && port.TryReceive(frame, out int length) ? frame[..length] : [];
    }
}
