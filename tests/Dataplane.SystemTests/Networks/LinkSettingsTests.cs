using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Routing;
using Dataplane.Switching;
using Dataplane.SystemTests.Support;
using Dataplane.Telemetry;

namespace Dataplane.SystemTests.Networks;

/// <summary>Real clients ask the engine for their address and their router: those that containers have.</summary>
public sealed class LinkSettingsTests
{
    /// <summary>The address that the kernel of web makes from fd00:89::/64 and 02:00:0a:59:00:02.</summary>
    private const string Autonomous = "fd00:89::aff:fe59:2";

    private static Task<NetworkBed> StartAsync(params string[] attached) => NetworkBed.StartWithAsync(network => network.Name != "blue" ? network : network with
    {
        Mtu = 1400,
        Dns = [IpAddress.Parse("10.89.0.53"), IpAddress.Parse("fd00:89::53")],
        Search = ["blue.example", "example"],
        RouterAdvertisements = new RouterAdvertisementSpec { Interval = TimeSpan.FromSeconds(4), Autonomous = true },
        Dhcp = new DhcpSpec { Lease = TimeSpan.FromSeconds(600), Routes = [new DhcpRouteSpec { To = IpPrefix.Parse("172.30.0.0/16"), Via = IpAddress.Parse("10.89.0.3") }] },
    }, attached);

    [SystemFact("busybox", "ping", "ip")]
    public async Task Udhcpc_IsToldItsAddressAndReachesOthersWithIt()
    {
        await using NetworkBed bed = await StartAsync("web", "db");
        using var files = new ScratchDirectory();
        string script = files.Write("lease", """
            #!/bin/sh
            case $1 in
              bound) echo "bound $ip/$mask router $router dns $dns search $search domain $domain mtu $mtu broadcast $broadcast lease $lease server $serverid static $staticroutes"
                     ip link set $interface mtu $mtu; ip address add $ip/$mask dev $interface; ip route add default via $router;;
              *) echo "$1";;
            esac
            """, isProgram: true);
        (await bed.RunAsync("web", "ip", "-4", "address", "flush", "dev", "e0")).MustSucceed();
        ProgramResult heard = (await bed.RunAsync("web", "busybox", "udhcpc", "-i", "e0", "-f", "-q", "-n", "-t", "10", "-T", "2", "-s", script,
            "-O", "staticroutes", "-O", "search", "-O", "mtu", "-O", "domain", "-R")).MustSucceed();
        Assert.Contains(heard.Lines, line => line ==
            "bound 10.89.0.2/24 router 10.89.0.1 dns 10.89.0.53 search blue.example example domain blue.example mtu 1400 broadcast 10.89.0.255 lease 600 server 10.89.0.1 "
            + "static 172.30.0.0/16 10.89.0.3 0.0.0.0/0 10.89.0.1");
        (await bed.RunAsync("web", "ping", "-4", "-c", "1", "-W", "5", "10.89.0.3")).MustSucceed();
        Accounting accounting = await bed.StopAsync();

        // Discover and request at least; nothing of it was taken for somebody else's.
        Assert.InRange(accounting.DroppedFor(DropReason.ConsumedDhcp), 2, 20);
        Assert.Equal(0, accounting.DroppedFor(DropReason.SpoofedAddress) + accounting.DroppedFor(DropReason.DhcpInvalid));
    }

    [SystemFact("dhclient", "ip")]
    public async Task Dhclient_BindsAndReleases()
    {
        await using NetworkBed bed = await StartAsync("db");
        using var files = new ScratchDirectory();
        string script = files.Write("script", """
            #!/bin/sh
            # First the address: a release needs it for its way, and whoever reads the line asks for one at once.
            [ "$reason" = BOUND ] && ip address add $new_ip_address/24 dev $interface
            echo "$reason $new_ip_address $new_subnet_mask $new_routers $new_domain_name_servers $new_interface_mtu $new_rfc3442_classless_static_routes"
            exit 0
            """, isProgram: true);
        string configuration = files.Write("conf", """
            option rfc3442-classless-static-routes code 121 = array of unsigned integer 8;
            request subnet-mask, routers, domain-name-servers, interface-mtu, rfc3442-classless-static-routes;
            timeout 60; initial-interval 1;
            """);
        string[] common = ["-4", "-1", "-cf", configuration, "-sf", script, "-lf", files.PathOf("leases"), "-pf", files.PathOf("pid"), "e0"];
        (await bed.RunAsync("db", "ip", "-4", "address", "flush", "dev", "e0")).MustSucceed();
        await using var client = ChildProgram.Start(bed["db"].Name, ["dhclient", "-d", .. common]);
        await client.AwaitLineAsync(line => line == "BOUND 10.89.0.3 255.255.255.0 10.89.0.1 10.89.0.53 1400 16 172 30 10 89 0 3 0 10 89 0 1");
        (await bed.RunAsync("db", ["dhclient", "-r", .. common])).MustSucceed();

        // Nobody answers a release: it may still be in the device when the client has ended.
        await bed.AwaitAsync("db", _ => bed.StatusOf("db").DhcpMessages >= 3, "true");
        Accounting accounting = await bed.StopAsync();
        Assert.InRange(accounting.DroppedFor(DropReason.ConsumedDhcp), 3, 20);
        Assert.Equal(0, accounting.DroppedFor(DropReason.SpoofedAddress) + accounting.DroppedFor(DropReason.DhcpInvalid));
    }

    [SystemTheory("dhclient", "ip")]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Dhclient_ByIpv6_IsToldAddressAndNamesOrNamesAlone(bool asksForAddresses)
    {
        await using NetworkBed bed = await StartAsync("db");
        using var files = new ScratchDirectory();
        string script = files.Write("script", """
            #!/bin/sh
            echo "$reason $new_ip6_address $new_dhcp6_name_servers $new_dhcp6_domain_search"
            exit 0
            """, isProgram: true);
        string configuration = files.Write("conf", "also request dhcp6.name-servers, dhcp6.domain-search;\n");
        string[] common = ["-6", "-cf", configuration, "-sf", script, "-lf", files.PathOf("leases"), "-pf", files.PathOf("pid")];
        await bed.AwaitAsync("db", output => output.Contains("fe80::", StringComparison.Ordinal) && !output.Contains("tentative", StringComparison.Ordinal), "ip", "-6", "address", "show", "dev", "e0", "scope", "link");
        await using var client = ChildProgram.Start(bed["db"].Name, ["dhclient", "-d", .. asksForAddresses ? Array.Empty<string>() : ["-S"], .. common, "e0"]);
        string address = asksForAddresses ? "fd00:89::3" : "";
        await client.AwaitLineAsync(line => line.EndsWith($" {address} fd00:89::53 blue.example. example.", StringComparison.Ordinal));
        if (asksForAddresses)
        {
            (await bed.RunAsync("db", ["dhclient", "-r", .. common, "e0"])).MustSucceed();
        }

        Accounting accounting = await bed.StopAsync();
        Assert.InRange(accounting.DroppedFor(DropReason.ConsumedDhcp), asksForAddresses ? 3 : 1, 20);
        Assert.Equal(0, accounting.DroppedFor(DropReason.DhcpInvalid));
    }

    [SystemFact("rdisc6", "ping", "ip")]
    public async Task Advertisements_AreTakenByTheKernelAndByRdisc6()
    {
        await using NetworkBed bed = await StartAsync("web");
        string gateway = L3Interface.LinkLocalOf(new NetworkSpec { Name = "blue" }.GatewayMac).ToString();
        await bed.AwaitAsync("web", output => output.Contains($"default via {gateway}", StringComparison.Ordinal), "ip", "-6", "route", "show", "proto", "ra");
        await bed.AwaitAsync("web", output => output.Contains($"{Autonomous}/64", StringComparison.Ordinal) && !output.Contains("tentative", StringComparison.Ordinal), "ip", "-6", "address", "show", "dynamic");
        (await bed.RunAsync("web", "ping", "-6", "-c", "1", "-W", "5", "-I", Autonomous, "fd00:89::1")).MustSucceed();
        string heard = (await bed.RunAsync("web", "rdisc6", "-1", "-w", "5000", "e0")).MustSucceed().Output;
        Assert.All(
            (string[])["Prefix                    : fd00:89::/64", "On-link                  :          Yes", "Autonomous address conf.:          Yes", "MTU                      :         1400 bytes (valid)",
                "Recursive DNS server     : fd00:89::53", "DNS search list          : blue.example example", $"from {gateway}"],
            line => Assert.Contains(string.Join(' ', line.Split(' ', StringSplitOptions.RemoveEmptyEntries)), string.Join(' ', heard.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal));
        EndpointStatus status = bed.StatusOf("web");
        Assert.True(status is { RouterAdvertisements: >= 2, Rogue: 0 }, $"{status}");
        Assert.Equal(0, (await bed.StopAsync()).DroppedFor(DropReason.SpoofedAddress));
    }

    [SystemFact("python3", "ip")]
    public async Task Rogues_ReachNobodyAndAreCounted()
    {
        await using NetworkBed bed = await StartAsync("web", "db");
        (await bed.RunAsync("db", "python3", "-c", """
            import socket, struct
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('e0', 0))
            me, web, all = bytes.fromhex('02000a590003'), bytes.fromhex('02000a590002'), bytes.fromhex('333300000001')
            v6 = lambda t: socket.inet_pton(socket.AF_INET6, t)
            def sum16(b):
                n = sum(struct.unpack('!%dH' % (len(b) // 2), b))
                while n >> 16: n = (n & 0xffff) + (n >> 16)
                return n ^ 0xffff
            def ra(mac, to):
                src = v6('fe80::aff:fe59:3'); body = struct.pack('!BBHBBHII', 134, 0, 0, 64, 0, 9000, 0, 0) + b'\x01\x01' + me
                c = sum16(src + v6(to) + struct.pack('!II', len(body), 58) + body)
                return mac + me + b'\x86\xdd' + struct.pack('!IHBB', 0x60000000, len(body), 58, 255) + src + v6(to) + body[:2] + struct.pack('!H', c) + body[4:]
            def dhcp(mac, to):
                body = struct.pack('!HHHH', 67, 68, 8 + 300, 0) + b'\x02\x01\x06' + bytes(297)
                h = struct.pack('!BBHHHBBH', 0x45, 0, 20 + len(body), 0, 0, 64, 17, 0) + socket.inet_aton('10.89.0.3') + socket.inet_aton(to)
                return mac + me + b'\x08\0' + h[:10] + struct.pack('!H', sum16(h)) + h[12:] + body
            for i in range(10):
                s.send(ra(all, 'ff02::1')); s.send(ra(web, 'fd00:89::2')); s.send(dhcp(b'\xff' * 6, '255.255.255.255')); s.send(dhcp(web, '10.89.0.2'))
            """)).MustSucceed();
        await bed.AwaitAsync("db", _ => bed.StatusOf("db").Rogue == 40, "true");
        Assert.DoesNotContain("fe80::aff:fe59:3", (await bed.RunAsync("web", "ip", "-6", "route", "show")).MustSucceed().Output, StringComparison.Ordinal);
        Accounting accounting = await bed.StopAsync();
        Assert.Equal((20, 20), (accounting.DroppedFor(DropReason.RogueRouter), accounting.DroppedFor(DropReason.RogueDhcp)));
    }
}
