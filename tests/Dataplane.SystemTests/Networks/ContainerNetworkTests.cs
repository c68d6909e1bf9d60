using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Dataplane.Networks;
using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Networks;

/// <summary>The network service with real namespaces: what it connects, what it keeps apart, and what it leaves behind.</summary>
public sealed class ContainerNetworkTests : IAsyncLifetime
{
    private ContainerHost _host = null!;

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        if (_host is not null)
            await _host.DisposeAsync();
    }

    [SystemFact("nsenter")]
    public async Task Test_TwoNetworks_EndpointsReachTheirOwnAndNoOthers()
    {
        _host = await ContainerHost.CreateAsync(withUplink: false);
        await CreateAsync("web", "10.81.0.0/24", "fd81::/64");
        await CreateAsync("data", "10.82.0.0/24");
        await AttachAsync("web", "a");
        await AttachAsync("web", "b");
        await AttachAsync("data", "c");
        ProgramResult report = (await _host.CallAsync("test", "web", "--throughput", "400", "--json")).MustSucceed();
        JsonElement[] pairs = [.. JsonDocument.Parse(report.Output).RootElement.GetProperty("pairs").EnumerateArray()];

        // a and b to each other by both families, and each of them to c in vain.
        Assert.Equal(4, pairs.Count(pair => pair.GetProperty("expected").GetBoolean() && pair.GetProperty("reached").GetBoolean() && pair.GetProperty("lost").GetInt32() == 0));
        Assert.Equal(2, pairs.Count(pair => !pair.GetProperty("expected").GetBoolean() && !pair.GetProperty("reached").GetBoolean()));
        Assert.All(pairs.Where(pair => pair.GetProperty("expected").GetBoolean()), pair => Assert.True(pair.GetProperty("megabitsPerSecond").GetDouble() > 0));

        // The host reaches them, and they it.
        (await ChildProgram.RunAsync(_host.Host, ["ping", "-c", "2", "-W", "5", (await _host.AddressesAsync("web", "a"))[0]])).MustSucceed();
        (await ChildProgram.RunAsync(_host.Host, ["ping", "-c", "2", "-W", "5", (await _host.AddressesAsync("web", "a"))[1]])).MustSucceed();
        await _host.StopServiceAsync();
    }

    [SystemFact("nsenter")]
    public async Task Kill_WithConnectionsOpen_TheNextServiceGoesOnWithThem()
    {
        _host = await ContainerHost.CreateAsync(withUplink: false);
        await CreateAsync("web", "10.81.0.0/24");
        string a = await AttachAsync("web", "a"), b = await AttachAsync("web", "b");
        string address = (await _host.AddressesAsync("web", "b"))[0];
        using Socket listener = NamespaceWork.Run(b, () =>
        {
            var made = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            made.Bind(new IPEndPoint(IPAddress.Any, 7000));
            made.Listen();
            return made;
        });
        using Socket client = await ContainerSockets.ConnectAsync(a, address, 7000);
        using Socket server = await listener.AcceptAsync();
        await PassAsync(client, server);

        await _host.KillServiceAsync();
        await client.SendAsync(new byte[] { 77 });
        await _host.StartServiceAsync(withUplink: false);
        byte[] late = new byte[1];
        await server.ReceiveAsync(late);
        Assert.Equal(77, late[0]);
        await PassAsync(server, client);
        Assert.Equal(address, (await _host.AddressesAsync("web", "b"))[0]);

        // A container that died while nobody looked is gone at the next start, with its address.
        await _host.KillServiceAsync();
        await _host.RemoveNamespaceAsync(b);
        await _host.StartServiceAsync(withUplink: false);
        Assert.Equal(1, (await _host.InspectAsync("web")).GetProperty("endpoints").GetArrayLength());
        await _host.StopServiceAsync();
    }

    [SystemFact("nsenter")]
    public async Task AttachAndDetach_HundredTimes_LeaveNothing()
    {
        const int Times = 100;
        _host = await ContainerHost.CreateAsync(withUplink: false);
        await CreateAsync("web", "10.81.0.0/24", "fd81::/64");
        string home = await _host.AddNamespaceAsync("cycle");
        string body = $$"""{ "container": "c", "interface": "eth0", "namespace": "/var/run/netns/{{home}}", "ports": [ { "hostPort": 8081, "port": 80 } ] }""";
        int before = 0;
        for (int i = 0; i <= Times; i++)
        {
            (HttpStatusCode status, JsonElement reply) = await _host.AskAsync(HttpMethod.Post, "/v1/networks/web/endpoints", body);
            Assert.True(status == HttpStatusCode.OK, reply.ToString());
            if (i == 0)
            {
                (status, _) = await _host.AskAsync(HttpMethod.Post, "/v1/networks/web/endpoints", body);
                Assert.Equal(HttpStatusCode.Conflict, status);
            }

            (status, _) = await _host.AskAsync(HttpMethod.Delete, "/v1/networks/web/endpoints/c/eth0");
            Assert.Equal(HttpStatusCode.OK, status);
            before = i == 0 ? _host.DescriptorsOfService() : before;
        }

        // Idle sockets of the control connections come and go; a hundred ports would not be overlooked.
        Assert.InRange(_host.DescriptorsOfService(), 0, before + 8);
        string links = (await ChildProgram.RunAsync(home, ["ip", "-o", "link"])).MustSucceed().Output;
        Assert.Single(links.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Empty((await _host.InspectAsync("web")).GetProperty("endpoints").EnumerateArray());
        Assert.All(new AddressLeases(_host.PathOf("state/leases")).Read("web"), lease => Assert.NotNull(lease.Released));
        (await _host.CallAsync("network", "rm", "web")).MustSucceed();
        Assert.DoesNotContain("10.81.0.0", (await ChildProgram.RunAsync(_host.Host, ["ip", "route"])).Output, StringComparison.Ordinal);
        Assert.False(File.Exists(_host.PathOf("state/leases/web.leases")));
        await _host.StopServiceAsync();
    }

    [SystemFact("nsenter")]
    public async Task Namespace_ThatDies_IsDetachedByItself()
    {
        _host = await ContainerHost.CreateAsync(withUplink: false);
        await CreateAsync("web", "10.81.0.0/30");
        string a = await AttachAsync("web", "a");
        await _host.RemoveNamespaceAsync(a);
        await _host.Service.AwaitLineAsync(line => line.Contains("died: detached", StringComparison.Ordinal));
        Assert.Empty((await _host.InspectAsync("web")).GetProperty("endpoints").EnumerateArray());
        await _host.StopServiceAsync();
    }

    [SystemTheory("nsenter")]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Publish_FromOutsideAndHost_TheContainerSeesTheClient(int version)
    {
        (string engine, string outside) = version == 4 ? (ContainerHost.Engine, ContainerHost.Outside) : (ContainerHost.Engine6, ContainerHost.Outside6);
        string hostAddress = version == 4 ? ContainerHost.HostAddress : "2001:db8::1";
        _host = await ContainerHost.CreateAsync(withUplink: true);
        await CreateAsync("web", "10.81.0.0/24", "fd81::/64");
        string a = await AttachAsync("web", "a", "--publish", "8080:80");
        using Socket server = ContainerSockets.Serve(a, 80, ipv6: version == 6);
        Assert.Equal(outside, await ContainerSockets.AskAsync(_host.Out, engine, 8080));
        Assert.Equal(hostAddress, await ContainerSockets.AskAsync(_host.Host, hostAddress, 8080));

        // A container of the same network, by the published address.
        string b = await AttachAsync("web", "b");
        Assert.Equal((await _host.AddressesAsync("web", "b"))[version == 4 ? 0 : 1], await ContainerSockets.AskAsync(b, engine, 8080));

        // Way out: with the engine's address.
        using Socket far = ContainerSockets.Serve(_host.Out, 81, ipv6: version == 6);
        Assert.Equal(engine, await ContainerSockets.AskAsync(a, outside, 81));

        // Taken by another program of the host: refused, and all as before.
        using Socket taken = ContainerSockets.Serve(_host.Host, 9090, ipv6: version == 6);
        ProgramResult refused = await _host.CallAsync("network", "publish", "web", "a", "--publish", "9090:80");
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("9090", refused.Error, StringComparison.Ordinal);
        Assert.Equal(outside, await ContainerSockets.AskAsync(_host.Out, engine, 8080));

        // Changed while it runs.
        (await _host.CallAsync("network", "publish", "web", "a", "--publish", "8181:80")).MustSucceed();
        Assert.Equal(outside, await ContainerSockets.AskAsync(_host.Out, engine, 8181));
        await Assert.ThrowsAnyAsync<SocketException>(() => ContainerSockets.AskAsync(_host.Host, hostAddress, 8080));
        await _host.StopServiceAsync();
    }

    private static async Task PassAsync(Socket from, Socket to)
    {
        using var patience = new CancellationTokenSource(ChildProgram.Patience);
        await from.SendAsync(new byte[] { 1 });
        byte[] one = new byte[1];
        Assert.Equal(1, await to.ReceiveAsync(one, patience.Token));
        Assert.Equal(1, one[0]);
    }

    [SystemFact("nsenter", "busybox", "ip")]
    public async Task Network_ThatTellsOfItself_IsHeardByTheKernelAndByDhcpClients()
    {
        _host = await ContainerHost.CreateAsync(withUplink: false);
        (await _host.CallAsync("network", "create", "web", "--subnet", "10.81.0.0/24", "--subnet", "fd81::/64", "--router-advertisements", "--dhcp", "--search", "web.example")).MustSucceed();
        string a = await AttachAsync("web", "a");
        await ChildProgram.RunUntilAsync(a, output => output.Contains("default via fe80::", StringComparison.Ordinal), "ip", "-6", "route", "show", "proto", "ra");
        string address = Assert.Single(await _host.AddressesAsync("web", "a"), text => text.Contains('.', StringComparison.Ordinal));
        using var files = new ScratchDirectory();
        string script = files.Write("lease", "#!/bin/sh\necho \"$1 $ip/$mask $router $dns $search\"", isProgram: true);
        ProgramResult heard = (await ChildProgram.RunAsync(a, ["busybox", "udhcpc", "-i", "eth0", "-f", "-q", "-n", "-t", "10", "-T", "2", "-s", script, "-O", "search"])).MustSucceed();
        Assert.Contains($"bound {address}/24 10.81.0.1 10.81.0.1 web.example", heard.Lines);
        await _host.StopServiceAsync();
    }

    private async Task CreateAsync(string name, params string[] subnets) =>
        (await _host.CallAsync(["network", "create", name, .. subnets.SelectMany(subnet => new[] { "--subnet", subnet })])).MustSucceed();

    private async Task<string> AttachAsync(string network, string container, params string[] more)
    {
        string home = await _host.AddNamespaceAsync(container);
        (await _host.CallAsync(["network", "attach", network, "--netns", home, "--container", container, .. more])).MustSucceed();
        return home;
    }
}
