using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Gateway;

/// <summary>A Kubernetes manifest as it stands, backends in the place of pods, and clients that know nothing but names.</summary>
public sealed class MeshTests(GatewayBed bed) : IClassFixture<GatewayBed>, IAsyncLifetime
{
    private const string Server = "198.51.100.53";
    private const string Server6 = "2001:db8:1::53";
    private const string Manifest = """
        apiVersion: v1
        kind: Service
        metadata:
          name: my-service
        spec:
          selector:
            app: my-app
          ports:
            - protocol: TCP
              port: 80
              targetPort: 8080
          type: LoadBalancer

        """;

    private static readonly string s_configuration = $$"""
        ports:
          wan: { kind: af_packet, interface: wan }
          lan: { kind: af_packet, interface: lan }
        interfaces:
          - { port: wan, address: {{TestNetwork.GatewayOnWan}}/24 }
          - { port: wan, address: {{TestNetwork.GatewayOnWan6}}/64 }
          - { port: lan, address: {{TestNetwork.GatewayOnLan}}/24 }
          - { port: lan, address: {{TestNetwork.GatewayOnLan6}}/64 }
        mesh:
          domain: mesh.example
          addresses: [ 10.96.0.0/16 ]
          load_balancers: [ 198.51.100.64/27, "2001:db8:1::1:0/112" ]
          dns: { listen: [ {{Server}}, "{{Server6}}" ] }
          endpoints:
            - { name: pod-0, address: 10.1.0.11, labels: { app: my-app } }
            - { name: pod-1, address: 10.1.0.12, labels: { app: my-app } }
            - { name: pod-2, address: 10.1.0.13, labels: { app: my-app } }
            - { name: pod-0, address: "2001:db8:2::11", labels: { app: my-app } }
            - { name: pod-1, address: "2001:db8:2::12", labels: { app: my-app } }
          services:
            - { name: many, kind: headless, endpoints: [ {{string.Join(", ", Enumerable.Range(1, 60).Select(host => $"{{ address: 10.7.0.{host} }}"))}} ] }
          sources:
            - { kind: kubernetes, files: [ manifests/*.yaml ] }
        workers: { spin: 0us }

        """;

    private readonly string _folder = Directory.CreateTempSubdirectory("dpsysmesh").FullName;
    private GatewayProgram? _gateway;

    public async Task InitializeAsync()
    {
        if (Native.Tests.Privileges.Missing is not null || Programs.WhyMissing(["dig", "nginx", "socat", "curl", "getent"]) is not null)
            return;
        Directory.CreateDirectory(Path.Combine(_folder, "manifests"));
        await File.WriteAllTextAsync(Path.Combine(_folder, "manifests/my-service.yaml"), Manifest);

        // "ip netns exec" puts this file in the place of /etc/resolv.conf.
        Directory.CreateDirectory(Resolver);
        await File.WriteAllTextAsync(Path.Combine(Resolver, "resolv.conf"), $"nameserver {Server}\nsearch mesh.example\noptions timeout:2\n");
        _gateway = await GatewayProgram.StartAsync(bed.Network.Gateway, Path.Combine(_folder, "gateway.yaml"), s_configuration);
    }

    public async Task DisposeAsync()
    {
        if (_gateway is not null)
        {
            await using (_gateway)
                await _gateway.StopAsync();
            Directory.Delete(Resolver, recursive: true);
        }

        Directory.Delete(_folder, recursive: true);
    }

    private string Resolver => $"/etc/netns/{bed.Network.Client}";

    private async Task<string[]> DigAsync(params string[] arguments) =>
        [.. (await bed.AtClientAsync(["dig", "+time=2", "+tries=3", .. arguments])).MustSucceed().Lines];

    [SystemFact("dig", "nginx", "socat", "curl", "getent")]
    public async Task Manifest_AsItStands_IsFoundAndReachedByName()
    {
        string address = Assert.Single(await DigAsync($"@{Server}", "my-service.mesh.example", "A", "+short"));
        Assert.StartsWith("198.51.100.", address, StringComparison.Ordinal);
        string address6 = Assert.Single(await DigAsync($"@{Server6}", "MY-service.mesh.EXAMPLE", "AAAA", "+short"));
        Assert.StartsWith("2001:db8:1::1:", address6, StringComparison.Ordinal);
        Assert.StartsWith("10.96.", Assert.Single(await DigAsync($"@{Server}", "my-service.default.svc.cluster.local", "+short")), StringComparison.Ordinal);
        Assert.Equal(["my-service.mesh.example."], await DigAsync($"@{Server}", "-x", address, "+short"));
        Assert.Equal(["\"1.1.0\""], await DigAsync($"@{Server}", "dns-version.cluster.local", "TXT", "+short"));

        // The host's own resolver, with its search list.
        Assert.Contains(address, (await bed.AtClientAsync("getent", "ahostsv4", "my-service")).MustSucceed().Output, StringComparison.Ordinal);
        foreach (string family in new[] { "-4", "-6" })
        {
            string[] arguments = ["curl", "-s", family, "--max-time", "20", .. Enumerable.Repeat("http://my-service.mesh.example/", 40), "-H", "Connection: close"];
            string[] answers = (await bed.AtClientAsync(arguments)).MustSucceed().Lines;
            Assert.Equal((40, family == "-4" ? 3 : 2), (answers.Length, answers.Distinct().Count()));
        }
    }

    [SystemFact("dig", "nginx", "socat", "curl", "getent")]
    public async Task NameServer_ForDig_KeepsToTheProtocol()
    {
        string[] denied = await DigAsync($"@{Server}", "nobody.mesh.example", "A");
        Assert.Contains(denied, line => line.Contains("status: NXDOMAIN", StringComparison.Ordinal));
        Assert.Contains(denied, line => line.StartsWith("mesh.example.", StringComparison.Ordinal) && line.Contains("SOA", StringComparison.Ordinal));
        Assert.Contains(await DigAsync($"@{Server}", "my-service.mesh.example", "MX"), line => line.Contains("status: NOERROR", StringComparison.Ordinal));
        Assert.Contains(await DigAsync($"@{Server}", "www.example.org"), line => line.Contains("status: REFUSED", StringComparison.Ordinal));
        Assert.Contains(await DigAsync($"@{Server}", "my-service.mesh.example", "+edns=5", "+noednsneg"), line => line.Contains("status: BADVERS", StringComparison.Ordinal));
        Assert.Contains(await DigAsync($"@{Server}", "my-service.mesh.example", "+opcode=4"), line => line.Contains("status: NOTIMP", StringComparison.Ordinal));
        Assert.Contains(await DigAsync($"@{Server}", "my-service.mesh.example", "ANY", "+notcp"), line => line.Contains("RFC8482", StringComparison.Ordinal));
        string[] cut = await DigAsync($"@{Server}", "many.mesh.example", "+noedns", "+ignore");
        Assert.Contains(cut, line => line.Contains("flags: qr aa tc rd", StringComparison.Ordinal));
        Assert.Equal(29, cut.Count(line => line.Contains("IN\tA\t10.7.0.", StringComparison.Ordinal)));
        string[] whole = await DigAsync($"@{Server6}", "many.mesh.example", "+bufsize=1232");
        Assert.Equal(60, whole.Count(line => line.Contains("IN\tA\t10.7.0.", StringComparison.Ordinal)));
    }

    [SystemFact("dig", "nginx", "socat", "curl", "getent")]
    public async Task Manifest_ThatIsNew_IsFoundByItsNameWhileTheOthersStay()
    {
        string before = Assert.Single(await DigAsync($"@{Server}", "my-service.mesh.example", "+short"));
        string path = Path.Combine(_folder, "manifests/second.yaml");
        await File.WriteAllTextAsync(path, Manifest.Replace("my-service", "second", StringComparison.Ordinal));
        await UntilAsync(async () => (await DigAsync($"@{Server}", "second.mesh.example", "+short")).Length == 1);
        Assert.StartsWith("b", (await bed.AtClientAsync("curl", "-s", "--max-time", "20", "http://second/")).MustSucceed().Output, StringComparison.Ordinal);
        Assert.Equal([before], await DigAsync($"@{Server}", "my-service.mesh.example", "+short"));
        File.Delete(path);
        await UntilAsync(async () => (await DigAsync($"@{Server}", "second.mesh.example", "+short")).Length == 0);
    }

    [SystemTheory("dig", "nginx", "socat", "curl", "getent")]
    [InlineData("drill", "my-service.mesh.example", "@198.51.100.53")]
    [InlineData("kdig", "@198.51.100.53", "mY-sErViCe.MeSh.eXaMpLe", "+nocookie")]
    [InlineData("host", "my-service.mesh.example", "198.51.100.53")]
    public async Task NameServer_ForOtherClients_AnswersAsWell(string program, params string[] arguments)
    {
        if (Programs.Find(program) is null)
            return; // dig has asked the same.
        Assert.Contains("198.51.100.", (await bed.AtClientAsync([program, .. arguments])).MustSucceed().Output, StringComparison.Ordinal);
    }

    private static async Task UntilAsync(Func<Task<bool>> condition)
    {
        long end = Environment.TickCount64 + (long)ChildProgram.Patience.TotalMilliseconds;
        while (!await condition())
        {
            Assert.True(Environment.TickCount64 < end, "waited in vain");
            await Task.Delay(100);
        }
    }
}
