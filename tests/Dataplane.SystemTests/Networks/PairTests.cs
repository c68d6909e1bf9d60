using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Dataplane.Networks;
using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Networks;

/// <summary>Endpoints attached by veth: they reach others as by TAP, outlive the service, and leave nothing behind.</summary>
[Collection(AloneCollection.Name)]
public sealed class PairTests : IAsyncLifetime
{
    private ContainerHost _host = null!;

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        if (_host is not null)
            await _host.DisposeAsync();
    }

    [SystemTheory("nsenter", "ip")]
    [InlineData("veth")]
    [InlineData("veth_xdp")]
    public async Task Attach_ByVeth_ReachesOthersOutlivesTheServiceAndLeavesNothing(string kind)
    {
        _host = await ContainerHost.CreateAsync(withUplink: false);
        (await _host.CallAsync("network", "create", "web", "--subnet", "10.81.0.0/24", "--subnet", "fd81::/64", "--attach", kind)).MustSucceed();
        string a = await AttachAsync("a"), b = await AttachAsync("b"), c = await AttachAsync("c", "--attach", "tap");
        Assert.Equal([kind, kind, "tap"], (await _host.InspectAsync("web")).GetProperty("endpoints").EnumerateArray()
            .OrderBy(endpoint => endpoint.GetProperty("container").GetString(), StringComparer.Ordinal).Select(endpoint => endpoint.GetProperty("attach").GetString()));
        Assert.Equal(2, (await EndsAsync()).Length);

        // All to each other by both families, TCP with whole checksums among it.
        ProgramResult report = (await _host.CallAsync("test", "web", "--throughput", "400", "--json")).MustSucceed();
        JsonElement[] pairs = [.. JsonDocument.Parse(report.Output).RootElement.GetProperty("pairs").EnumerateArray()];
        Assert.Equal(12, pairs.Count(pair => pair.GetProperty("reached").GetBoolean() && pair.GetProperty("lost").GetInt32() == 0 && pair.GetProperty("megabitsPerSecond").GetDouble() > 0));

        // A connection goes on over the end of the service; the pair is the same one.
        string[] before = await EndsAsync();
        string address = (await _host.AddressesAsync("web", "b"))[0];
        using Socket listener = Listen(b, 7000);
        using Socket client = await ContainerSockets.ConnectAsync(a, address, 7000);
        using Socket server = await listener.AcceptAsync();
        await _host.KillServiceAsync();
        await client.SendAsync(new byte[] { 77 });
        await _host.StartServiceAsync(withUplink: false);
        byte[] late = new byte[1];
        using (var patience = new CancellationTokenSource(ChildProgram.Patience))
            Assert.Equal(1, await server.ReceiveAsync(late, patience.Token));
        Assert.Equal(77, late[0]);
        Assert.Equal(before, await EndsAsync());

        // A container that dies, and one that is detached.
        await _host.RemoveNamespaceAsync(a);
        await _host.Service.AwaitLineAsync(line => line.Contains("died: detached", StringComparison.Ordinal));
        (await _host.CallAsync("network", "detach", "web", "b")).MustSucceed();
        Assert.Empty(await EndsAsync());
        Assert.DoesNotContain("eth0", (await ChildProgram.RunAsync(b, ["ip", "-o", "link"])).MustSucceed().Output, StringComparison.Ordinal);
        await _host.StopServiceAsync();
    }

    [SystemFact("nsenter", "ip")]
    public async Task AttachAndDetach_ByVethAgainAndAgain_LeaveNothing()
    {
        _host = await ContainerHost.CreateAsync(withUplink: false);
        (await _host.CallAsync("network", "create", "web", "--subnet", "10.81.0.0/24")).MustSucceed();
        string home = await _host.AddNamespaceAsync("cycle");
        string body = $$"""{ "container": "c", "interface": "eth0", "namespace": "/var/run/netns/{{home}}", "attach": "veth" }""";
        int before = 0;
        for (int i = 0; i <= 20; i++)
        {
            (HttpStatusCode status, JsonElement reply) = await _host.AskAsync(HttpMethod.Post, "/v1/networks/web/endpoints", body);
            Assert.True(status == HttpStatusCode.OK, reply.ToString());
            (status, _) = await _host.AskAsync(HttpMethod.Delete, "/v1/networks/web/endpoints/c/eth0");
            Assert.Equal(HttpStatusCode.OK, status);
            before = i == 0 ? _host.DescriptorsOfService() : before;
        }

        Assert.InRange(_host.DescriptorsOfService(), 0, before + 8);
        Assert.Empty(await EndsAsync());
        await _host.StopServiceAsync();
    }

    /// <summary>A container that takes an address of the host for one of its own link is not answered by the host behind the engine's back.</summary>
    [SystemFact("nsenter", "ip")]
    public async Task Attach_ByVeth_TheHostAnswersNothingThere()
    {
        _host = await ContainerHost.CreateAsync(withUplink: false);
        (await _host.CallAsync("network", "create", "web", "--subnet", "10.81.0.0/24", "--attach", "veth")).MustSucceed();
        string a = await AttachAsync("a");
        using Socket server = ContainerSockets.Serve(_host.Host, 7001);
        Assert.Equal((await _host.AddressesAsync("web", "a"))[0], await ContainerSockets.AskAsync(a, ContainerHost.HostAddress, 7001));
        await TestNetwork.IpAsync(a, $"route add {ContainerHost.HostAddress}/32 dev eth0\n");
        await Assert.ThrowsAnyAsync<SocketException>(() => ContainerSockets.AskAsync(a, ContainerHost.HostAddress, 7001));

        string end = Assert.Single(await EndsAsync()).Split(' ')[1].Split('@')[0];
        string settings = $"cd /proc/sys/net/ipv4/conf/{end} && cat arp_ignore rp_filter drop_unicast_in_l2_multicast forwarding";
        Assert.Equal(["8", "1", "1", "0"], (await ChildProgram.RunAsync(_host.Host, ["sh", "-c", settings])).MustSucceed().Lines);
        await _host.StopServiceAsync();
    }

    private static Socket Listen(string networkNamespace, int port) => NamespaceWork.Run(networkNamespace, () =>
    {
        var made = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        made.Bind(new IPEndPoint(IPAddress.Any, port));
        made.Listen();
        return made;
    });

    /// <summary>Names of the ends on the host.</summary>
    private async Task<string[]> EndsAsync() => [.. (await ChildProgram.RunAsync(_host.Host, ["ip", "-o", "link", "show", "type", "veth"])).MustSucceed().Output
        .Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => string.Join(' ', line.Split(' ').Take(2))).Where(line => line.Contains(" ep-", StringComparison.Ordinal))];

    private async Task<string> AttachAsync(string container, params string[] more)
    {
        string home = await _host.AddNamespaceAsync(container);
        (await _host.CallAsync(["network", "attach", "web", "--netns", home, "--container", container, .. more])).MustSucceed();
        return home;
    }
}
