using System.Net;
using System.Text.Json;
using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Networks;

/// <summary>Container networks across hosts, with the registry in a real etcd.</summary>
public sealed class SharedNetworkTests
{
    [SystemTheory("etcd", "ip", "ping", "nsenter")]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Containers_OfTwoHosts_ReachEachOtherAndKeepTheirAddressesWhenTheyMove(int underlay)
    {
        await using SharedHosts hosts = await SharedHosts.CreateAsync(2, underlay);
        await hosts.DoAsync(0, HttpMethod.Post, "networks", """{"name":"web","ipv6":true}""");
        string[] first = await hosts.AttachAsync(0, "web", "one", "c1");
        string[] second = await hosts.AttachWhenKnownAsync(1, "web", "two", "c2");
        Assert.Equal(2, first.Length);
        Assert.Empty(first.Intersect(second));
        await hosts.PingAsync("c1", second);
        await hosts.PingAsync("c2", first);

        // The same container cannot be at two hosts; where it was taken from, it can be attached elsewhere, and is the same.
        (HttpStatusCode status, JsonElement answer) = await hosts.AskAsync(1, HttpMethod.Post, "networks/web/endpoints", SharedHosts.Request(await hosts.AddNamespaceAsync("c3"), "one"));
        Assert.Equal(HttpStatusCode.Conflict, status);
        Assert.Contains("at host h0", answer.GetProperty("message").GetString(), StringComparison.Ordinal);
        await hosts.DoAsync(0, HttpMethod.Delete, "networks/web/endpoints/one/eth0");
        Assert.Equal(first, await hosts.AttachAsync(1, "web", "one", "c4"));
        string[] third = await hosts.AttachAsync(0, "web", "three", "c5");
        Assert.Empty(third.Intersect([.. first, .. second]));
        await hosts.PingAsync("c5", [.. first, .. second]);

        // A network goes when nobody is attached anywhere.
        await hosts.DoAsync(0, HttpMethod.Delete, "networks/web/endpoints/three/eth0");
        (status, answer) = await hosts.AskAsync(0, HttpMethod.Delete, "networks/web");
        Assert.Equal(HttpStatusCode.Conflict, status);
        Assert.Contains("in use by one/eth0@h1", answer.GetProperty("message").GetString(), StringComparison.Ordinal);
        await hosts.DoAsync(1, HttpMethod.Delete, "networks/web/endpoints/one/eth0");
        await hosts.DoAsync(1, HttpMethod.Delete, "networks/web/endpoints/two/eth0");
        await hosts.DoAsync(0, HttpMethod.Delete, "networks/web");
        await SharedHosts.AwaitAsync(async () => (await hosts.AskAsync(1, HttpMethod.Get, "networks/web")).Status == HttpStatusCode.NotFound);
        await hosts.StopAsync();
    }

    [SystemFact("etcd", "ip", "ping", "nsenter")]
    public async Task ThreeHosts_AMemberAHostAndAllOfEtcdLost_GoOn()
    {
        await using SharedHosts hosts = await SharedHosts.CreateAsync(3);
        await hosts.DoAsync(0, HttpMethod.Post, "networks", """{"name":"web"}""");
        string[] one = await hosts.AttachAsync(0, "web", "one", "c1");
        string[] two = await hosts.AttachWhenKnownAsync(1, "web", "two", "c2");
        string[] three = await hosts.AttachWhenKnownAsync(2, "web", "three", "c3");
        await hosts.PingAsync("c1", [.. two, .. three]);

        // One member of three: nobody is without the registry for long.
        await hosts.KillMemberAsync(0);
        string[] four = await hosts.AttachAsync(0, "web", "four", "c4");
        await hosts.PingAsync("c2", four);
        await hosts.PingAsync("c4", [.. two, .. three]);

        // One host: its container is attached at another, once nothing has been heard of the host, and has its address there.
        await hosts.KillServiceAsync(2);
        string home = await hosts.AddNamespaceAsync("c5");
        JsonElement moved = default;
        await SharedHosts.AwaitAsync(async () => await hosts.AskAsync(1, HttpMethod.Post, "networks/web/endpoints", SharedHosts.Request(home, "three")) is (HttpStatusCode.OK, var reply)
            && (moved = reply).ValueKind == JsonValueKind.Object);
        Assert.Equal(three, SharedHosts.AddressesOf(moved));
        await hosts.PingAsync("c1", three);

        // The host comes back, and gives up what is another's now.
        await hosts.StartServiceAsync(2);
        await SharedHosts.AwaitAsync(async () => (await hosts.DoAsync(2, HttpMethod.Get, "networks/web")).GetProperty("endpoints").GetArrayLength() == 0
            && (await hosts.InAsync("c3", "ip", "link", "show", "eth0")).ExitCode != 0);
        await hosts.PingAsync("c1", three);

        // No registry at all: what runs goes on, changes wait and are made when it is back.
        await hosts.KillMemberAsync(1);
        await hosts.KillMemberAsync(2);
        await SharedHosts.AwaitAsync(async () => (await hosts.DoAsync(0, HttpMethod.Get, "status")).GetProperty("detail").GetString()!.StartsWith("the registry does not answer, changes wait", StringComparison.Ordinal));
        Task<string[]> waiting = hosts.AttachAsync(0, "web", "five", "c6");
        await hosts.PingAsync("c1", [.. two, .. three]);
        Assert.False(waiting.IsCompleted);
        hosts.StartMember(1);
        hosts.StartMember(2);
        await hosts.PingAsync("c2", await waiting);
        Assert.Equal(6, new[] { one, two, three, four, await waiting }.SelectMany(addresses => addresses).Append("").Distinct().Count());
        await hosts.StopAsync();
    }
}
