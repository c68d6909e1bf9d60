using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Gateway;

/// <summary>A host that is asked to use IPv6 only, and a web server that has IPv4 only: found by name and reached, with nothing but the tools people use.</summary>
public sealed class Dns64Tests(GatewayBed bed) : GatewayTest(bed), IAsyncLifetime
{
    private const string Prefix = "2001:db8:64::", Server = "2001:db8:2::53", Pool = "198.51.100.20";

    private readonly string _folder = Directory.CreateTempSubdirectory("dpsysdns64").FullName;
    private ChildProgram? _upstream;

    internal override GatewayConfiguration Configuration { get; } = new()
    {
        Nat = [$"inside: lan, outside: wan, nat64: \"{Prefix}/96\", pool: [ {Pool} ], mapping: endpoint_independent"],
        More = $$"""
            mesh:
              domain: mesh.test
              dns: { listen: [ "{{Server}}" ], upstreams: [ "127.0.0.1:5364" ], dns64: { prefix: "{{Prefix}}/96" } }
              services:
                - { name: four, kind: headless, endpoints: [ { address: {{TestNetwork.ClientAddress}} } ] }

            """,
    };

    private string Resolver => $"/etc/netns/{Bed.Network.Backend(0)}";

    async Task IAsyncLifetime.InitializeAsync()
    {
        await InitializeAsync();
        if (Native.Tests.Privileges.Missing is not null || Programs.WhyMissing(["dig", "curl", "unbound", "nginx", "socat"]) is not null)
            return;

        // Upstream is in the namespace of the gateway: what is asked of it goes by the kernel.
        string file = Path.Combine(_folder, "unbound.conf");
        await File.WriteAllTextAsync(file, $$"""
            server:
              interface: 127.0.0.1@5364
              port: 5364
              do-daemonize: no
              username: ""
              chroot: ""
              pidfile: ""
              use-syslog: no
              directory: "{{_folder}}"
              local-zone: "v4.test." static
              local-data: "v4.test. 50 IN SOA ns.v4.test. mail.v4.test. 1 2 3 4 5"
              local-data: "www.v4.test. 300 IN A {{TestNetwork.ClientAddress}}"
              local-zone: "100.51.198.in-addr.arpa." static
              local-data-ptr: "{{TestNetwork.ClientAddress}} www.v4.test"

            """);
        _upstream = ChildProgram.Start(Bed.Network.Gateway, "unbound", "-d", "-c", file);
        for (int tries = 0; tries < 400; tries++)
        {
            ProgramResult asked = await ChildProgram.RunAsync(Bed.Network.Gateway, ["dig", "@127.0.0.1", "-p", "5364", "+tries=1", "+time=1", "+short", "www.v4.test", "A"]);
            if (asked.Output.StartsWith(TestNetwork.ClientAddress, StringComparison.Ordinal))
                break;
            await Task.Delay(25);
        }

        // "ip netns exec" puts this file in the place of /etc/resolv.conf.
        Directory.CreateDirectory(Resolver);
        await File.WriteAllTextAsync(Path.Combine(Resolver, "resolv.conf"), $"nameserver {Server}\noptions timeout:2\n");
    }

    async Task IAsyncLifetime.DisposeAsync()
    {
        if (_upstream is not null)
        {
            await _upstream.DisposeAsync();
            Directory.Delete(Resolver, recursive: true);
        }

        Directory.Delete(_folder, recursive: true);
        await DisposeAsync();
    }

    private async Task<string[]> DigAsync(params string[] arguments) =>
        [.. (await ChildProgram.RunAsync(Bed.Network.Backend(0), ["dig", $"@{Server}", "+time=2", "+tries=8", "+short", .. arguments])).MustSucceed().Lines];

    [SystemFact("dig", "curl", "unbound", "nginx", "socat")]
    public async Task Curl_NameWithIpv4Only_ReachesItByIpv6()
    {
        await using ChildProgram web = ChildProgram.Start(Bed.Network.Client, "socat", "TCP4-LISTEN:8064,fork,reuseaddr", "SYSTEM:read request; echo $SOCAT_PEERADDR");
        const string Address = "2001:db8:64::c633:6464"; // 198.51.100.100
        Assert.Equal([Address], await DigAsync("www.v4.test", "AAAA"));
        Assert.Equal([TestNetwork.ClientAddress], await DigAsync("www.v4.test", "A"));
        Assert.Equal([Address], await DigAsync("four.mesh.test", "AAAA"));
        Assert.Equal(["100.100.51.198.in-addr.arpa.", "www.v4.test."], await DigAsync("-x", Address));
        Assert.Equal(["2001:db8:64::c000:aa", "2001:db8:64::c000:ab"], (await DigAsync("ipv4only.arpa", "AAAA")).Order(StringComparer.Ordinal));
        Assert.Empty(await DigAsync("+dnssec", "+cd", "www.v4.test", "AAAA"));
        string[] curl = ["curl", "-6", "-s", "--http0.9", "--retry", "20", "--retry-connrefused", "--retry-delay", "1", "--max-time", "30", "http://www.v4.test:8064/"];
        Assert.Equal([Pool], (await ChildProgram.RunAsync(Bed.Network.Backend(0), curl)).MustSucceed().Lines);
    }
}
