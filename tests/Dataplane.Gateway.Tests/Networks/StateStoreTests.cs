using System.Text.Json;
using Dataplane.Gateway.Networks;

namespace Dataplane.Gateway.Tests.Networks;

/// <summary>What is kept of networks and endpoints over restarts.</summary>
public sealed class StateStoreTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("dpstate");

    public void Dispose() => _folder.Delete(recursive: true);

    private static EndpointRecord Endpoint(int number) => new($"c{number}", "eth0") { Namespace = "/ns", Addresses = [$"10.1.{(number / 250) + 1}.{(number % 250) + 1}"] };

    private static NetworkState Of(params NetworkView[] views) => new() { Site = "site", Networks = views };

    private NetworkState Reopened()
    {
        using var store = new StateStore(_folder.FullName);
        return store.Load();
    }

    private static string Text(NetworkState state) => JsonSerializer.Serialize(
        state with { Networks = [.. state.Networks.Select(view => view with { Endpoints = [.. view.Endpoints.OrderBy(endpoint => endpoint.Key, StringComparer.Ordinal)] })] },
        NetworkJson.Default.NetworkState);

    [Fact]
    public void Save_OneEndpointMoreOrLessAmongAThousand_WritesThatOneAlone()
    {
        var network = new NetworkRecord("web");
        EndpointRecord[] thousand = [.. Enumerable.Range(0, 1000).Select(Endpoint)];
        NetworkState more = Of(new NetworkView(network, [.. thousand, Endpoint(1000)])), less = Of(new NetworkView(network, [.. thousand.Skip(1), more.Networks[0].Endpoints[1000]]));
        using (var store = new StateStore(_folder.FullName))
        {
            store.Save(Of(new NetworkView(network, thousand)));
            long before = store.Work.Bytes;
            store.Save(more);
            Assert.InRange(store.Work.Bytes - before, 1, 1000);
            before = store.Work.Bytes;
            store.Save(less);
            Assert.Equal((before, 1), store.Work);
        }

        Assert.Equal(Text(less), Text(Reopened()));
    }

    [Fact]
    public void Save_NetworksComeAndGo_NothingOfThemStays()
    {
        var web = new NetworkView(new NetworkRecord("web"), [Endpoint(1)]);
        var db = new NetworkView(new NetworkRecord("db"), [Endpoint(1), Endpoint(2)]);
        using (var store = new StateStore(_folder.FullName))
        {
            store.Save(Of(web, db));
            store.Save(Of(web));
        }

        Assert.Equal(Text(Of(web)), Text(Reopened()));
        Assert.Equal(["web"], Directory.GetDirectories(Path.Combine(_folder.FullName, "endpoints")).Select(Path.GetFileName));

        // Of the same name again: without those who were attached to the one before.
        using (var store = new StateStore(_folder.FullName))
        {
            store.Save(Of(web, db with { Endpoints = [] }));
        }

        Assert.Empty(Reopened().Networks[1].Endpoints);
    }

    [Fact]
    public void Save_FirstOfAService_RemovesFilesOfEndpointsThatAreNotThere()
    {
        var network = new NetworkRecord("web");
        using (var store = new StateStore(_folder.FullName))
        {
            store.Save(Of(new NetworkView(network, [Endpoint(1), Endpoint(2)])));
        }

        using (var store = new StateStore(_folder.FullName))
        {
            NetworkState read = store.Load();
            store.Save(read with { Networks = [read.Networks[0] with { Endpoints = [read.Networks[0].Endpoints[1]] }] });
        }

        Assert.Equal("c2", Assert.Single(Reopened().Networks[0].Endpoints).Container);
    }

    [Fact]
    public void Load_WrittenByAVersionBefore_EndpointsBesideTheirNetworkCount()
    {
        NetworkState old = Of(new NetworkView(new NetworkRecord("web"), [Endpoint(1), Endpoint(2)]));
        File.WriteAllBytes(Path.Combine(_folder.FullName, "state.json"), JsonSerializer.SerializeToUtf8Bytes(old, NetworkJson.Default.NetworkState));
        Assert.Equal(Text(old), Text(Reopened()));
    }

    [Theory]
    [InlineData("state.json", "{")]
    [InlineData("state.json", "{ \"version\": 7, \"networks\": [] }")]
    [InlineData("endpoints/web/c1@eth0.json", "{")]
    public void Load_Damaged_IsSaidAndNothingForgotten(string file, string content)
    {
        using (var store = new StateStore(_folder.FullName))
        {
            store.Save(Of(new NetworkView(new NetworkRecord("web"), [Endpoint(1)])));
        }

        File.WriteAllText(Path.Combine(_folder.FullName, file), content);
        Assert.Contains(Path.GetFileName(file), Assert.Throws<IOException>(() => Reopened()).Message, StringComparison.Ordinal);
    }
}
