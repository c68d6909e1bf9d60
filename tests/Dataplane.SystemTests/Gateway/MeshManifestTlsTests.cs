using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Gateway;

/// <summary>A Kubernetes manifest that asks for mutual TLS by its annotations: what was readable on the wire before is not any more, and the client knows nothing of it.</summary>
public sealed class MeshManifestTlsTests(GatewayBed bed) : IClassFixture<GatewayBed>, IAsyncLifetime
{
    private const string Address = "10.96.0.5";
    private const string Secret = "not-for-the-wire";

    private const string Mesh = $$"""
        ports:
          wan: { kind: af_packet, interface: wan }
          lan: { kind: af_packet, interface: lan }
        interfaces:
          - { port: wan, address: {{TestNetwork.GatewayOnWan}}/24 }
          - { port: lan, address: {{TestNetwork.GatewayOnLan}}/24 }
        mesh:
          domain: mesh.example
          addresses: [ 10.96.0.0/16 ]
          relay: { outbound: 10.1.0.13, trust_domain: example.org }
          endpoints: [ { name: pod-1, address: 10.1.0.11, labels: { app: my-app } } ]
          sources: [ { kind: kubernetes, files: [ my-service.yaml ] } ]
        workers: { spin: 0us }

        """;

    private readonly string _folder = Directory.CreateTempSubdirectory("dpmanifest").FullName;

    public Task InitializeAsync() => Task.CompletedTask;

    public Task DisposeAsync()
    {
        Directory.Delete(_folder, recursive: true);
        return Task.CompletedTask;
    }

    [SystemFact("nginx", "curl", "tcpdump")]
    public async Task Annotations_ThatAskForMutualTls_MakeTheTrafficUnreadable()
    {
        await WriteManifestAsync("");
        foreach (string line in new[] { "init ca --trust-domain example.org", "issue ca spiffe://example.org/ns/default/sa/clients --out clients", "issue ca spiffe://example.org/ns/default/sa/keeper --out keeper" })
            (await ChildProgram.RunAsync(bed.Network.Gateway, InFolder(["mesh", "ca", .. line.Split(' ')]))).MustSucceed();
        await using GatewayProgram gateway = await GatewayProgram.StartAsync(bed.Network.Gateway, Path.Combine(_folder, "gateway.yaml"), Mesh);
        await using ChildProgram clients = await RelayAsync(2, "clients", "outbound: true"), pod = await RelayAsync(0, "keeper", "inbound: 10.1.0.11, application: 127.0.0.1");

        // Without annotations: plain, which shows that what is looked for is there to be seen.
        await using (PacketCapture wire = await PacketCapture.StartAsync(bed.Network.Backend(0), "e0", bed.NewPath("plain.pcap"), "inout", "tcp"))
        {
            Assert.Equal("b0\n", await AskAsync());
            await UntilAsync(async () => await SeenAsync(wire, "-A") is var seen && seen.Contains(Secret, StringComparison.Ordinal) && seen.Contains("10.1.0.11.8080", StringComparison.Ordinal));
        }

        await WriteManifestAsync("annotations: { dataplane.mesh/tls: mutual, dataplane.mesh/identity: spiffe://example.org/ns/default/sa/keeper }, ");
        await UntilAsync(async () => await AskAsync() == "b0\n" && pod.Output.Any(line => line.Contains("\"reason\":\"completed\"", StringComparison.Ordinal)));
        await using (PacketCapture wire = await PacketCapture.StartAsync(bed.Network.Backend(0), "e0", bed.NewPath("tls.pcap"), "inout", "tcp"))
        {
            Assert.Equal("b0\n", await AskAsync());
            await UntilAsync(async () => (await SeenAsync(wire, "tcp port 15008")).Contains("Flags [F", StringComparison.Ordinal));
            string seen = (await wire.StopAsync("-A")).Output;
            Assert.DoesNotContain(Secret, seen, StringComparison.Ordinal);
            Assert.DoesNotContain("X-Backend", seen, StringComparison.Ordinal);
            Assert.DoesNotContain("10.1.0.11.8080", seen, StringComparison.Ordinal);
        }

        string record = await pod.AwaitLineAsync(line => line.Contains("\"reason\":\"completed\"", StringComparison.Ordinal));
        Assert.Contains("\"identity\":\"spiffe://example.org/ns/default/sa/clients\"", record, StringComparison.Ordinal);
        await gateway.StopAsync();
    }

    private async Task<string> AskAsync() => (await bed.AtClientAsync("curl", "-s", "--max-time", "20", $"http://{Address}/", "-H", $"X-Secret: {Secret}", "-H", "Connection: close")).Output;

    private async Task<string> SeenAsync(PacketCapture wire, params string[] options) =>
        (await ChildProgram.RunAsync(bed.Network.Backend(0), ["tcpdump", "-n", "-r", wire.Path, .. options])).Output;

    /// <summary>As editors write: whole.</summary>
    private async Task WriteManifestAsync(string annotations)
    {
        string path = Path.Combine(_folder, "my-service.yaml");
        await File.WriteAllTextAsync(path + ".new", $$"""
            apiVersion: v1
            kind: Service
            metadata: { {{annotations}}name: my-service }
            spec: { clusterIP: {{Address}}, selector: { app: my-app }, ports: [ { port: 80, targetPort: 8080 } ] }

            """);
        File.Move(path + ".new", path, overwrite: true);
    }

    private async Task<ChildProgram> RelayAsync(int backend, string identity, string mesh)
    {
        await File.WriteAllTextAsync(Path.Combine(_folder, identity + ".yaml"), $$"""
            identity: { certificate: {{identity}}.pem, key: {{identity}}.key, bundles: { example.org: ca/bundle.pem } }
            mesh: { file: gateway.yaml, {{mesh}} }

            """);
        var relay = ChildProgram.Start(bed.Network.Backend(backend), InFolder("mesh", "relay", identity + ".yaml", "--access", "all"));
        await relay.AwaitLineAsync(line => line == "ready");
        return relay;
    }

    private string[] InFolder(params string[] words) => ["sh", "-c", "cd \"$0\" && exec \"$@\"", _folder, .. Programs.Dataplane, .. words];

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
