using System.Globalization;
using System.Text;
using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Gateways;

/// <summary>
/// A client, a router with BIRD that spreads flows over its ways by their ports, two gateways with the engine and BIRD each, and three servers that answer past the gateways.
/// Each is a network namespace; the gateways' BIRDs speak BGP by a link of their own.
/// </summary>
internal sealed class GatewaysBed : IAsyncDisposable
{
    public const int Gateways = 2;
    public const string Service = "203.0.113.10";
    public const string Service6 = "2001:db8:53::10";
    public const int Port = 80;
    private const int Servers = 3;
    private static int s_count;
    private readonly string _prefix = string.Create(CultureInfo.InvariantCulture, $"dpsys-{Environment.ProcessId}-{Interlocked.Increment(ref s_count)}-ecmp-");
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("dpecmp");
    private readonly List<ChildProgram> _programs = [];

    public string Client => _prefix + "client";

    public string Router => _prefix + "router";

    private static string Flows => Path.Combine(AppContext.BaseDirectory, "Gateways", "flows.py");

    public string Gateway(int gateway) => string.Create(CultureInfo.InvariantCulture, $"{_prefix}gw{gateway}");

    private string Server(int server) => string.Create(CultureInfo.InvariantCulture, $"{_prefix}b{server}");

    public static async Task<GatewaysBed> StartAsync()
    {
        var bed = new GatewaysBed();
        await bed.LinkAsync();
        await bed.StartBirdAsync("router", bed.Router, RouterBird());
        for (int gateway = 0; gateway < Gateways; gateway++)
            await bed.StartBirdAsync($"gw{gateway}", bed.Gateway(gateway), GatewayBird(gateway));
        for (int server = 0; server < Servers; server++)
        {
            ChildProgram program = bed.Keep(ChildProgram.Start(bed.Server(server), "python3", Flows, "serve", $"b{server}", $"{Port}"));
            await program.AwaitLineAsync(line => line == "serving");
        }

        return bed;
    }

    /// <summary>Starts the engine of a gateway; it announces its services from then on.</summary>
    public Task<GatewayProgram> StartGatewayAsync(int gateway) =>
        GatewayProgram.StartAsync(Gateway(gateway), Path.Combine(_folder.FullName, $"gw{gateway}.yaml"), Configuration(gateway), "--announce", "services0");

    /// <summary>Opens flows at the client, half of them of each family.</summary>
    public ChildProgram OpenFlows(int count) => Keep(ChildProgram.Start(Client, "python3", Flows, "open", $"{count}", $"{Port}", Service, Service6));

    /// <summary>Waits until the router's ways to the services, in both families, are those by these gateways.</summary>
    public async Task AwaitWaysAsync(params int[] gateways)
    {
        long end = Environment.TickCount64 + (long)ChildProgram.Patience.TotalMilliseconds;
        while (true)
        {
            string ways = (await ChildProgram.RunAsync(Router, ["ip", "route", "show", Service])).Output, ways6 = (await ChildProgram.RunAsync(Router, ["ip", "-6", "route", "show", Service6])).Output;
            if (Enumerable.Range(0, Gateways).All(gateway => ways.Contains($"via {Engine(gateway)} ", StringComparison.Ordinal) == gateways.Contains(gateway)
                && ways6.Contains($"via {Engine6(gateway)} ", StringComparison.Ordinal) == gateways.Contains(gateway)))
                return;
            ChildProgram? ended = _programs.Find(program => program.Exited.IsCompleted);
            Assert.True(ended is null, $"a program has ended: {string.Join('\n', ended?.Error ?? [])}");
            Assert.True(Environment.TickCount64 < end, $"waited in vain for ways by {string.Join(" and ", gateways)}:\n{ways}\n{ways6}\n{string.Join('\n', _programs.SelectMany(program => program.Error))}");
            await Task.Delay(50);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (ChildProgram program in _programs)
            await program.DisposeAsync();
        await TestNetwork.RemoveAsync(_prefix);
        _folder.Delete(recursive: true);
    }

    private static string Engine(int gateway) => string.Create(CultureInfo.InvariantCulture, $"10.1.0.{31 + gateway}");

    private static string Engine6(int gateway) => string.Create(CultureInfo.InvariantCulture, $"2001:db8:1::{31 + gateway}");

    private static string Speaker(int gateway) => string.Create(CultureInfo.InvariantCulture, $"10.9.0.{21 + gateway}");

    private ChildProgram Keep(ChildProgram program)
    {
        _programs.Add(program);
        return program;
    }

    private async Task StartBirdAsync(string name, string home, string configuration)
    {
        string path = Path.Combine(_folder.FullName, name + ".bird");
        await File.WriteAllTextAsync(path, configuration);
        Keep(ChildProgram.Start(home, "bird", "-f", "-c", path, "-s", Path.ChangeExtension(path, "ctl"), "-P", Path.ChangeExtension(path, "pid")));
    }

    private async Task LinkAsync()
    {
        var links = new StringBuilder($"netns add {Client}\nnetns add {Router}\n");
        links.Append(CultureInfo.InvariantCulture, $"link add c0 netns {Client} type veth peer name c0 netns {Router}\n");
        var bridges = new StringBuilder("link add lan type bridge mcast_snooping 0\nlink add bgp type bridge mcast_snooping 0\n");
        for (int gateway = 0; gateway < Gateways; gateway++)
        {
            links.Append(CultureInfo.InvariantCulture, $"netns add {Gateway(gateway)}\n");
            foreach (string bridge in new[] { "lan", "bgp" })
            {
                links.Append(CultureInfo.InvariantCulture, $"link add {bridge} netns {Gateway(gateway)} type veth peer name {bridge}{gateway} netns {Router}\n");
                bridges.Append(CultureInfo.InvariantCulture, $"link set {bridge}{gateway} master {bridge} up\n");
            }
        }

        for (int server = 0; server < Servers; server++)
        {
            links.Append(CultureInfo.InvariantCulture, $"netns add {Server(server)}\nlink add e0 netns {Server(server)} type veth peer name b{server} netns {Router}\n");
            bridges.Append(CultureInfo.InvariantCulture, $"link set b{server} master lan up\n");
        }

        await TestNetwork.IpAsync(null, links.ToString());
        (await ChildProgram.RunAsync(Router, ["sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0",
            "net.ipv4.fib_multipath_hash_policy=1", "net.ipv6.fib_multipath_hash_policy=1"])).MustSucceed();
        await TestNetwork.IpAsync(Router, bridges + Host("c0", "192.0.2.1/24", "2001:db8:9::1/64") + Host("lan", "10.1.0.1/24", "2001:db8:1::1/64") + Host("bgp", "10.9.0.1/24"));
        await TestNetwork.IpAsync(Client, Host("c0", "192.0.2.100/24", "2001:db8:9::100/64") + "route add default via 192.0.2.1\nroute add ::/0 via 2001:db8:9::1\n");
        for (int gateway = 0; gateway < Gateways; gateway++)
            await TestNetwork.IpAsync(Gateway(gateway), "link set lan addrgenmode none up\n" + Host("bgp", $"{Speaker(gateway)}/24"));
        for (int server = 0; server < Servers; server++)
            await TestNetwork.IpAsync(Server(server), Host("e0", $"10.1.0.{11 + server}/24", $"2001:db8:1::{11 + server}/64") + $"addr add {Service}/32 dev lo\naddr add {Service6}/128 dev lo nodad\n"
                + "route add default via 10.1.0.1\nroute add ::/0 via 2001:db8:1::1\n");
    }

    private static string Host(string device, params string[] addresses) => $"link set lo up\nlink set {device} up\n"
        + string.Concat(addresses.Select(address => $"addr add {address} dev {device}{(address.Contains(':', StringComparison.Ordinal) ? " nodad" : "")}\n"));

    private static string Configuration(int gateway) => $$"""
        ports:
          lan: { kind: af_packet, interface: lan }
        interfaces:
          - { port: lan, address: {{Engine(gateway)}}/24 }
          - { port: lan, address: "{{Engine6(gateway)}}/64" }
        routes:
          - { to: 0.0.0.0/0, via: 10.1.0.1 }
          - { to: "::/0", via: "2001:db8:1::1" }
        services:
          - { name: web, address: {{Service}}, port: {{Port}}, forward: dsr, backends: [ { address: 10.1.0.11, port: {{Port}} }, { address: 10.1.0.12, port: {{Port}} }, { address: 10.1.0.13, port: {{Port}} } ] }
          - name: web6
            address: "{{Service6}}"
            port: {{Port}}
            forward: dsr
            backends: [ { address: "2001:db8:1::11", port: {{Port}} }, { address: "2001:db8:1::12", port: {{Port}} }, { address: "2001:db8:1::13", port: {{Port}} } ]

        """;

    private static string RouterBird() => $$"""
        router id 10.9.0.1;
        protocol device { }
        protocol kernel { merge paths on; ipv4 { import none; export all; }; }
        protocol kernel { merge paths on; ipv6 { import none; export all; }; }
        template bgp peers {
          local 10.9.0.1 as 64512;
          connect delay time 1;
          connect retry time 1;
          ipv4 { import all; export none; };
          ipv6 { import all; export none; };
        }
        protocol bgp gw0 from peers { neighbor {{Speaker(0)}} as 64520; }
        protocol bgp gw1 from peers { neighbor {{Speaker(1)}} as 64520; }

        """;

    private static string GatewayBird(int gateway) => $$"""
        router id {{Speaker(gateway)}};
        protocol device { }
        protocol kernel { kernel table 117; learn; ipv4 { import where ifname = "services0"; export none; }; }
        protocol kernel { kernel table 117; learn; ipv6 { import where ifname = "services0"; export none; }; }
        protocol bgp upstream {
          local {{Speaker(gateway)}} as 64520;
          neighbor 10.9.0.1 as 64512;
          connect delay time 1;
          connect retry time 1;
          ipv4 { import none; export where source = RTS_INHERIT; next hop address {{Engine(gateway)}}; };
          ipv6 { import none; export where source = RTS_INHERIT; next hop address {{Engine6(gateway)}}; };
        }

        """;
}
