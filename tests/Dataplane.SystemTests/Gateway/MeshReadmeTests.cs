using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Gateway;

/// <summary>The page of the README about the mesh, as it is printed: the files are cut out of it, the commands are its own.</summary>
public sealed class MeshReadmeTests(GatewayBed bed) : IClassFixture<GatewayBed>, IAsyncLifetime
{
    private const string Server = "198.51.100.53";
    private const string Bank = "http://bank.mesh.example/";

    private const string Interfaces = $$"""
        ports:
          wan: { kind: af_packet, interface: wan }
          lan: { kind: af_packet, interface: lan }
        interfaces:
          - { port: wan, address: {{TestNetwork.GatewayOnWan}}/24 }
          - { port: lan, address: {{TestNetwork.GatewayOnLan}}/24 }
        workers: { spin: 0us }

        """;

    private readonly string _folder = Directory.CreateTempSubdirectory("dpreadme").FullName;

    private string Resolver => $"/etc/netns/{bed.Network.Client}";

    public Task InitializeAsync() => Task.CompletedTask;

    public Task DisposeAsync()
    {
        Directory.Delete(_folder, recursive: true);
        if (Directory.Exists(Resolver))
        {
            Directory.Delete(Resolver, recursive: true);
        }

        return Task.CompletedTask;
    }

    [SystemFact("dig", "nginx", "socat", "curl", "openssl", "tcpdump")]
    public async Task Page_AsPrinted_IsFoundBalancedEncryptedAndAuthenticated()
    {
        Directory.CreateDirectory(Resolver);
        await File.WriteAllTextAsync(Path.Combine(Resolver, "resolv.conf"), $"nameserver {Server}\n");
        await WriteAsync("my-service.yaml", "kind: Service\nmetadata: { name: my-service }\nspec: { type: LoadBalancer, selector: { app: my-app }, ports: [ { port: 80, targetPort: 8080 } ] }\n");
        await WriteAsync("gateway.yaml", Interfaces + Cut("# gateway.yaml"));
        await WriteAsync("clients.yaml", Cut("# clients.yaml"));
        await WriteAsync("bank.yaml", Cut("# bank.yaml"));
        await WriteAsync("bank-2.yaml", Cut("# bank.yaml").Replace("10.1.0.11", "10.1.0.12", StringComparison.Ordinal));
        foreach (string line in Commands().Where(line => line.StartsWith("dataplane mesh ca", StringComparison.Ordinal)))
        {
            (await ChildProgram.RunAsync(bed.Network.Gateway, InFolder(line.Split(' ')[1..]))).MustSucceed();
        }

        await using GatewayProgram gateway = await GatewayProgram.StartAsync(bed.Network.Gateway, Path.Combine(_folder, "gateway.yaml"), await File.ReadAllTextAsync(Path.Combine(_folder, "gateway.yaml")));
        await using ChildProgram clients = await RelayAsync(2, "clients.yaml");
        await using ChildProgram one = await RelayAsync(0, "bank.yaml");
        await using ChildProgram two = await RelayAsync(1, "bank-2.yaml");

        await FoundAsync();
        await using (PacketCapture wire = await PacketCapture.StartAsync(bed.Network.Backend(0), "e0", bed.NewPath("wire.pcap"), "inout", "tcp"))
        {
            string[] answers = (await bed.AtClientAsync(["curl", "-s", "--max-time", "60", .. Enumerable.Repeat(Bank, 20), "-H", "Connection: close", "-H", "X-Secret: not-for-the-wire"])).MustSucceed().Lines;
            Assert.Equal((20, 2), (answers.Length, answers.Distinct().Count()));

            // What is not in the file by now is still with the kernel.
            while (!(await ChildProgram.RunAsync(bed.Network.Backend(0), ["tcpdump", "-n", "-r", wire.Path, "tcp port 15008"])).Output.Contains("Flags [F", StringComparison.Ordinal))
                await Task.Delay(50);
            string seen = (await wire.StopAsync("-A")).Output;
            Assert.Contains("15008", seen, StringComparison.Ordinal);
            Assert.DoesNotContain("not-for-the-wire", seen, StringComparison.Ordinal);
        }

        string record = await one.AwaitLineAsync(line => line.Contains("\"policy\":\"clients-only\"", StringComparison.Ordinal));
        Assert.Contains("\"identity\":\"spiffe://example.org/ns/default/sa/clients\"", record, StringComparison.Ordinal);
        await RefusedAsync(one);
        await EndpointGoneAsync(clients);
    }

    /// <summary>By DNS, by the command, and by the registry's interface.</summary>
    private async Task FoundAsync()
    {
        Assert.StartsWith("198.51.100.", (await bed.AtClientAsync("dig", $"@{Server}", "my-service.mesh.example", "+short", "+tries=5")).MustSucceed().Output, StringComparison.Ordinal);
        Assert.Equal(["0 100 5432 db.mesh.example."], (await bed.AtClientAsync("dig", $"@{Server}", "_pg._tcp.db.mesh.example", "SRV", "+short", "+tries=5")).MustSucceed().Lines);
        Assert.StartsWith("b", (await bed.AtClientAsync("curl", "-s", "--max-time", "60", "http://my-service.mesh.example/")).MustSucceed().Output, StringComparison.Ordinal);
        string[] services = (await ChildProgram.RunAsync(bed.Network.Gateway, InFolder("mesh", "services", "gateway.yaml"))).MustSucceed().Lines;
        Assert.Contains(services, line => line.StartsWith("bank.mesh.example  cluster_ip  10.96.", StringComparison.Ordinal) && line.Contains("2 of 2 endpoints ready", StringComparison.Ordinal));
        string put = Commands().Single(line => line.StartsWith("curl -X PUT", StringComparison.Ordinal));
        string reply = (await ChildProgram.RunAsync(bed.Network.Gateway, ["sh", "-c", put])).MustSucceed().Output.TrimEnd();
        Assert.Equal("{\"leaseSeconds\":15,\"revision\":2}", reply);
    }

    /// <summary>Without a certificate nobody gets to the application.</summary>
    private async Task RefusedAsync(ChildProgram relay)
    {
        await ChildProgram.RunAsync(bed.Network.Backend(2), ["openssl", "s_client", "-connect", "10.1.0.11:15008", "-CAfile", Path.Combine(_folder, "ca/bundle.pem")]);
        await relay.AwaitLineAsync(line => line.Contains("\"reason\":\"certificate_missing\"", StringComparison.Ordinal));
    }

    /// <summary>A pod that goes from the one file goes from gateway and relays; what is asked next is answered by the other.</summary>
    private async Task EndpointGoneAsync(ChildProgram clients)
    {
        string path = Path.Combine(_folder, "gateway.yaml");
        int before = clients.Output.Length;
        string changed = string.Join('\n', (await File.ReadAllLinesAsync(path)).Where(line => !line.Contains("pod-2", StringComparison.Ordinal)));
        await File.WriteAllTextAsync(path + ".new", changed);
        File.Move(path + ".new", path, overwrite: true);
        await clients.AwaitLineAsync(line => line == "reloaded", before);
        string[] answers = (await bed.AtClientAsync(["curl", "-s", "--max-time", "60", .. Enumerable.Repeat(Bank, 10), "-H", "Connection: close"])).MustSucceed().Lines;
        Assert.Equal(["b0"], answers.Distinct());
    }

    private async Task<ChildProgram> RelayAsync(int backend, string file)
    {
        ChildProgram relay = ChildProgram.Start(bed.Network.Backend(backend), InFolder("mesh", "relay", file, "--access", "all"));
        await relay.AwaitLineAsync(line => line == "ready");
        return relay;
    }

    private string[] InFolder(params string[] words) => ["sh", "-c", "cd \"$0\" && exec \"$@\"", _folder, .. Programs.Dataplane, .. words];

    private Task WriteAsync(string file, string text) => File.WriteAllTextAsync(Path.Combine(_folder, file), text);

    private static string Readme() => File.ReadAllText(Path.Combine(Root(), "README.md"));

    private static string Cut(string title) => Readme().Split("```yaml\n").Single(part => part.StartsWith(title, StringComparison.Ordinal)).Split("```")[0];

    private static string[] Commands() =>
        [.. Readme().Split('\n').Where(line => line.StartsWith("$ ", StringComparison.Ordinal)).Select(line => line[2..].Split("   ")[0].TrimEnd())];

    private static string Root()
    {
        DirectoryInfo? at = new(AppContext.BaseDirectory);
        while (at is not null && !File.Exists(Path.Combine(at.FullName, "Dataplane.sln")))
        {
            at = at.Parent;
        }

        return at!.FullName;
    }
}
