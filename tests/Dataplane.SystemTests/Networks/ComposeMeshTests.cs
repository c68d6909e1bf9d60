using System.Text.Json;
using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Networks;

/// <summary>A compose file as a source of a mesh: its services are found by name and balanced over its replicas, by a gateway that stands beside the containers' host.</summary>
public sealed class ComposeMeshTests : IAsyncLifetime
{
    private const string Server = "198.51.100.53";
    private const string Project = "dpcmesh";

    private ContainerHost _host = null!;
    private GatewayProgram? _gateway;

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        if (_host is null)
            return;
        await ComposeAsync("down");
        if (_gateway is not null)
            await _gateway.DisposeAsync();
        await _host.DisposeAsync();
    }

    [SystemFact("dig", "socat", "nsenter", "unshare", "setsid")]
    public async Task Compose_TwoReplicas_AreBalancedByNameAndFollowed()
    {
        _host = await ContainerHost.CreateAsync(withUplink: false);
        (string gateway, string client) = await LinkAsync();
        await WriteAsync("www");
        _gateway = await GatewayProgram.StartAsync(gateway, _host.PathOf("gateway.yaml"), $$"""
            ports:
              wan: { kind: af_packet, interface: wan }
              lan: { kind: af_packet, interface: lan }
            interfaces:
              - { port: wan, address: 198.51.100.2/24 }
              - { port: lan, address: 10.99.0.2/24 }
            routes: [ { to: 10.84.0.0/24, via: 10.99.0.1 } ]
            mesh:
              domain: mesh.example
              addresses: [ 10.96.0.0/16 ]
              dns: { listen: {{Server}} }
              sources: [ { kind: compose, file: compose.yaml, project: {{Project}}, projects: projects } ]
            workers: { spin: 0us }

            """);

        // It has a name before it runs.
        string address = Assert.Single(await DigAsync(client, $"web.{Project}.mesh.example"));
        Assert.StartsWith("10.96.", address, StringComparison.Ordinal);
        Assert.Equal([address], await DigAsync(client, $"www.{Project}.mesh.example"));
        const string Web = "exec socat TCP-LISTEN:8080,fork,reuseaddr SYSTEM:hostname";
        (await ComposeAsync("up", "--socket", _host.ControlSocket, "--image-command", $"app={Web}")).MustSucceed();
        await UntilAsync(async () => await AnswersAsync(client, address) == $"{Project}-web-1 {Project}-web-2", "both replicas");

        // A container that ends takes no new connection; the other goes on.
        JsonElement state = JsonDocument.Parse(await File.ReadAllTextAsync(_host.PathOf($"projects/{Project}/project.json"))).RootElement;
        int process = state.GetProperty("replicas").EnumerateArray().First().GetProperty("processId").GetInt32();
        (await ChildProgram.RunAsync(_host.Host, ["kill", "-KILL", $"{process}"])).MustSucceed();
        await UntilAsync(async () => await AnswersAsync(client, address) == $"{Project}-web-2", "the replica that is left");

        // What the file says is followed too.
        await WriteAsync("front");
        await UntilAsync(async () => (await DigAsync(client, $"front.{Project}.mesh.example")) is [var other] && other == address, "another alias");
        Assert.Empty(await DigAsync(client, $"www.{Project}.mesh.example"));
        (await ComposeAsync("down")).MustSucceed();
        await UntilAsync(async () => (await AnswersAsync(client, address)).Length == 0, "nobody");
        await _gateway.StopAsync();
        await _host.StopServiceAsync();
    }

    /// <summary>client -- wan, gateway, lan -- host, which routes to the containers.</summary>
    private async Task<(string Gateway, string Client)> LinkAsync()
    {
        string gateway = await _host.AddNamespaceAsync("gw"), client = await _host.AddNamespaceAsync("client");
        await TestNetwork.IpAsync(null, $"link add wan netns {gateway} type veth peer name c0 netns {client}\nlink add lan netns {gateway} type veth peer name l0 netns {_host.Host}\n");
        await TestNetwork.IpAsync(gateway, "link set wan up\nlink set lan up\n");
        await TestNetwork.IpAsync(client, "addr add 198.51.100.9/24 dev c0\nlink set c0 up\nroute add default via 198.51.100.2\n");
        await TestNetwork.IpAsync(_host.Host, "addr add 10.99.0.1/24 dev l0\nlink set l0 up\nroute add 198.51.100.0/24 via 10.99.0.2\n");
        (await ChildProgram.RunAsync(_host.Host, ["sysctl", "-qw", "net.ipv4.ip_forward=1"])).MustSucceed();
        return (gateway, client);
    }

    private Task WriteAsync(string alias) => File.WriteAllTextAsync(_host.PathOf("compose.yaml"), $$"""
        services:
          web:
            image: app
            deploy: { replicas: 2 }
            networks: { front: { aliases: [ {{alias}} ] } }
            labels: { dataplane.mesh/ports: "http=80:8080", dataplane.mesh/balance: round_robin }
        networks:
          front: { ipam: { config: [ { subnet: 10.84.0.0/24 } ] } }
        """);

    /// <summary>Who answers twelve connections, each once, in order.</summary>
    private static async Task<string> AnswersAsync(string client, string address)
    {
        string[] lines = (await ChildProgram.RunAsync(client, ["sh", "-c", $"for i in 1 2 3 4 5 6 7 8 9 10 11 12; do timeout 2 socat -u TCP:{address}:80,connect-timeout=1 - 2>&1 || {{ [ $i -gt 2 ] || break; }}; done"])).Lines;
        return string.Join(' ', lines.Where(line => line.StartsWith(Project, StringComparison.Ordinal)).Distinct().Order(StringComparer.Ordinal));
    }

    private static async Task<string[]> DigAsync(string client, string name) =>
        [.. (await ChildProgram.RunAsync(client, ["dig", "+time=2", "+tries=3", $"@{Server}", name, "+short"])).MustSucceed().Lines];

    private Task<ProgramResult> ComposeAsync(string verb, params string[] more) => ChildProgram.RunAsync(
        _host.Host, [.. ContainerHost.OwnMounts, .. Programs.Dataplane, verb, _host.PathOf("compose.yaml"), "--project", Project, "--projects", _host.PathOf("projects"), .. more]);

    private static async Task UntilAsync(Func<Task<bool>> condition, string what)
    {
        long end = Environment.TickCount64 + (long)ChildProgram.Patience.TotalMilliseconds;
        while (!await condition())
        {
            Assert.True(Environment.TickCount64 < end, $"waited in vain: {what}");
            await Task.Delay(100);
        }
    }
}
