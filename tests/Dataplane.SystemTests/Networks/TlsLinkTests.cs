using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Networks;

/// <summary>Networks that several hosts share by TLS links: what passes, what can be read on the way, and who is not let in.</summary>
public sealed class TlsLinkTests
{
    private const string Secret = "what-nobody-on-the-way-may-read-";
    /// <summary>Sends, in TLS with somebody's key, frames with an identifier of nobody, frames of another host's container, and what is no frame.</summary>
    private const string Forger = """
        import socket, ssl, struct, sys
        host, certificate, key, ca, target, other, to, source = sys.argv[1:]
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(certificate, key)
        mac = lambda text: bytes.fromhex(text.replace(":", ""))
        ip = bytes([0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0]) + socket.inet_aton(source) + socket.inet_aton(to)
        total = sum(struct.unpack("!10H", ip))
        total = (total & 0xffff) + (total >> 16)
        ip = ip[:10] + struct.pack("!H", ~total & 0xffff) + ip[12:]
        frame = mac(target) + mac(other) + b"\x08\x00" + ip + struct.pack("!4H", 1, 2, 8, 0)
        link = lambda vni: b"\x08\x00\x00\x00" + struct.pack("!I", vni << 8) + frame
        with context.wrap_socket(socket.create_connection((host, 4790)), server_hostname="h1.test") as stream:
            for wrong in (link(77), link(4096), b"short"):
                stream.sendall((struct.pack("!I", len(wrong)) + wrong) * 50)
            try:
                stream.unwrap()
            except OSError:
                pass
            print("sent")
        """;

    private const string Web = """{"name":"web","ipv6":true,"underlay":"tls"}""";

    [SystemTheory("etcd", "ip", "ping", "nsenter", "tcpdump", "curl", "python3", "iperf3")]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Containers_OfTwoHosts_ReachEachOtherAndNothingCanBeRead(int underlay)
    {
        await using SharedHosts hosts = await SharedHosts.CreateAsync(2, underlay, hasLinks: true);
        await hosts.DoAsync(0, HttpMethod.Post, "networks", Web);
        string[] one = await hosts.AttachAsync(0, "web", "one", "c1"), two = await hosts.AttachWhenKnownAsync(1, "web", "two", "c2");
        await using PacketCapture capture = await PacketCapture.StartAsync(hosts.Host(0), "up0", hosts.PathOf("wire.pcap"), "inout");
        await using PacketCapture inside = await PacketCapture.StartAsync(hosts.Name("c1"), "eth0", hosts.PathOf("inside.pcap"));
        await hosts.PingAsync("c1", two);
        await hosts.PingAsync("c2", one);

        // A stream has no MTU: packets of 1,500 bytes pass in one piece.
        (await hosts.InAsync("c1", "ping", "-c", "1", "-w", "15", "-M", "do", "-s", "1472", two[0])).MustSucceed();
        await TransferAsync(hosts, two);

        // Everything has gone by the link, and nothing of it in the clear.
        Assert.NotEmpty((await capture.StopAsync("tcp port 4790")).Lines);
        Assert.Empty((await ChildProgram.RunAsync(hosts.Host(0), ["tcpdump", "-n", "-r", capture.Path, "udp port 4789"])).MustSucceed().Lines);
        byte[] bytes = await File.ReadAllBytesAsync(hosts.PathOf("wire.pcap"));
        Assert.True(bytes.Length > 2_000_000, $"only {bytes.Length} bytes were captured");
        Assert.Equal(-1, bytes.AsSpan().IndexOf(Encoding.ASCII.GetBytes(Secret)));
        byte[] addresses = [.. IPAddress.Parse(two[0]).GetAddressBytes(), .. IPAddress.Parse(one[0]).GetAddressBytes()];
        Assert.Equal(-1, bytes.AsSpan().IndexOf(addresses));

        // Where it arrives both are found, and by the same search.
        await inside.StopAsync();
        bytes = await File.ReadAllBytesAsync(hosts.PathOf("inside.pcap"));
        Assert.NotEqual(-1, bytes.AsSpan().IndexOf(Encoding.ASCII.GetBytes(Secret)));
        Assert.NotEqual(-1, bytes.AsSpan().IndexOf(addresses));
        await hosts.StopAsync();
    }

    [SystemFact("etcd", "ip", "ping", "nsenter")]
    public async Task ThreeHosts_OneLinkForEachPair_CarriesAllNetworksAndComesBack()
    {
        await using SharedHosts hosts = await SharedHosts.CreateAsync(3, hasLinks: true);
        await hosts.DoAsync(0, HttpMethod.Post, "networks", Web);
        await hosts.DoAsync(0, HttpMethod.Post, "networks", """{"name":"db","underlay":"tls"}""");
        string[] one = await hosts.AttachAsync(0, "web", "one", "c1"), two = await hosts.AttachWhenKnownAsync(1, "web", "two", "c2");
        string[] three = await hosts.AttachWhenKnownAsync(2, "web", "three", "c3"), other = await hosts.AttachWhenKnownAsync(1, "db", "other", "c4");
        string[] fourth = await hosts.AttachWhenKnownAsync(2, "db", "fourth", "c5");
        await hosts.PingAsync("c1", [.. two, .. three]);
        await hosts.PingAsync("c4", fourth);
        Assert.NotEqual(0, (await hosts.InAsync("c1", "ping", "-c", "2", "-i", "0.1", "-W", "1", other[0])).ExitCode);
        for (int host = 0; host < 3; host++)
        {
            JsonElement[] links = await LinksAsync(hosts, host);
            Assert.Equal(2, links.Length);
            Assert.All(links, link => Assert.Contains("TLS 1.3", link.GetProperty("detail").GetString(), StringComparison.Ordinal));
        }

        // A host dies without a word and comes back: its link with each other is made anew.
        await hosts.KillServiceAsync(1);
        await SharedHosts.AwaitAsync(async () => (await LinksAsync(hosts, 0)).Any(link => !link.GetProperty("isUp").GetBoolean()));
        await hosts.PingAsync("c1", three);
        await hosts.StartServiceAsync(1);
        await hosts.PingAsync("c1", [.. two, .. three]);

        // A container moves, and has its addresses where it is now.
        await hosts.DoAsync(2, HttpMethod.Delete, "networks/web/endpoints/three/eth0");
        Assert.Equal(three, await hosts.AttachAsync(1, "web", "three", "c6"));
        await hosts.PingAsync("c1", three);

        // Without the registry the links go on.
        for (int member = 0; member < 3; member++)
        {
            await hosts.KillMemberAsync(member);
        }

        await hosts.PingAsync("c1", [.. two, .. three]);
        await hosts.PingAsync("c2", one);
        await hosts.StopAsync();
    }

    [SystemTheory("etcd", "ip", "ping", "nsenter")]
    [InlineData(0)]
    [InlineData(1)]
    public async Task Host_WithTheCertificateOfAnother_IsRefusedByNameUntilItHasItsOwn(int stranger)
    {
        // The host whose name comes first connects: a stranger is refused by either side.
        await using SharedHosts hosts = await SharedHosts.CreateAsync(2, hasLinks: true, stranger: stranger);
        await hosts.DoAsync(0, HttpMethod.Post, "networks", Web);
        await hosts.AttachAsync(0, "web", "one", "c1");
        string[] two = await hosts.AttachWhenKnownAsync(1, "web", "two", "c2");
        int judge = 1 - stranger;
        await SharedHosts.AwaitAsync(async () => await RefusalsAsync(hosts, judge) > 0);
        Assert.NotEqual(0, (await hosts.InAsync("c1", "ping", "-c", "2", "-i", "0.1", "-W", "1", two[0])).ExitCode);
        Assert.Contains("CN=h9", (await hosts.DoAsync(judge, HttpMethod.Get, "status")).ToString(), StringComparison.Ordinal);

        hosts.Certify(stranger, stranger);
        await hosts.PingAsync("c1", two);
        Assert.All(await LinksAsync(hosts, 0), link => Assert.True(link.GetProperty("isUp").GetBoolean()));
        await hosts.StopAsync();
    }

    [SystemFact("etcd", "ip", "ping", "nsenter", "python3")]
    public async Task Host_ThatForgesFrames_CrossesNothingAndIsCounted()
    {
        await using SharedHosts hosts = await SharedHosts.CreateAsync(3, hasLinks: true);
        await hosts.DoAsync(0, HttpMethod.Post, "networks", Web);
        await hosts.AttachAsync(0, "web", "one", "c1");
        string[] two = await hosts.AttachWhenKnownAsync(1, "web", "two", "c2"), three = await hosts.AttachWhenKnownAsync(2, "web", "three", "c3");
        string target = (await hosts.InAsync("c2", "cat", "/sys/class/net/eth0/address")).MustSucceed().Output.Trim(), other = (await hosts.InAsync("c3", "cat", "/sys/class/net/eth0/address")).Output.Trim();

        // In the place of host 0, with its key, somebody writes to host 1: a network that is not shared, and frames in the name of what host 2 has.
        await hosts.KillServiceAsync(0);
        ProgramResult forged = (await ChildProgram.RunAsync(hosts.Host(0), ["python3", "-c", Forger, hosts.Link(1).Split(':')[0], hosts.PathOf("own0.pem"), hosts.PathOf("own0.key"), hosts.Authority,
            target, other, two[0], three[0]])).MustSucceed();
        Assert.Equal("sent", forged.Output.Trim());
        await SharedHosts.AwaitAsync(async () => (await hosts.DoAsync(1, HttpMethod.Get, "status")).GetProperty("drops") is var drops
            && drops.TryGetProperty("overlay_unknown_vni", out JsonElement unknown) && unknown.GetInt64() == 50
            && drops.TryGetProperty("spoofed_mac", out JsonElement spoofed) && spoofed.GetInt64() == 50
            && drops.TryGetProperty("overlay_malformed", out JsonElement malformed) && malformed.GetInt64() == 50);
        await hosts.PingAsync("c2", three);
        await hosts.StopAsync();
    }

    [SystemFact("etcd", "ip", "nsenter")]
    public async Task Host_WithoutALink_IsToldWhatItLacks()
    {
        await using SharedHosts hosts = await SharedHosts.CreateAsync(1);
        (HttpStatusCode status, JsonElement answer) = await hosts.AskAsync(0, HttpMethod.Post, "networks", Web);
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Contains("started without --tls-link", answer.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    /// <summary>A file with the secret by HTTP, and a measurement, over both families.</summary>
    private static async Task TransferAsync(SharedHosts hosts, string[] server)
    {
        string folder = Directory.CreateDirectory(hosts.PathOf("www")).FullName;
        await File.WriteAllTextAsync(Path.Combine(folder, "secret"), string.Concat(Enumerable.Repeat(Secret, 20_000)));
        await using ChildProgram web = hosts.Start("c2", "python3", "-u", "-m", "http.server", "80", "-b", "::", "-d", folder);
        await web.AwaitLineAsync(line => line.StartsWith("Serving", StringComparison.Ordinal));
        await using ChildProgram measured = hosts.Start("c2", "iperf3", "-s", "--forceflush");
        await measured.AwaitLineAsync(line => line.Contains("listening", StringComparison.Ordinal));
        foreach (string address in server)
        {
            string url = $"http://{(address.Contains(':', StringComparison.Ordinal) ? $"[{address}]" : address)}/secret";
            Assert.Equal(Secret.Length * 20_000, int.Parse((await hosts.InAsync("c1", "curl", "-sS", "-o", "/dev/null", "-w", "%{size_download}", url)).MustSucceed().Output, CultureInfo.InvariantCulture));
            (await hosts.InAsync("c1", "iperf3", "-c", address, "-n", "1M")).MustSucceed();
        }
    }

    private static async Task<JsonElement[]> LinksAsync(SharedHosts hosts, int host) =>
        [.. (await hosts.DoAsync(host, HttpMethod.Get, "status")).GetProperty("links").EnumerateArray()];

    /// <summary>How often a host has refused a certificate for its name, at its own socket or at the other end's.</summary>
    private static async Task<long> RefusalsAsync(SharedHosts hosts, int host)
    {
        JsonElement status = await hosts.DoAsync(host, HttpMethod.Get, "status");
        return Count(status.GetProperty("refused")) + status.GetProperty("links").EnumerateArray().Sum(link => Count(link.GetProperty("events")));
    }

    private static long Count(JsonElement events) => events.TryGetProperty("certificate_name", out JsonElement count) ? count.GetInt64() : 0;
}
