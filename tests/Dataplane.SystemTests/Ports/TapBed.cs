using System.Globalization;
using Dataplane.Native;
using Dataplane.Native.Tests;
using Dataplane.Ports;
using Dataplane.SystemTests.Support;
using Dataplane.Telemetry;

namespace Dataplane.SystemTests.Ports;

/// <summary>An engine in this process between a client and a server, each in a namespace of its own, behind a TAP device or a veth pair.</summary>
internal sealed class TapBed : IAsyncDisposable
{
    public const string Service = "198.51.100.10";
    public const string Service6 = "2001:db8:80::10";
    public const int Port = 5201;

    private readonly NetworkNamespace _between;

    private TapBed(NetworkNamespace client, NetworkNamespace between, NetworkNamespace server, DataplaneEngine engine) =>
        (Client, _between, Server, Engine) = (client, between, server, engine);

    public NetworkNamespace Client { get; }

    public NetworkNamespace Server { get; }

    public DataplaneEngine Engine { get; }

    /// <summary>Starts the engine.</summary>
    /// <param name="client">What the engine's port towards the client is.</param>
    /// <param name="server">What it is towards the server.</param>
    public static async Task<TapBed> StartAsync(BedPort client, BedPort server)
    {
        var clientHome = NetworkNamespace.Create("client");
        var between = NetworkNamespace.Create("between");
        var serverHome = NetworkNamespace.Create("server");
        DataplaneEngine engine = new DataplaneBuilder()
            .Port("client", Make(client, clientHome, between, "wire0"))
            .Port("server", Make(server, serverHome, between, "wire1"))
            .Interface("client", "10.91.0.1/24").Interface("client", "2001:db8:91::1/64")
            .Interface("server", "10.92.0.1/24").Interface("server", "2001:db8:92::1/64")
            .Service("web", Service, Port, service => service.Backend("10.92.0.2", Port))
            .Service("web6", Service6, Port, service => service.Backend("2001:db8:92::2", Port))
            .Build();
        await engine.StartAsync();
        Configure(clientHome, 91);
        Configure(serverHome, 92);
        return new TapBed(clientHome, between, serverHome, engine);
    }

    /// <summary>The server's own address, or the service's in front of it.</summary>
    public static string Target(int version, bool service) =>
        (version, service) switch { (4, false) => "10.92.0.2", (4, true) => Service, (6, false) => "2001:db8:92::2", _ => Service6 };

    public PortStatus PortOf(string name) => Engine.ReadPorts().Single(port => port.Name == name);

    /// <summary>Runs iperf3 from client to server; returns the bytes the server has received.</summary>
    public async Task<long> RunIperfAsync(params string[] arguments)
    {
        await using var server = ChildProgram.Start(Server.Name, "iperf3", "--server", "--one-off", "--forceflush");
        await server.AwaitLineAsync(line => line.Contains("Server listening", StringComparison.Ordinal));
        ProgramResult result = (await ChildProgram.RunAsync(Client.Name, ["iperf3", "--json", .. arguments])).MustSucceed();
        using var report = System.Text.Json.JsonDocument.Parse(result.Output);
        System.Text.Json.JsonElement end = report.RootElement.GetProperty("end");
        return end.TryGetProperty("sum_received", out System.Text.Json.JsonElement sum) || end.TryGetProperty("sum", out sum)
            ? sum.GetProperty("bytes").GetInt64()
            : throw new InvalidOperationException(result.Output);
    }

    /// <summary>Ends the engine; it must know what became of every packet.</summary>
    public async Task<Accounting> StopAsync()
    {
        await Engine.StopAsync();
        Accounting accounting = Engine.ReadAccounting();
        Assert.True(accounting.IsBalanced, accounting.ToString());
        Assert.Equal(0, accounting.Held);
        return accounting;
    }

    public async ValueTask DisposeAsync()
    {
        await Engine.DisposeAsync();
        Client.Dispose();
        _between.Dispose();
        Server.Dispose();
    }

    private static PortSource Make(BedPort port, NetworkNamespace home, NetworkNamespace between, string wire)
    {
        if (!port.Packet)
        {
            return PortSource.Custom(new TapPortFactory("e0") { Options = new TapOptions { Offload = port.Offload, NetworkNamespace = home.Name } });
        }

        // The engine's end is in a namespace without addresses: what comes there must be the engine's alone.
        NetworkNamespace.Connect(between, wire, home, "e0");
        return PortSource.Custom(new AfPacketPortFactory(wire)
        {
            Offload = port.Offload,
            ReceiveOptions = new AfPacketReceiveOptions { NetworkNamespace = between.Name },
            TransmitOptions = new AfPacketTransmitOptions { NetworkNamespace = between.Name },
        });
    }

    private static void Configure(NetworkNamespace home, int net)
    {
        home.Link("set", "e0", "up");
        home.Address("e0", string.Create(CultureInfo.InvariantCulture, $"10.{net}.0.2/24"));
        home.Address("e0", string.Create(CultureInfo.InvariantCulture, $"2001:db8:{net}::2/64"));
        home.Execute("ip", "route", "add", "default", "via", string.Create(CultureInfo.InvariantCulture, $"10.{net}.0.1"));
        home.Execute("ip", "-6", "route", "add", "default", "via", string.Create(CultureInfo.InvariantCulture, $"2001:db8:{net}::1"));
    }
}

/// <summary>A port of the bed.</summary>
/// <param name="Packet">AF_PACKET on one end of a veth pair, the other of which is in the namespace; else a TAP device there.</param>
/// <param name="Offload">Whether super-frames and unfinished checksums may pass.</param>
internal readonly record struct BedPort(bool Packet, bool Offload)
{
    public static BedPort Tap => new(false, true);

    public static BedPort PlainTap => new(false, false);

    public static BedPort Veth => new(true, true);

    public static BedPort PlainVeth => new(true, false);
}
