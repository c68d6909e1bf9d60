using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Mesh;

/// <summary>The relay as a program, between hosts, with other people's clients and servers.</summary>
public sealed class RelayTests(MeshNetwork network) : IClassFixture<MeshNetwork>
{
    private const string Secret = "a secret that must not be read on the wire\n";

    [SystemFact("curl", "tcpdump", "python3")]
    public async Task Curl_ThroughTwoRelays_GetsTheFileAndTheWireShowsNothing()
    {
        await using ChildProgram web = await network.WebAsync(Secret);
        await using ChildProgram inbound = await network.RelayAsync("server", network.Identity("web") + """
            listeners:
              - { name: in, kind: inbound, listen: "[::]:15008", to: "127.0.0.1:8080" }
            authorization:
              policies: [ { name: shop-only, action: allow, namespaces: [ shop ] } ]
            """);
        await using ChildProgram outbound = await network.RelayAsync("client", network.Identity("client") + $$"""
            listeners:
              - { name: v4, kind: outbound, listen: "127.0.0.1:8081", to: "{{MeshNetwork.Server}}:15008", peer: spiffe://example.org/ns/shop/sa/web }
              - { name: v6, kind: outbound, listen: "[::1]:8081", to: "[{{MeshNetwork.Server6}}]:15008", peer: spiffe://example.org/ns/shop/* }
            """);
        await using PacketCapture capture = await PacketCapture.StartAsync(network.Home("client"), "e0", network.NewPath("wire.pcap"), "inout", "tcp port 15008");
        Assert.Equal(Secret, (await network.AtAsync("client", "curl", "-s", "http://127.0.0.1:8081/file")).MustSucceed().Output);
        Assert.Equal(Secret, (await network.AtAsync("client", "curl", "-s", "http://[::1]:8081/file")).MustSucceed().Output);

        // Both connections are over: what is not in the file by now is still with the kernel.
        while (!(await network.AtAsync("client", "tcpdump", "-n", "-r", capture.Path, "tcp[tcpflags] & tcp-fin != 0")).Output
            .Contains("Flags [F", StringComparison.Ordinal))
            await Task.Delay(50);
        string seen = (await capture.StopAsync("-A")).Output;
        Assert.Contains("15008", seen, StringComparison.Ordinal);
        Assert.DoesNotContain("GET /file", seen, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", seen, StringComparison.Ordinal);
        Assert.DoesNotContain("spiffe://", seen, StringComparison.Ordinal);
        string record = await inbound.AwaitLineAsync(line => line.Contains("\"reason\":\"completed\"", StringComparison.Ordinal));
        Assert.Contains("\"identity\":\"spiffe://example.org/ns/shop/sa/client\"", record, StringComparison.Ordinal);
        Assert.Contains("\"policy\":\"shop-only\"", record, StringComparison.Ordinal);
        ProgramResult ended = (await inbound.TerminateAsync()).MustSucceed();

        // Either side may be the first to end.
        Assert.Matches(@"(?m)^listener in: accepted 2 = ended 2 \+ active 0, ((client|upstream)\.completed 2|(client|upstream)\.completed 1, (client|upstream)\.completed 1)", ended.Output);
    }

    [SystemFact("openssl", "python3")]
    public async Task OpenSsl_WithAndWithoutACertificate_IsLetInOrNot()
    {
        await using ChildProgram web = await network.WebAsync(Secret);
        await using ChildProgram inbound = await network.RelayAsync("server", network.Identity("web") + """
            listeners: [ { name: in, kind: inbound, listen: "0.0.0.0:15009", to: "127.0.0.1:8080" } ]
            """);
        const string Request = "GET /file HTTP/1.0\r\n\r\n";
        string[] common = ["openssl", "s_client", "-connect", $"{MeshNetwork.Server}:15009", "-CAfile", network.Bundle, "-verify_return_error", "-ign_eof", "-quiet"];
        string[] own = ["-cert", network["client"] + ".pem", "-key", network["client"] + ".key"];
        ProgramResult good = await ChildProgram.RunAsync(network.Home("client"), [.. common, .. own], Request);
        Assert.Contains(Secret, good.Output, StringComparison.Ordinal);
        foreach ((string[] options, string reason) in new (string[], string)[]
        {
            ([], "certificate_missing"),
            ([.. own, "-tls1_2"], "tls_version"),
            (await SelfSignedAsync(), "certificate_untrusted"),
        })
        {
            ProgramResult refused = await ChildProgram.RunAsync(network.Home("client"), [.. common, .. options], Request);
            Assert.DoesNotContain(Secret, refused.Output, StringComparison.Ordinal);
            string record = await inbound.AwaitLineAsync(line => line.Contains($"\"reason\":\"{reason}\"", StringComparison.Ordinal));
            Assert.DoesNotContain("\"upstream\"", record, StringComparison.Ordinal);
        }

        Assert.Single(web.Error, line => line.Contains("GET /file", StringComparison.Ordinal));
    }

    private Task<ChildProgram> EdgeAsync(string port, bool tls12) => network.RelayAsync("server", $$"""
        listeners:
          - name: edge
            kind: edge
            listen: "0.0.0.0:{{port}}"
            tls12: {{(tls12 ? "true" : "false")}}
            certificates: [ { certificate: {{network["web"]}}.pem, key: {{network["web"]}}.key } ]
            to: "127.0.0.1:8080"
        """);

    [SystemTheory("nmap", "python3")]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Nmap_AtTheEdge_FindsStrongSuitesOnly(bool tls12)
    {
        await using ChildProgram web = await network.WebAsync(Secret);
        string port = tls12 ? "15011" : "15010";
        await using ChildProgram edge = await EdgeAsync(port, tls12);
        string found = (await network.AtAsync("client", "nmap", "-Pn", "-p", port, "--script", "ssl-enum-ciphers", MeshNetwork.Server)).MustSucceed().Output;
        Assert.Contains("TLSv1.3", found, StringComparison.Ordinal);
        Assert.Equal(tls12, found.Contains("TLSv1.2", StringComparison.Ordinal));
        foreach (string old in new[] { "TLSv1.1", "TLSv1.0", "SSLv3", "CBC", "3DES", "RC4", "WITH_NULL", "_SHA " })
            Assert.DoesNotContain(old, found, StringComparison.Ordinal);
        Assert.Contains("least strength: A", found, StringComparison.Ordinal);
        Assert.DoesNotContain("internal_error", string.Join('\n', edge.Output), StringComparison.Ordinal);
    }

    [SystemTheory("testssl", "python3")]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Testssl_AtTheEdge_FindsNothingWeak(bool tls12)
    {
        await using ChildProgram web = await network.WebAsync(Secret);
        string port = tls12 ? "15015" : "15014";
        await using ChildProgram edge = await EdgeAsync(port, tls12);
        // It asks for names whatever it is told: here somebody refuses at once ("ip netns exec" puts the file in the place of /etc/resolv.conf). What it calls would wait for input.
        string resolver = $"/etc/netns/{network.Home("client")}";
        Directory.CreateDirectory(resolver);
        string found;
        try
        {
            await File.WriteAllTextAsync(Path.Combine(resolver, "resolv.conf"), "nameserver 127.0.0.1\n");
            found = (await network.AtAsync("client", "sh", "-c", $"exec testssl --quiet --warnings off --color 0 --nodns none -p -s {MeshNetwork.Server}:{port} </dev/null")).Output;
        }
        finally
        {
            Directory.Delete(resolver, recursive: true);
        }

        string Of(string what) => found.Split('\n').Single(line => line.StartsWith($" {what} ", StringComparison.Ordinal))[what.Length..];
        Assert.Contains(" offered (OK)", Of("TLS 1.3"), StringComparison.Ordinal);
        Assert.Equal(!tls12, Of("TLS 1.2").Contains("not offered", StringComparison.Ordinal));
        Assert.Contains(" offered (OK)", Of("Strong encryption (AEAD ciphers)"), StringComparison.Ordinal);
        foreach (string weak in new[] { "SSLv2", "SSLv3", "TLS 1", "TLS 1.1", "NULL ciphers (no encryption)", "Anonymous NULL Ciphers (no authentication)", "Export ciphers (w/o ADH+NULL)",
            "LOW: 64 Bit + DES, RC[2,4] (w/o export)", "Triple DES Ciphers / IDEA", "Obsolete CBC ciphers (AES, ARIA etc.)" })
        {
            Assert.Contains("not offered", Of(weak), StringComparison.Ordinal);
        }
    }

    [SystemTheory("nft", "curl", "python3")]
    [InlineData(MeshNetwork.Service, "127.0.0.1", "0.0.0.0", "ip")]
    [InlineData(MeshNetwork.Service6, "[::1]", "[::]", "ip6")]
    public async Task Nft_RedirectedConnections_GoWhereTheyWereMeantFor(string service, string loopback, string any, string family)
    {
        // The client connects to an address that no one has; the kernel redirects it to the relay, which learns from the kernel what it was meant for, and
        // tells the other relay inside the TLS stream; that one has a route for it.
        await using ChildProgram web = await network.WebAsync(Secret);
        bool isIpv6 = family == "ip6";
        string relayPort = isIpv6 ? "15013" : "15012", server = isIpv6 ? $"[{MeshNetwork.Server6}]" : MeshNetwork.Server;
        await using ChildProgram inbound = await network.RelayAsync("server", network.Identity("web") + $$"""
            listeners:
              - name: in
                kind: inbound
                listen: "{{any}}:{{relayPort}}"
                original: proxy
                proxy_from: [ "spiffe://example.org/ns/shop/*" ]
                routes:
                  - { name: web, destinations: [ "{{service}}" ], ports: [ 80 ], to: "{{loopback}}:8080" }
            """);
        await using ChildProgram outbound = await network.RelayAsync("client", network.Identity("client") + $$"""
            listeners:
              - { name: out, kind: outbound, listen: "{{any}}:15001", original: redirect, to: "{{server}}:{{relayPort}}", send_proxy: true,
                  peer: spiffe://example.org/ns/shop/sa/web }
            """);
        string rules = $"table {family} dpmesh {{ chain out {{ type nat hook output priority -100; {family} daddr {service} tcp dport 80-81 redirect to :15001; }}; }}\n";
        (await ChildProgram.RunAsync(network.Home("client"), ["nft", "-f", "-"], rules)).MustSucceed();
        string host = isIpv6 ? $"[{service}]" : service;
        Assert.Equal(Secret, (await network.AtAsync("client", "curl", "-s", $"http://{host}/file")).MustSucceed().Output);

        // Another port is known to nobody, and a connection to the relay itself was never redirected.
        Assert.NotEqual(0, (await network.AtAsync("client", "curl", "-s", "-m", "20", $"http://{host}:81/file")).ExitCode);
        Assert.NotEqual(0, (await network.AtAsync("client", "curl", "-s", "-m", "20", $"http://{loopback}:15001/file")).ExitCode);
        await inbound.AwaitLineAsync(line => line.Contains("\"reason\":\"no_route\"", StringComparison.Ordinal));
        await outbound.AwaitLineAsync(line => line.Contains("\"reason\":\"no_original_destination\"", StringComparison.Ordinal));
        Assert.Contains(inbound.Output, line => line.Contains($"\"destination\":\"{host}:80\"", StringComparison.Ordinal));
    }

    [SystemFact("redis-server", "redis-cli")]
    public async Task Redis_ThroughTwoRelays_Answers()
    {
        await using var redis = ChildProgram.Start(network.Home("server"), "redis-server", "--port", "6379", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no");
        await redis.AwaitLineAsync(line => line.Contains("Ready to accept connections", StringComparison.Ordinal));
        await using ChildProgram inbound = await network.RelayAsync("server", network.Identity("web") + """
            listeners: [ { name: in, kind: inbound, listen: "0.0.0.0:15014", to: "127.0.0.1:6379" } ]
            """);
        await using ChildProgram outbound = await network.RelayAsync("client", network.Identity("client") + $$"""
            listeners: [ { name: out, kind: outbound, listen: "127.0.0.1:6379", to: "{{MeshNetwork.Server}}:15014", peer: spiffe://example.org } ]
            """);
        Assert.Equal("OK\n", (await network.AtAsync("client", "redis-cli", "SET", "key", "value")).MustSucceed().Output);
        Assert.Equal("value\n", (await network.AtAsync("client", "redis-cli", "GET", "key")).MustSucceed().Output);
    }

    private async Task<string[]> SelfSignedAsync()
    {
        string key = network.NewPath("own.key"), certificate = network.NewPath("own.pem");
        (await network.AtAsync("client", "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x",
            "-addext", "subjectAltName=URI:spiffe://example.org/ns/shop/sa/client", "-keyout", key, "-out", certificate, "-days", "1")).MustSucceed();
        return ["-cert", certificate, "-key", key];
    }
}
