using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Dataplane.Filtering;
using Dataplane.Native;
using Dataplane.Native.Tests;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.SystemTests.Support;
using Dataplane.Telemetry;

namespace Dataplane.SystemTests.Ports;

/// <summary>The fast path when what it was told changes: what the engine knows holds for the next packet, and what the engine would drop is not forwarded.</summary>
public sealed class FastPathStateTests
{
    private const int ClientPort = 21_000;

    [SystemFact("ethtool")]
    public async Task Answer_ToAFlowThatOneSideSendsByTheFastPath_HasItsNextPacketComeToTheEngine()
    {
        await using FastPathBed bed = await FastPathBed.StartAsync();
        using Socket client = FastPathBed.Udp(bed.Client, 4, ClientPort), server = FastPathBed.Udp(bed.Server, 4, FastPathBed.Port);
        var target = new IPEndPoint(IPAddress.Parse(FastPathBed.Target(4)), FastPathBed.Port);
        EndPoint seen = FastPathBed.Anyone(4);
        byte[] buffer = new byte[64];
        int sent = 0;
        for (int round = 0; round < 5; round++)
        {
            // Each flow is new, since the server forgets nobody: another port of the client.
            using Socket speaker = FastPathBed.Udp(bed.Client, 4, ClientPort + 1 + round);
            long before = bed.FastPackets();
            FastPathBed.Await(() => Send(speaker) && bed.FastPackets() >= before + 3, () => string.Join(' ', bed.Engine.ReadPorts()));
            FastPathBed.Await(() => Translated() == sent, () => $"{Translated()} of {sent}");
            before = bed.FastPackets();
            server.SendTo(buffer, seen);
            Assert.Equal(buffer.Length, speaker.Receive(buffer));
            sent++;
            Send(speaker);
            FastPathBed.Await(() => Translated() == sent, () => $"{Translated()} of {sent}");
            Assert.Equal(before, bed.FastPackets());
        }

        await bed.StopAsync();

        bool Send(Socket from)
        {
            from.SendTo(buffer, target);
            sent++;
            return server.ReceiveFrom(buffer, ref seen) == buffer.Length;
        }

        long Translated() => bed.Engine.ReadNat().Sum(nat => nat.Packets);
    }

    [SystemFact("ethtool")]
    public async Task Reconnect_FromThePortsOfAConnectionThatWasReset_GoesToTheBackendThatIsChosenAnew()
    {
        await using FastPathBed bed = await FastPathBed.StartAsync(change: spec => new DataplaneBuilder(spec with { Nat = [] })
            .Service("web", "10.95.0.100", 80, service => service.RoundRobin().Backend("10.96.0.2", FastPathBed.Port).Backend("10.96.0.3", FastPathBed.Port)).ToSpec());
        bed.Server.Address("e0", "10.96.0.3/24");
        using Socket first = Listen(bed.Server, "10.96.0.2"), second = Listen(bed.Server, "10.96.0.3");
        var backends = new HashSet<string>();
        for (int round = 0; round < 6; round++)
        {
            using Socket client = Connect(bed.Client, "10.95.0.100", 80);
            var listeners = new List<Socket> { first, second };
            Socket.Select(listeners, null, null, TimeSpan.FromSeconds(20));
            Assert.NotEmpty(listeners);
            using Socket server = listeners[0].Accept();
            server.ReceiveTimeout = 10_000;
            backends.Add(server.LocalEndPoint!.ToString()!);
            bed.AwaitFast(() => Exchange(client, server));

            // Reset: the client may use the same port at once.
            client.LingerState = new LingerOption(true, 0);
        }

        // Had a segment of the new connection gone to the backend before, that would have refused it.
        Assert.Equal(2, backends.Count);
        Assert.Equal(0, ResetsSent(bed.Server));
        await bed.StopAsync();
    }

    [SystemFact("ethtool")]
    public async Task Damaged_HeaderOfAKnownFlow_IsDroppedByName()
    {
        await using FastPathBed bed = await FastPathBed.StartAsync();
        using Socket listener = Listen(bed.Server, FastPathBed.Target(4)), client = Connect(bed.Client, FastPathBed.Target(4), FastPathBed.Port), server = listener.Accept();
        bed.AwaitFast(() => Exchange(client, server));
        using var sender = new FastPathSender(bed);
        byte[] frame = sender.TcpFrame(ClientPort, FastPathBed.Port, flags: 0x10);
        byte[] badSum = [.. frame], badLength = [.. frame];
        badSum[24] ^= 0x40;
        badLength[14 + 20 + 12] = 0x40;
        for (int i = 0; i < 10; i++)
            sender.Send(badSum, badLength);
        FastPathBed.Await(() => bed.Engine.ReadAccounting() is var now && now.DroppedFor(DropReason.BadIpChecksum) == 10 && now.DroppedFor(DropReason.TruncatedTransport) == 10,
            () => bed.Engine.ReadAccounting().ToString());
        await bed.StopAsync();
    }

    [SystemFact("ethtool")]
    public async Task Rule_ThatLooksAtFlagsWhichProgramsDoNot_KeepsSegmentsWithTheEngine()
    {
        var deny = new FilterRuleSpec { Name = "no-ece", Action = FilterAction.Deny, Protocol = 6, TcpFlags = new TcpFlagMatch(0x40, 0x40) };
        await using FastPathBed bed = await FastPathBed.StartAsync(change: spec => spec with { Filter = spec.Filter with { Rules = [deny] } });
        using Socket listener = Listen(bed.Server, FastPathBed.Target(4)), client = Connect(bed.Client, FastPathBed.Target(4), FastPathBed.Port), server = listener.Accept();
        using var sender = new FastPathSender(bed);
        byte[] frame = sender.TcpFrame(ClientPort, FastPathBed.Port, flags: 0x10 | 0x40);
        for (int round = 0; round < 10; round++)
        {
            // Long enough for programs to have it, if they may.
            for (int i = 0; i < 20; i++)
            {
                Exchange(client, server);
                Thread.Sleep(10);
            }

            sender.Send(frame);
            FastPathBed.Await(() => bed.Engine.ReadRules()[0].Packets == round + 1, () => string.Join(' ', bed.Engine.ReadRules()));
        }

        await bed.StopAsync();
    }

    [SystemFact("ethtool")]
    public async Task Link_DownAtTheWayOut_IsTheEnginesToRefuseAndComesBack()
    {
        await using FastPathBed bed = await FastPathBed.StartAsync();
        using var flow = new FastPathConversation(bed, 4);
        flow.AwaitFast();
        bed.Between.Link("set", "wire1", "down");
        long Refused() => bed.Engine.ReadAccounting().DroppedFor(DropReason.LinkDown);
        int lost = 0;
        FastPathBed.Await(() =>
        {
            flow.SendDenied(1);
            return Refused() > 0 || ++lost == 2000;
        }, () => bed.Engine.ReadAccounting().ToString());
        Assert.NotEqual(2000, lost);
        long fast = bed.FastPackets(), refused = Refused();
        flow.SendDenied(50);
        FastPathBed.Await(() => Refused() >= refused + 50, () => $"{Refused() - refused} of 50");
        Assert.Equal(fast, bed.FastPackets());

        bed.Between.Link("set", "wire1", "up");
        FastPathBed.Await(() => bed.PortOf("server").Link == LinkState.Up, () => bed.PortOf("server").ToString());
        flow.AwaitFast();
        await bed.StopAsync();
    }

    [SystemFact("ethtool", "sysctl")]
    public async Task Neighbour_WithAnotherHardwareAddress_IsReachedFromThenOn()
    {
        await using FastPathBed bed = await FastPathBed.StartAsync();
        bed.Server.Execute("sysctl", "-qw", "net.ipv4.conf.e0.arp_notify=1");
        using var flow = new FastPathConversation(bed, 4);
        for (int round = 1; round <= 5; round++)
        {
            flow.AwaitFast();
            var mac = MacAddress.Parse($"02:00:00:00:99:0{round}");
            bed.Server.Link("set", "e0", "address", mac.ToString());
            FastPathBed.Await(() => bed.Engine.ReadNeighbours().Any(neighbour => neighbour.Mac == mac), () => string.Join(' ', bed.Engine.ReadNeighbours()));

            // A frame to the old address would not be taken, and waited for in vain.
            flow.Exchange(bytes: 64);
        }

        await bed.StopAsync();
    }

    private static int ResetsSent(NetworkNamespace home)
    {
        string[] lines = [.. home.Execute("cat", "/proc/net/snmp").Split('\n').Where(line => line.StartsWith("Tcp:", StringComparison.Ordinal))];
        return int.Parse(lines[1].Split(' ')[Array.IndexOf(lines[0].Split(' '), "OutRsts")], CultureInfo.InvariantCulture);
    }

    private static void Exchange(Socket client, Socket server)
    {
        byte[] buffer = new byte[100];
        foreach ((Socket from, Socket to) in new[] { (client, server), (server, client) })
        {
            from.Send(buffer);
            for (int got = 0; got < buffer.Length;)
            {
                int more = to.Receive(buffer);
                Assert.NotEqual(0, more);
                got += more;
            }
        }
    }

    private static Socket Listen(NetworkNamespace home, string address) => NamespaceThread.Run(home.Name, () =>
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Parse(address), FastPathBed.Port));
        socket.Listen();
        return socket;
    });

    private static Socket Connect(NetworkNamespace home, string address, int port) => NamespaceThread.Run(home.Name, () =>
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveTimeout = 10_000, NoDelay = true };
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        socket.Bind(new IPEndPoint(IPAddress.Any, ClientPort));
        socket.Connect(address, port);
        return socket;
    });
}
