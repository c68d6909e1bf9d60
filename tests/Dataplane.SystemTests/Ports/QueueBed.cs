using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Dataplane.Native;
using Dataplane.Native.Tests;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.SystemTests.Support;
using Dataplane.Telemetry;

namespace Dataplane.SystemTests.Ports;

/// <summary>What the ports of a <see cref="QueueBed"/> are.</summary>
public enum QueueKind
{
    AfPacket,
    AfXdp,
    Tap,
}

/// <summary>An engine of several workers, in this process, between two hosts in namespaces of their own; both its ports have several queues.</summary>
internal sealed class QueueBed : IAsyncDisposable
{
    public const int Port = 5201;

    private readonly NetworkNamespace _between;
    private readonly QueueKind _kind;
    private readonly int _queues;

    private QueueBed(QueueKind kind, int queues)
    {
        (_kind, _queues) = (kind, queues);
        (Client, _between, Server) = (NetworkNamespace.Create("qclient"), NetworkNamespace.Create("qbetween"), NetworkNamespace.Create("qserver"));
    }

    public NetworkNamespace Client { get; }

    public NetworkNamespace Server { get; }

    public DataplaneEngine Engine { get; private set; } = null!;

    /// <summary>Starts the engine.</summary>
    /// <param name="kind">Kind of both ports.</param>
    /// <param name="workers">Workers.</param>
    /// <param name="queues">Queues of each port.</param>
    /// <param name="translated">Whether the client's source is translated: then flows have owners, and some are handed over.</param>
    public static async Task<QueueBed> StartAsync(QueueKind kind, int workers = 2, int queues = 2, bool translated = false)
    {
        var bed = new QueueBed(kind, queues);
        DataplaneBuilder builder = new DataplaneBuilder()
            .Port("client", bed.Source(bed.Client, "wire0"))
            .Port("server", bed.Source(bed.Server, "wire1"))
            .Interface("client", "10.93.0.1/24").Interface("client", "2001:db8:93::1/64")
            .Interface("server", "10.94.0.1/24").Interface("server", "2001:db8:94::1/64")
            .Workers(spec => spec with { Count = workers });
        bed.Engine = (translated ? builder.Nat("client", "server") : builder).Build();
        await bed.Engine.StartAsync();
        Configure(bed.Client, 93);
        Configure(bed.Server, 94);
        return bed;
    }

    /// <summary>Gives the client its addresses again, whose device went with the port.</summary>
    public void Reconfigure() => Configure(Client, 93);

    public static string Target(int version) => version == 4 ? "10.94.0.2" : "2001:db8:94::2";

    public PortStatus PortOf(string name) => Engine.ReadPorts().Single(port => port.Name == name);

    /// <summary>A UDP socket of a host.</summary>
    public static System.Net.Sockets.Socket Udp(NetworkNamespace home, int version, int port) => NamespaceThread.Run(home.Name, () =>
    {
        var socket = new System.Net.Sockets.Socket(version == 4 ? AddressFamily.InterNetwork : AddressFamily.InterNetworkV6, SocketType.Dgram, ProtocolType.Udp)
        {
            ReceiveBufferSize = 8 << 20,
            ReceiveTimeout = 20_000,
        };
        socket.Bind(new IPEndPoint(version == 4 ? IPAddress.Any : IPAddress.IPv6Any, port));
        return socket;
    });

    /// <summary>Runs iperf3 from client to server; returns the bytes the server has received.</summary>
    public async Task<long> RunIperfAsync(params string[] arguments)
    {
        await using var server = ChildProgram.Start(Server.Name, "iperf3", "--server", "--one-off", "--forceflush");
        await server.AwaitLineAsync(line => line.Contains("Server listening", StringComparison.Ordinal));
        ProgramResult result = (await ChildProgram.RunAsync(Client.Name, ["iperf3", "--json", .. arguments])).MustSucceed();
        using var report = System.Text.Json.JsonDocument.Parse(result.Output);
        return report.RootElement.GetProperty("end").GetProperty("sum_received").GetProperty("bytes").GetInt64();
    }

    /// <summary>Ends the engine; it must know what became of every packet, and each port's counters must be the sums of its queues'.</summary>
    public async Task<Accounting> StopAsync()
    {
        await Engine.StopAsync();
        Accounting accounting = Engine.ReadAccounting();
        Assert.True(accounting.IsBalanced, accounting.ToString());
        Assert.Equal(0, accounting.Held);
        Assert.Equal(accounting.Received, Engine.ReadPorts().Sum(port => port.Statistics.ReceivedPackets));
        Assert.Equal(accounting.Transmitted, Engine.ReadPorts().Sum(port => port.Statistics.TransmittedPackets - port.Statistics.TransmitLost));
        foreach (PortStatus port in Engine.ReadPorts())
        {
            Assert.Equal(_queues, port.Queues.Count);
            Assert.Equal(port.Statistics.ReceivedPackets, port.Queues.Sum(queue => queue.ReceivedPackets));
            Assert.Equal(port.Statistics.TransmittedBytes, port.Queues.Sum(queue => queue.TransmittedBytes));
        }

        return accounting;
    }

    public async ValueTask DisposeAsync()
    {
        if (Engine is not null)
            await Engine.DisposeAsync();
        Client.Dispose();
        _between.Dispose();
        Server.Dispose();
    }

    private PortSource Source(NetworkNamespace home, string wire)
    {
        if (_kind != QueueKind.Tap)
        {
            string count = _queues.ToString(CultureInfo.InvariantCulture);
            _between.Link("add", wire, "numrxqueues", count, "numtxqueues", count, "type", "veth",
                "peer", "name", "e0", "numrxqueues", count, "numtxqueues", count, "netns", home.Name);
            _between.Link("set", wire, "addrgenmode", "none", "up");
        }

        return PortSource.Custom(_kind switch
        {
            QueueKind.Tap => new TapPortFactory("e0") { Options = new TapOptions { Offload = true, NetworkNamespace = home.Name } },
            QueueKind.AfXdp => new AfXdpPortFactory(wire) { Options = new AfXdpOptions { NetworkNamespace = _between.Name } },
            _ => new AfPacketPortFactory(wire)
            {
                ReceiveOptions = new AfPacketReceiveOptions { NetworkNamespace = _between.Name },
                TransmitOptions = new AfPacketTransmitOptions { NetworkNamespace = _between.Name },
            },
        }).WithQueues(_queues);
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
