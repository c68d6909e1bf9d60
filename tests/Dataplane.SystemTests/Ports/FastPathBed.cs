using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Dataplane.Native;
using Dataplane.Native.Tests;
using Dataplane.Ports;
using Dataplane.SystemTests.Support;
using Dataplane.Telemetry;

namespace Dataplane.SystemTests.Ports;

/// <summary>An engine with <c>offload: xdp</c> in this process, translating for a client towards a server, each in a namespace behind a veth pair.</summary>
internal sealed class FastPathBed : IAsyncDisposable
{
    public const int Port = 5201;

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    private FastPathBed()
    {
    }

    public NetworkNamespace Client { get; } = NetworkNamespace.Create("fclient");

    /// <summary>Where the engine's interfaces are: wire0 towards the client, wire1 towards the server.</summary>
    public NetworkNamespace Between { get; } = NetworkNamespace.Create("fbetween");

    public NetworkNamespace Server { get; } = NetworkNamespace.Create("fserver");

    public DataplaneEngine Engine { get; private set; } = null!;

    /// <summary>Starts the engine.</summary>
    /// <param name="takes">Whether the other ends take redirected frames: generic receive offload on.</param>
    /// <param name="change">What is different about the configuration.</param>
    public static async Task<FastPathBed> StartAsync(bool takes = true, Func<DataplaneSpec, DataplaneSpec>? change = null)
    {
        var bed = new FastPathBed();
        bed.Configure(bed.Client, "wire0", 95, takes);
        bed.Configure(bed.Server, "wire1", 96, takes);
        DataplaneSpec spec = new DataplaneBuilder()
            .Port("client", PortSource.AfXdp("wire0")).Port("server", PortSource.AfXdp("wire1"))
            .Interface("client", "10.95.0.1/24").Interface("client", "2001:db8:95::1/64")
            .Interface("server", "10.96.0.1/24").Interface("server", "2001:db8:96::1/64")
            // A small table is looked through at once.
            .Nat("client", "server").Workers(workers => workers with { FlowEntries = 4096 }).Build().Spec;
        spec = spec with { Ports = [.. spec.Ports.Select(port => port with { Offload = PortOffload.Xdp })] };
        bed.Engine = new DataplaneEngine(change is null ? spec : change(spec));
        bed.InBetween(() => bed.Engine.StartAsync());
        await Task.CompletedTask;
        return bed;
    }

    public static void Await(Func<bool> condition, Func<string> what)
    {
        long start = Stopwatch.GetTimestamp();
        while (!condition())
        {
            Assert.True(Stopwatch.GetElapsedTime(start) < s_patience, what());
            Thread.Sleep(5);
        }
    }

    public static string Target(int version) => version == 4 ? "10.96.0.2" : "2001:db8:96::2";

    /// <summary>Does something that opens ports, in the namespace where their interfaces are.</summary>
    public void InBetween(Func<Task> action) => NamespaceThread.Run(Between.Name, () =>
    {
        action().GetAwaiter().GetResult();
        return 0;
    });

    public PortStatus PortOf(string name) => Engine.ReadPorts().Single(port => port.Name == name);

    /// <summary>Exchanges packets until the programs forward both ways.</summary>
    public void AwaitFast(Action exchange)
    {
        long[] before = FastByPort();
        Await(() =>
        {
            exchange();
            return FastByPort().Zip(before, (now, then) => now - then).All(more => more >= 10);
        }, () => $"{string.Join(' ', FastByPort())} packets went the fast path; {string.Join(' ', Engine.ReadPorts())} {string.Join(' ', Engine.ReadFlows())}");
    }

    private long[] FastByPort() => [.. Engine.ReadPorts().Select(port => port.Statistics.FastPathPackets)];

    /// <summary>Packets that the programs have forwarded.</summary>
    public long FastPackets() => Engine.ReadPorts().Sum(port => port.Statistics.FastPathPackets);

    public static System.Net.Sockets.Socket Udp(NetworkNamespace home, int version, int port) => QueueBed.Udp(home, version, port);

    public static EndPoint Anyone(int version) => new IPEndPoint(version == 4 ? IPAddress.Any : IPAddress.IPv6Any, 0);

    /// <summary>Ends the engine; it must know what became of every packet, the programs' among them.</summary>
    public async Task<Accounting> StopAsync()
    {
        await Engine.StopAsync();
        Accounting accounting = Engine.ReadAccounting();
        Assert.True(accounting.IsBalanced, accounting.ToString());
        Assert.Equal(0, accounting.Held);
        Assert.Equal(accounting.Received, Engine.ReadPorts().Sum(port => port.Statistics.ReceivedPackets));
        Assert.Equal(accounting.Transmitted, Engine.ReadPorts().Sum(port => port.Statistics.TransmittedPackets));
        return accounting;
    }

    public async ValueTask DisposeAsync()
    {
        if (Engine is not null)
            await Engine.DisposeAsync();
        Client.Dispose();
        Between.Dispose();
        Server.Dispose();
    }

    private void Configure(NetworkNamespace home, string wire, int net, bool takes)
    {
        NetworkNamespace.Connect(Between, wire, home, "e0");
        // A kernel leaves checksums to hardware which is not there, unless it is told otherwise; such packets are the engine's.
        home.Execute("ethtool", "-K", "e0", "tx", "off", "gro", takes ? "on" : "off");
        home.Address("e0", string.Create(CultureInfo.InvariantCulture, $"10.{net}.0.2/24"));
        home.Address("e0", string.Create(CultureInfo.InvariantCulture, $"2001:db8:{net}::2/64"));
        home.Execute("ip", "route", "add", "default", "via", string.Create(CultureInfo.InvariantCulture, $"10.{net}.0.1"));
        home.Execute("ip", "-6", "route", "add", "default", "via", string.Create(CultureInfo.InvariantCulture, $"2001:db8:{net}::1"));
    }
}
