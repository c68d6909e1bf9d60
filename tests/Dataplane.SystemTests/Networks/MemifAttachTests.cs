using System.Net.Sockets;
using System.Text.Json;
using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Networks;

/// <summary>Endpoints attached by memif: a second engine and dpdk-testpmd speak it, and reach containers with TAP devices, which reach them.</summary>
[Collection(AloneCollection.Name)]
public sealed class MemifAttachTests : IAsyncLifetime
{
    private readonly List<ChildProgram> _peers = [];
    private ContainerHost _host = null!;
    private string _tap = "";

    public async Task InitializeAsync()
    {
        _host = await ContainerHost.CreateAsync(withUplink: false);
        (await _host.CallAsync("network", "create", "web", "--subnet", "10.81.0.0/24", "--subnet", "fd81::/64")).MustSucceed();
        _tap = await _host.AddNamespaceAsync("b");
        (await _host.CallAsync("network", "attach", "web", "--netns", _tap, "--container", "b")).MustSucceed();
    }

    public async Task DisposeAsync()
    {
        foreach (ChildProgram peer in _peers)
            await peer.DisposeAsync();
        await _host.DisposeAsync();
    }

    [SystemFact("nsenter", "ip", "ping", "mount", "unshare")]
    public async Task Attach_ASecondEngineByMemif_ReachesATapContainerAndIsReachedOverRestartsOfBoth()
    {
        string app = await _host.AddNamespaceAsync("a");
        JsonElement made = await AttachAsync("--netns", app, "--memif", "peer");
        string socket = made.GetProperty("socket").GetString()!;
        Assert.Equal(_host.PathOf("memif/peer/memif.sock"), socket);
        Assert.DoesNotContain("eth0", (await ChildProgram.RunAsync(app, ["ip", "-o", "link"])).MustSucceed().Output, StringComparison.Ordinal);
        string[] own = AddressesOf(made), others = await _host.AddressesAsync("web", "b");
        await StartEngineAsync(app, made.GetProperty("mac").GetString()!, own);

        // From behind the second engine, under the leased addresses, and to a server behind it by these.
        using Socket here = ContainerSockets.Serve(_tap, 7000), here6 = ContainerSockets.Serve(_tap, 7000, ipv6: true);
        using Socket there = ContainerSockets.Serve(app, 7001), there6 = ContainerSockets.Serve(app, 7001, ipv6: true);
        string[] tap = await _host.AddressesAsync("web", "b");
        for (int family = 0; family < 2; family++)
        {
            await PingAsync(app, others[family]);
            await PingAsync(_tap, own[family]);
            Assert.Equal(own[family], Plain(await ContainerSockets.AskAsync(app, others[family], 7000)));
            Assert.Equal(tap[family], Plain(await ContainerSockets.AskAsync(_tap, own[family], 7001)));
        }

        // The network's own test asks it, by both addresses, and keeps it apart from a network that is not its own.
        (await _host.CallAsync("network", "create", "other", "--subnet", "10.82.0.0/24", "--subnet", "fd82::/64")).MustSucceed();
        string stranger = await _host.AddNamespaceAsync("c");
        (await _host.CallAsync("network", "attach", "other", "--netns", stranger, "--container", "c")).MustSucceed();
        ProgramResult test = (await _host.CallAsync("test", "web", "--throughput", "0")).MustSucceed();
        Assert.Equal(2, test.Output.Split('\n').Count(line => line.EndsWith("  reached by echo", StringComparison.Ordinal)));
        Assert.Contains("2 endpoints, 4 ways: 4 as they should be, 0 not reached, 0 leaks\nby memif, and asked by echo alone: a", test.Output, StringComparison.Ordinal);
        test = (await _host.CallAsync("test", "other", "--throughput", "0")).MustSucceed();
        Assert.Contains("1 endpoints, 4 ways: 4 as they should be", test.Output, StringComparison.Ordinal);

        // The service crashes: the next one listens at the same place, and the peer finds it. The peer goes and another comes.
        await _host.KillServiceAsync();
        await _host.StartServiceAsync(withUplink: false);
        await PingAsync(app, others[0]);
        await EndEngineAsync();
        test = await _host.CallAsync("test", "web", "--throughput", "0");
        Assert.Equal(1, test.ExitCode);
        Assert.Equal(2, test.Output.Split('\n').Count(line => line.Contains("  NOT REACHED: nothing is connected to its memif socket: ", StringComparison.Ordinal)));
        await StartEngineAsync(app, made.GetProperty("mac").GetString()!, own);
        await PingAsync(_tap, own[1]);

        // Whoever takes addresses that are not its own is not heard, by what it says of itself and by what it sends.
        await EndEngineAsync();
        await StartEngineAsync(app, made.GetProperty("mac").GetString()!, ["10.81.0.77", "fd81::77"]);
        Assert.NotEqual(0, (await ChildProgram.RunAsync(app, ["ping", "-c", "2", "-i", "0.2", "-W", "1", others[0]])).ExitCode);
        Assert.NotEqual(0, (await ChildProgram.RunAsync(app, ["ping", "-c", "2", "-i", "0.2", "-W", "1", others[1]])).ExitCode);
        (_, JsonElement status) = await _host.AskAsync(HttpMethod.Get, "/v1/status");
        Assert.True(status.GetProperty("drops").GetProperty("spoofed_address").GetInt64() > 0, status.ToString());

        // With the container goes its socket.
        await _host.RemoveNamespaceAsync(app);
        await _host.Service.AwaitLineAsync(line => line.Contains("died: detached", StringComparison.Ordinal));
        Assert.Empty(Directory.GetFileSystemEntries(_host.PathOf("memif")));
        await _host.StopServiceAsync();
    }

    [SystemFact("nsenter", "ip", "ping", "dpdk-testpmd")]
    public async Task Attach_TestpmdByMemif_AnswersATapContainerAndDetachLeavesNothing()
    {
        int before = _host.DescriptorsOfService();
        JsonElement made = await AttachAsync();
        string socket = made.GetProperty("socket").GetString()!;
        string[] command =
        [
            "dpdk-testpmd", "-l", "0,1", "-n", "1", "--no-pci", "--no-huge", "-m", "128", "--no-shconf", "--no-telemetry", $"--file-prefix=dpcni{Environment.ProcessId}",
            $"--vdev=net_memif0,role=client,id=0,socket={socket},socket-abstract=no,mac={made.GetProperty("mac").GetString()}",
            "--", "--nb-cores=1", "--forward-mode=icmpecho", "--total-num-mbufs=8192", "--auto-start",
        ];
        _peers.Add(ChildProgram.Start(_host.Out, command));
        await PingAsync(_tap, AddressesOf(made)[0]);
        (_, JsonElement refused) = await _host.AskAsync(HttpMethod.Post, "/v1/networks/web/endpoints", """{ "container": "a", "interface": "eth0", "namespace": "", "attach": "memif" }""");
        Assert.Contains("attached to web already", refused.ToString(), StringComparison.Ordinal);

        (await _host.CallAsync("network", "detach", "web", "a")).MustSucceed();
        Assert.Empty(Directory.GetFileSystemEntries(_host.PathOf("memif")));
        Assert.InRange(_host.DescriptorsOfService(), 0, before + 8);
        Assert.NotEqual(0, (await ChildProgram.RunAsync(_tap, ["ping", "-c", "1", "-W", "1", AddressesOf(made)[0]])).ExitCode);
        await _host.StopServiceAsync();
    }

    private static string[] AddressesOf(JsonElement endpoint) => [.. endpoint.GetProperty("addresses").EnumerateArray().Select(address => address.GetString()!)];

    private static string Plain(string address) => address.Replace("::ffff:", "", StringComparison.Ordinal);

    /// <summary>Asks until there is an answer: the peer connects when it is ready to.</summary>
    private static Task PingAsync(string from, string address) =>
        ChildProgram.RunUntilAsync(from, output => output.Contains(" 1 received", StringComparison.Ordinal), "ping", "-c", "1", "-W", "1", address);

    private async Task<JsonElement> AttachAsync(params string[] more)
    {
        ProgramResult result = (await _host.CallAsync(["network", "attach", "web", "--container", "a", "--attach", "memif", "--json", .. more])).MustSucceed();
        return JsonDocument.Parse(result.Output).RootElement.GetProperty("endpoint").Clone();
    }

    private async Task EndEngineAsync()
    {
        await _peers[^1].DisposeAsync();
        _peers.Clear();
    }

    /// <summary>An engine that has the endpoint's addresses, with the socket's directory mounted as into a container, and the namespace behind it.</summary>
    private async Task StartEngineAsync(string app, string mac, string[] addresses)
    {
        string mount = Directory.CreateDirectory(_host.PathOf("mounted")).FullName, file = _host.PathOf("peer.yaml");
        await File.WriteAllTextAsync(file, $$"""
            ports:
              net: { kind: memif, socket: "{{mount}}/memif.sock", role: client, mac: "{{mac}}" }
              app: { kind: tap, interface: app0 }
            interfaces:
              - { port: net, address: {{addresses[0]}}/24 }
              - { port: net, address: "{{addresses[1]}}/64" }
              - { port: app, address: 10.99.0.1/24 }
              - { port: app, address: "fd99::1/64" }
            nat:
              - { inside: app, outside: net }
            services:
              - { name: a4, address: {{addresses[0]}}, port: 7001, protocol: tcp, backends: [ { address: 10.99.0.2, port: 7001 } ] }
              - { name: a6, address: "{{addresses[1]}}", port: 7001, protocol: tcp, backends: [ { address: "fd99::2", port: 7001 } ] }
            """);
        ChildProgram peer = ChildProgram.Start(app, [.. ContainerHost.OwnMounts, "unshare", "--mount", "sh", "-c", "mount --bind -o ro \"$1\" \"$2\" && shift 2 && exec \"$@\"", "sh",
            _host.PathOf("memif/peer"), mount, .. Programs.Dataplane, "run", file]);
        _peers.Add(peer);
        await peer.AwaitLineAsync(line => line == "ready");
        await TestNetwork.IpAsync(app, "addr replace 10.99.0.2/24 dev app0\naddr replace fd99::2/64 dev app0 nodad\nlink set app0 up\n"
            + "route replace default via 10.99.0.1\nroute replace ::/0 via fd99::1\n");
    }
}
