using System.Globalization;
using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Gateway;

/// <summary>Peers behind NAT that learn their outside addresses from a server and then reach each other, each by the strictest filter: what STUN (RFC 8489) and ICE (RFC 8445) need.</summary>
public sealed class HolePunchingTests(GatewayBed bed) : GatewayTest(bed)
{
    private const string Server = "203.0.113.1", Outside = "198.51.100.101";

    /// <summary>Tells who asks where it is seen, and the two peers of each other.</summary>
    private const string Rendezvous = """
        import socket, sys
        address, port = sys.argv[1], int(sys.argv[2])
        s = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET, socket.SOCK_DGRAM)
        s.bind((address, port))
        print('listening', flush=True)
        seen = {}
        while True:
            name, sender = s.recvfrom(100)
            seen[name] = sender[:2]
            s.sendto(f'you {sender[0]} {sender[1]}'.encode(), sender)
            for one, other in ((b'a', b'b'), (b'b', b'a')):
                if one in seen and other in seen:
                    s.sendto(f'peer {seen[other][0]} {seen[other][1]}'.encode(), seen[one])
        """;

    /// <summary>Says who it is to the server, then speaks to its peer until each has heard that the other hears; prints where it is seen and where the peer is.</summary>
    private const string Peer = """
        import socket, sys
        name, server = sys.argv[1].encode(), (sys.argv[2], int(sys.argv[3]))
        s = socket.socket(socket.AF_INET6 if ':' in server[0] else socket.AF_INET, socket.SOCK_DGRAM)
        s.bind(('', 40000))
        s.settimeout(0.1)
        own = peer = None
        hears = False
        for turn in range(600):
            s.sendto(b'hears' if hears else b'hello', peer) if peer else s.sendto(name, server)
            try:
                while True:
                    data, sender = s.recvfrom(100)
                    word, *rest = data.decode().split()
                    if word == 'you':
                        own = rest
                        if name == b'other':
                            print(*own)
                            sys.exit(0)
                    elif word == 'peer':
                        peer = (rest[0], int(rest[1]))
                    elif sender[:2] == peer:
                        hears = True
                        if word == 'hears':
                            for _ in range(5):
                                s.sendto(b'hears', peer)
                            print(*own, *peer)
                            sys.exit(0)
            except (socket.timeout, ConnectionRefusedError):
                pass
        sys.exit('the peer was not heard')
        """;

    internal override GatewayConfiguration Configuration { get; } = new()
    {
        Workers = 2,
        Nat = ["inside: lan, outside: wan, mapping: endpoint_independent"],
        More = $"routes:\n  - {{ to: {Server}/32, via: {TestNetwork.ClientAddress} }}\n",
    };

    /// <summary>The other peer's NAT is the kernel's.</summary>
    [SystemFact("curl", "nginx", "socat", "python3", "nft", "sysctl")]
    public async Task TwoPeers_BehindTwoNats_ReachEachOther()
    {
        string client = Bed.Network.Client, server = client + "-server", peer = client + "-peer";
        await TestNetwork.IpAsync(null, $"netns add {server}\nnetns add {peer}\n"
            + $"link add s0 netns {client} type veth peer name e0 netns {server}\nlink add p0 netns {client} type veth peer name e0 netns {peer}\n");
        try
        {
            await TestNetwork.IpAsync(server, $"link set lo up\nlink set e0 up\naddr add {Server}/24 dev e0\nroute add default via 203.0.113.254\n");
            await TestNetwork.IpAsync(peer, "link set lo up\nlink set e0 up\naddr add 192.168.7.2/24 dev e0\nroute add default via 192.168.7.1\n");
            await TestNetwork.IpAsync(client, "link set s0 up\naddr add 203.0.113.254/24 dev s0\nlink set p0 up\naddr add 192.168.7.1/24 dev p0\n");
            (await ChildProgram.RunAsync(client, ["sysctl", "-qw", "net.ipv4.ip_forward=1"])).MustSucceed();

            // A packet that comes too early must leave nothing behind, or the kernel gives the peer another port for who sent it.
            (await ChildProgram.RunAsync(client, ["nft", "-f", "-"], $$"""
                table ip punch {
                  chain post { type nat hook postrouting priority srcnat; ip saddr 192.168.7.0/24 oifname != "p0" snat to {{Outside}}; }
                  chain in { type filter hook input priority filter; ip daddr {{Outside}} udp dport 40000 drop; }
                }

                """)).MustSucceed();
            await PunchAsync(server, Server, peer, TestNetwork.GatewayOnWan, Outside);
        }
        finally
        {
            await ChildProgram.RunAsync(client, ["nft", "delete", "table", "ip", "punch"]);
            await ChildProgram.RunAsync(client, ["sysctl", "-qw", "net.ipv4.ip_forward=0"]);
            await TestNetwork.RemoveAsync(client + "-");
        }
    }

    /// <summary>RFC 4787 REQ-9.</summary>
    [SystemTheory("curl", "nginx", "socat", "python3")]
    [InlineData(4)]
    [InlineData(6)]
    public async Task TwoPeers_BehindTheSameNat_ReachEachOtherByItsAddress(int version)
    {
        string outside = version == 4 ? TestNetwork.GatewayOnWan : TestNetwork.GatewayOnWan6;
        await PunchAsync(Bed.Network.Client, version == 4 ? TestNetwork.ClientAddress : TestNetwork.ClientAddress6, Bed.Network.Backend(2), outside, outside);
    }

    private async Task PunchAsync(string serverHome, string server, string peerHome, string outsideOfOne, string outsideOfOther)
    {
        string port = string.Create(CultureInfo.InvariantCulture, $"{3478 + server.Length}");
        await using ChildProgram rendezvous = ChildProgram.Start(serverHome, "python3", "-c", Rendezvous, server, port);
        await rendezvous.AwaitLineAsync(line => line == "listening");

        // Another host of the same inside port is first: so the port outside is not the one inside, and has to be the same for server and peer all the same.
        string[] first = (await ChildProgram.RunAsync(Bed.Network.Backend(1), ["python3", "-c", Peer, "other", server, port])).MustSucceed().Output.Split([' ', '\n']);
        Assert.Equal([outsideOfOne, "40000"], first[..2]);
        await using ChildProgram a = ChildProgram.Start(Bed.Network.Backend(0), "python3", "-c", Peer, "a", server, port);
        await using ChildProgram b = ChildProgram.Start(peerHome, "python3", "-c", Peer, "b", server, port);
        string[] atA = (await a.EndAsync()).MustSucceed().Output.Split([' ', '\n']), atB = (await b.EndAsync()).MustSucceed().Output.Split([' ', '\n']);
        Assert.Equal((outsideOfOne, outsideOfOther), (atA[0], atB[0]));
        Assert.NotEqual("40000", atA[1]);
        Assert.Equal(atA[..2], atB[2..4]);
        Assert.Equal(atB[..2], atA[2..4]);
    }
}
