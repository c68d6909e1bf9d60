using Dataplane.Balancing;
using Dataplane.Packets;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Reference;

namespace Dataplane.Tests.Flows;

/// <summary>A service in front of the backends of <see cref="TestPlane"/>, in one address family, and its packets on all four legs of their way.</summary>
internal sealed class ServiceNet
{
    private readonly IpAddress _client;
    private readonly IpAddress _service;
    private readonly string _backendPrefix;

    private ServiceNet(string client, string service, string backendPrefix)
    {
        _client = IpAddress.Parse(client);
        _service = IpAddress.Parse(service);
        _backendPrefix = backendPrefix;
    }

    public static ServiceNet V4 { get; } = new("198.51.100.2", "203.0.113.80", "10.1.0.");

    public static ServiceNet V6 { get; } = new("2001:db8:1::2", "2001:db8:80::80", "2001:db8:2::");

    public IpAddress Client => _client;

    public IpAddress Service => _service;

    public static ServiceNet Of(int family) => family == 4 ? V4 : V6;

    /// <summary>Backend 11, 12 or 13.</summary>
    public IpAddress Backend(int host) => IpAddress.Parse(_backendPrefix + host);

    public PacketBuilder FromClient(byte ttl = 64) => PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ip(_client, _service, ttl);

    public PacketBuilder AtBackend(int host, byte ttl = 63) => PacketBuilder.Ethernet(TestPlane.LanMac, TestPlane.ServerMac).Ip(_client, Backend(host), ttl);

    public PacketBuilder FromBackend(int host, byte ttl = 64) => PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Ip(Backend(host), _client, ttl);

    public PacketBuilder AtClient(byte ttl = 63) => PacketBuilder.Ethernet(TestPlane.WanMac, TestPlane.ClientMac).Ip(_service, _client, ttl);

    /// <summary>An engine with one service on port 80 with the given backends, their port 8080.</summary>
    public TestPlane Create(bool tcp = true, BalancePolicy policy = BalancePolicy.RoundRobin, int flowEntries = 4096, params int[] hosts) =>
        TestPlane.Create(builder => Add(builder, "web", 80, tcp, policy, hosts).Workers(workers => workers with { FlowEntries = flowEntries }));

    /// <summary>Adds a service of the address.</summary>
    public DataplaneBuilder Add(DataplaneBuilder builder, string name, int port, bool tcp, BalancePolicy policy, params int[] hosts) =>
        builder.Service(name, _service.ToString(), port, service =>
        {
            service = tcp ? service.Tcp() : service.Udp();
            service = policy switch { BalancePolicy.RoundRobin => service.RoundRobin(), BalancePolicy.Weighted => service.Weighted(), _ => service.Maglev() };
            foreach (int host in hosts)
            {
                service = service.Backend(Backend(host).ToString(), 8080);
            }
        });

    /// <summary>The backend (11, 12, 13) a frame that left by "lan" is addressed to.</summary>
    public int HostOf(byte[] frame)
    {
        ReferencePacket packet = ReferenceDecoder.Decode(frame);
        Assert.True(packet.TransportChecksumRight != false && packet.HeaderChecksumRight != false, Convert.ToHexString(frame));
        return Enumerable.Range(11, 3).Single(host => Backend(host).ToString() == packet.Destination);
    }

    public static void Same(byte[] expected, byte[] actual) => Assert.Equal(Convert.ToHexString(expected), Convert.ToHexString(actual));
}
