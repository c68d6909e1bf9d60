using System.Text.Json;
using Dataplane.Pipeline;
using Dataplane.Switching;
using Dataplane.SystemTests.Support;
using Dataplane.Telemetry;

namespace Dataplane.SystemTests.Networks;

/// <summary>Containers' tools on a network of the engine's: the kernels at both ends must believe that it is a link with a router.</summary>
public sealed class NetworkTrafficTests
{
    [SystemFact("ping", "ip")]
    public async Task Endpoints_Ping_ReachEachOtherAndTheGatewayButNoOtherNetwork()
    {
        await using NetworkBed bed = await NetworkBed.StartAsync();
        foreach (int version in new[] { 4, 6 })
        {
            string family = version == 4 ? "-4" : "-6";
            (await bed.RunAsync("web", "ping", family, "-c", "3", "-i", "0.05", "-W", "2", NetworkBed.AddressOf("db", version))).MustSucceed();
            (await bed.RunAsync("web", "ping", family, "-c", "1", "-W", "2", version == 4 ? "10.89.0.1" : "fd00:89::1")).MustSucceed();
            Assert.NotEqual(0, (await bed.RunAsync("web", "ping", family, "-c", "1", "-W", "1", NetworkBed.AddressOf("other", version))).ExitCode);
        }

        // The kernel has learnt real addresses: of the neighbour its own, of the gateway the network's.
        string neighbours = (await bed.RunAsync("web", "ip", "neigh", "show")).MustSucceed().Output;
        Assert.Contains($"10.89.0.3 dev e0 lladdr {NetworkBed.MacOf("db")}", neighbours, StringComparison.Ordinal);
        Assert.Contains($"fd00:89::3 dev e0 lladdr {NetworkBed.MacOf("db")}", neighbours, StringComparison.Ordinal);
        Assert.Contains($"10.89.0.1 dev e0 lladdr {new NetworkSpec { Name = "blue" }.GatewayMac}", neighbours, StringComparison.Ordinal);

        // Nothing of it was flooded, and duplicate address detection has found no duplicate.
        Assert.DoesNotContain("dadfailed", (await bed.RunAsync("web", "ip", "address", "show")).Output, StringComparison.Ordinal);
        Accounting accounting = await bed.StopAsync();
        Assert.InRange(accounting.DroppedFor(DropReason.NetworkIsolated), 2, 4);
        Assert.InRange(accounting.DroppedFor(DropReason.SpoofedMac), 0, NetworkBed.MostBeforeConfigured * 3);
        Assert.Equal(0, accounting.DroppedFor(DropReason.SpoofedAddress) + accounting.DroppedFor(DropReason.SpoofedNeighbour));
    }

    [SystemFact("curl", "python3")]
    public async Task Service_FromTheNeighbourFromAnotherNetworkAndFromItself_IsReached()
    {
        await using NetworkBed bed = await NetworkBed.StartAsync();
        await using var server = ChildProgram.Start(bed["web"].Name, "python3", "-u", "-c", """
            import http.server, socket
            class H(http.server.BaseHTTPRequestHandler):
                def do_GET(self):
                    body = self.client_address[0].encode(); self.send_response(200); self.send_header('Content-Length', str(len(body))); self.end_headers(); self.wfile.write(body)
                def log_message(self, *a): pass
            class S(http.server.ThreadingHTTPServer): address_family = socket.AF_INET6
            s = S(('::', 8080), H); print('ready'); s.serve_forever()
            """);
        await server.AwaitLineAsync(line => line == "ready");
        foreach ((string client, string believed, string believed6) in new[]
        {
            ("db", "10.89.0.3", "fd00:89::3"), ("other", "10.90.0.2", "fd00:90::2"), ("web", "10.89.0.1", "fd00:89::1"),
        })
        {
            Assert.Equal($"::ffff:{believed}", (await bed.RunAsync(client, "curl", "-sS", "-m", "5", $"http://{NetworkBed.Service}/")).MustSucceed().Output.Trim());
            Assert.Equal(believed6, (await bed.RunAsync(client, "curl", "-sS", "-m", "5", $"http://[{NetworkBed.Service6}]/")).MustSucceed().Output.Trim());
        }

        Assert.Equal("::ffff:10.89.0.3", (await bed.RunAsync("db", "curl", "-sS", "-m", "5", "http://10.89.0.2:8080/")).MustSucceed().Output.Trim());
        await bed.StopAsync();
    }

    [SystemTheory("iperf3")]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Endpoints_Tcp_CrossInSuperFramesAndAreCounted(int version)
    {
        await using NetworkBed bed = await NetworkBed.StartAsync(null, "web", "db");
        Assert.InRange(await IperfAsync(bed, "--client", NetworkBed.AddressOf("web", version), "--bytes", "64M"), 60_000_000, long.MaxValue);
        Assert.True(bed.Engine.ReadPorts().Single(port => port.Name == "web").Statistics.TransmittedSuperFrames > 100);
        EndpointStatus sender = bed.StatusOf("db"), receiver = bed.StatusOf("web");
        Assert.True(sender.SentBytes > 64_000_000 && receiver.ReceivedBytes > 64_000_000, $"{sender} {receiver}");
        Assert.InRange(sender.Spoofed + receiver.Spoofed, 0, NetworkBed.MostBeforeConfigured * 2);
        await bed.StopAsync();
    }

    [SystemFact("iperf3")]
    public async Task Rate_OfAnEndpoint_HoldsForRealTcp()
    {
        await using NetworkBed bed = await NetworkBed.StartAsync(
            endpoint => endpoint.Name == "web" ? endpoint with { Rate = new RateSpec { In = 20_000_000, InBurst = 131_072 } } : endpoint, "web", "db");
        long bytes = await IperfAsync(bed, "--client", NetworkBed.AddressOf("web", 4), "--time", "2");

        // 20 Mbit/s for two seconds are 5 MB; the burst and what was on its way come on top.
        Assert.InRange(bytes, 1_000_000, 6_500_000);
        Assert.True(bed.StatusOf("web").ReceivedLimited > 0);
        await bed.StopAsync();
    }

    [SystemFact("python3", "ping")]
    public async Task Spoofing_OfEveryKind_ReachesNobodyAndIsCounted()
    {
        await using NetworkBed bed = await NetworkBed.StartAsync();
        (await bed.RunAsync("db", "ping", "-c", "1", "-W", "2", "10.89.0.2")).MustSucceed();
        (await bed.RunAsync("db", "python3", "-c", """
            import socket, struct
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('e0', 0))
            me, gw, web = bytes.fromhex('02000a590003'), None, bytes.fromhex('02000a590002')
            ip = lambda t: socket.inet_aton(t)
            def arp(src, sha, spa, op): return b'\xff' * 6 + src + struct.pack('!HHHBBH', 0x806, 1, 0x800, 6, 4, op) + sha + ip(spa) + b'\0' * 6 + ip('10.89.0.2')
            def udp(dst, src, a, b):
                h = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 32, 0, 0, 64, 17, 0, ip(a), ip(b)); c = sum(struct.unpack('!10H', h)); c = (c & 0xffff) + (c >> 16); c = (c & 0xffff) + (c >> 16)
                return dst + src + b'\x08\0' + h[:10] + struct.pack('!H', c ^ 0xffff) + h[12:] + struct.pack('!HHHH', 1, 2, 12, 0) + b'evil'
            ip6 = lambda t: socket.inet_pton(socket.AF_INET6, t)
            def advertise(src, target, mac):
                b = struct.pack('!BBHI', 136, 0, 0, 0x20000000) + ip6(target) + b'\2\1' + mac; a = ip6(src) + ip6('ff02::1')
                c = sum(struct.unpack('!36H', a + struct.pack('!II', len(b), 58) + b)); c = (c & 0xffff) + (c >> 16); c = (c & 0xffff) + (c >> 16)
                return b'\x33\x33\0\0\0\1' + me + b'\x86\xdd' + struct.pack('!IHBB', 0x60000000, len(b), 58, 255) + a + b[:2] + struct.pack('!H', c ^ 0xffff) + b[4:]
            for i in range(10):
                s.send(advertise('fd00:89::3', 'fd00:89::1', me)); s.send(advertise('fd00:89::3', 'fd00:89::3', web)); s.send(advertise('fd00:89::1', 'fd00:89::1', me))
                s.send(arp(me, me, '10.89.0.1', 2)); s.send(arp(me, web, '10.89.0.3', 1)); s.send(arp(web, web, '10.89.0.2', 1))
                s.send(udp(web, me, '10.89.0.1', '10.89.0.2')); s.send(udp(web, web, '10.89.0.3', '10.89.0.2')); s.send(udp(b'\xff' * 6, me, '10.89.0.3', '10.89.0.255'))
                s.send(udp(bytes.fromhex('02000a5a0002'), me, '10.89.0.3', '10.90.0.2'))
            """)).MustSucceed();
        (await bed.RunAsync("db", "ping", "-c", "1", "-W", "2", "10.89.0.2")).MustSucceed();

        // The victim still knows who is who.
        string neighbours = (await bed.RunAsync("web", "ip", "neigh", "show")).MustSucceed().Output;
        Assert.Contains($"10.89.0.3 dev e0 lladdr {NetworkBed.MacOf("db")}", neighbours, StringComparison.Ordinal);
        Assert.DoesNotContain($"fd00:89::1 dev e0 lladdr {NetworkBed.MacOf("db")}", neighbours, StringComparison.Ordinal);
        Accounting accounting = await bed.StopAsync();
        Assert.InRange(accounting.DroppedFor(DropReason.SpoofedMac), 20, 20 + (NetworkBed.MostBeforeConfigured * 3));
        Assert.Equal((40, 20, 10), (accounting.DroppedFor(DropReason.SpoofedNeighbour),
            accounting.DroppedFor(DropReason.SpoofedAddress), accounting.DroppedFor(DropReason.UnknownStation)));
        Assert.InRange(accounting.DroppedFor(DropReason.Broadcast), 10, 12);
    }

    [SystemFact("ping")]
    public async Task AttachAndDetach_UnderTraffic_LosesNothingOfTheOthers()
    {
        await using NetworkBed bed = await NetworkBed.StartAsync(null, "web", "db");
        Task<ProgramResult> ping = bed.RunAsync("web", "ping", "-c", "300", "-i", "0.01", "-W", "2", "10.89.0.3");
        for (int round = 0; round < 3; round++)
        {
            await bed.AttachAsync("other");
            (await bed.RunAsync("other", "ping", "-c", "1", "-W", "2", "10.90.0.1")).MustSucceed();
            await bed.DetachAsync("other");
        }

        Assert.Contains(" 0% packet loss", (await ping).MustSucceed().Output, StringComparison.Ordinal);
        await bed.StopAsync();
    }

    private static async Task<long> IperfAsync(NetworkBed bed, params string[] arguments)
    {
        await using var server = ChildProgram.Start(bed["web"].Name, "iperf3", "--server", "--one-off", "--forceflush");
        await server.AwaitLineAsync(line => line.Contains("Server listening", StringComparison.Ordinal));
        ProgramResult result = (await bed.RunAsync("db", ["iperf3", "--json", .. arguments])).MustSucceed();
        using var report = JsonDocument.Parse(result.Output);
        return report.RootElement.GetProperty("end").GetProperty("sum_received").GetProperty("bytes").GetInt64();
    }
}
