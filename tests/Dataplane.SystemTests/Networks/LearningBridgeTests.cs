using Dataplane.Bridging;
using Dataplane.Native.Tests;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.SystemTests.Support;
using Dataplane.Telemetry;

namespace Dataplane.SystemTests.Networks;

/// <summary>A learning bridge between a kernel's bridge with two hosts behind it and a host of its own, with the kernels' own ARP, neighbour discovery and TCP.</summary>
public sealed class LearningBridgeTests
{
    private const int Hosts = 32;

    private static readonly string[] s_names = ["one", "two", "three"];

    /// <summary>Sends so many broadcast frames, each from another address, and as many to one address from others.</summary>
    private const string Flooder = """
        import socket, sys, time
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        s.bind((sys.argv[1], 0))
        for i in range(int(sys.argv[2])):
            for target in b'\xff' * 6, bytes.fromhex(sys.argv[3].replace(':', '')):
                s.send(target + b'\x02\x55' + i.to_bytes(4, 'big') + b'\x88\xb5' + bytes(46))
            if i % 100 == 99: time.sleep(0.005)
        """;

    /// <summary>Sends a broadcast in VLAN 7: not every kernel has VLAN devices.</summary>
    private const string Tagger = """
        import socket, sys
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        s.bind((sys.argv[1], 0))
        s.send(b'\xff' * 6 + bytes.fromhex(sys.argv[2]) + b'\x81\x00\x00\x07\x88\xb5' + bytes(46))
        """;

    [SystemFact("ping", "iperf3", "ip", "python3")]
    public async Task HostsBehindOnePort_AreLearntAndReached_WhateverAnotherFloods()
    {
        using NetworkNamespace rack = NetworkNamespace.Create("lbrack"), one = NetworkNamespace.Create("lbone"), two = NetworkNamespace.Create("lbtwo"), three = NetworkNamespace.Create("lbthree");
        await using DataplaneEngine engine = new DataplaneBuilder()
            .Port("rack", PortSource.Tap("up0", rack.Name)).Port("three", PortSource.Tap("e0", three.Name))
            .Bridge(new BridgeSpec { Name = "lan", Broadcast = 100, Unknown = 100, Ports = [new() { Port = "rack" }, new() { Port = "three", Hosts = Hosts }] }).Build();
        await engine.StartAsync();
        await TestNetwork.IpAsync(rack.Name, "link add br0 type bridge mcast_snooping 0\nlink set br0 up\nlink set up0 master br0 up\n"
            + $"link add one type veth peer name e0 netns {one.Name}\nlink add two type veth peer name e0 netns {two.Name}\nlink set one master br0 up\nlink set two master br0 up\n");
        foreach ((NetworkNamespace host, int number) in new[] { (one, 1), (two, 2), (three, 3) })
        {
            await TestNetwork.IpAsync(host.Name, $"link set lo up\nlink set e0 address 02:00:0a:59:00:0{number}\naddr add 10.89.0.{number}/24 dev e0\naddr add fd00:89::{number}/64 dev e0 nodad\n"
                + "link set e0 up\n");
        }

        foreach (NetworkNamespace host in new[] { one, two })
        {
            await PingAsync(host, "10.89.0.3", "fd00:89::3");
        }

        await PingAsync(one, "10.89.0.2", "fd00:89::2");
        foreach ((NetworkNamespace host, int number) in new[] { (one, 1), (two, 2), (three, 3) })
        {
            (await ChildProgram.RunAsync(host.Name, ["python3", "-c", Tagger, "e0", $"02000a59000{number}"])).MustSucceed();
        }

        await WaitAsync(() => engine.ReadBridgeAddresses().Count(known => known.Vlan == 7) == 3);
        Assert.Equal(
            s_names.SelectMany((_, number) => new[] { 0, 7 }.Select(vlan => ($"02:00:0a:59:00:0{number + 1}", vlan, number == 2 ? "three" : "rack"))).Order(),
            engine.ReadBridgeAddresses().Where(known => known.Mac.ToString().StartsWith("02:00:0a:59", StringComparison.Ordinal)).Select(known => (known.Mac.ToString(), known.Vlan, known.Port)).Order());

        (await ChildProgram.RunAsync(three.Name, ["python3", "-c", Flooder, "e0", "3000", "02:00:0a:59:00:01"])).MustSucceed();
        await PingAsync(two, "10.89.0.3", "fd00:89::3");
        await IperfAsync(one, three, "10.89.0.3");
        BridgePortStatus flooder = Assert.Single(engine.ReadBridges()).Ports[1];
        Assert.InRange(flooder.Addresses, 3, Hosts);
        Assert.True(flooder.Unlearnt >= 2000 && flooder.LimitedBroadcast >= 1000, flooder.ToString());
        await engine.StopAsync();
        Accounting accounting = engine.ReadAccounting();
        Assert.True(accounting.IsBalanced && accounting.Held == 0, accounting.ToString());
        Assert.Equal(flooder.LimitedBroadcast, accounting.DroppedFor(DropReason.FloodLimited) - flooder.LimitedMulticast - flooder.LimitedUnknown);
    }

    private static async Task WaitAsync(Func<bool> holds)
    {
        for (int i = 0; i < 100 && !holds(); i++)
        {
            await Task.Delay(50);
        }
    }

    private static async Task PingAsync(NetworkNamespace host, params string[] addresses)
    {
        foreach (string address in addresses)
        {
            (await ChildProgram.RunAsync(host.Name, ["ping", "-c", "3", "-i", "0.05", "-W", "2", address])).MustSucceed();
        }
    }

    private static async Task IperfAsync(NetworkNamespace client, NetworkNamespace server, string address)
    {
        await using var listener = ChildProgram.Start(server.Name, "iperf3", "--server", "--one-off", "--forceflush");
        await listener.AwaitLineAsync(line => line.Contains("Server listening", StringComparison.Ordinal));
        (await ChildProgram.RunAsync(client.Name, ["iperf3", "--client", address, "--bytes", "16M"])).MustSucceed();
    }
}
