using System.Text;
using Dataplane.Mesh.Sources;

namespace Dataplane.Mesh.Tests.Sources;

/// <summary>A real cluster of three: changes are followed, a lost member is replaced, what was known stays while all are away.</summary>
public sealed class EtcdSourceTests
{
    private const string Prefix = "/mesh/";

    private static byte[] Endpoint(string address) => Encoding.UTF8.GetBytes($$$"""{"address":"{{{address}}}","ports":{"":8080}}""");

    [EtcdFact]
    public async Task Cluster_ChangesLossAndReturn_AreFollowed()
    {
        await using var etcd = new EtcdServer(3);
        for (int member = 0; member < 3; member++)
        {
            etcd.Start(member);
        }

        using var writer = new EtcdClient(new Uri(etcd.Members[2]));
        await EventuallyAsync(() => writer.PutAsync("/mesh/services/default/web", """{"ports":[{"port":80}]}"""u8.ToArray(), 0, CancellationToken.None));
        await writer.PutAsync("/mesh/endpoints/default/web/a", Endpoint("10.1.0.11"), 0, CancellationToken.None);
        await writer.PutAsync("/meshed/services/default/other", "{}"u8.ToArray(), 0, CancellationToken.None);
        await using var source = new EtcdSource(etcd.Members, Prefix, TimeProvider.System);
        await source.StartAsync(() => { }, CancellationToken.None);
        await MeshFixture.UntilAsync(() => source.Snapshot is { Services.Count: 1, Endpoints.Count: 1 }, "what was there before");
        Assert.False(source.Status.IsStale);

        long lease = await writer.GrantAsync(1, CancellationToken.None);
        await writer.PutAsync("/mesh/endpoints/default/web/b", Endpoint("10.1.0.12"), lease, CancellationToken.None);
        await writer.PutAsync("/mesh/endpoints/default/web/bad", "{"u8.ToArray(), 0, CancellationToken.None);
        await MeshFixture.UntilAsync(() => source.Snapshot.Endpoints.Count == 2 && source.Status.Problem.Contains("web/bad", StringComparison.Ordinal), "a new key, and one that is no JSON");
        await MeshFixture.UntilAsync(() => source.Snapshot.Endpoints.Count == 1, "the end of the lease");
        await writer.DeleteAsync("/mesh/endpoints/default/web/bad", CancellationToken.None);
        await MeshFixture.UntilAsync(() => source.Status.Problem.Length == 0, "the bad key's end");

        // The member that is watched goes; the others have a majority.
        await etcd.KillAsync(0);
        await EventuallyAsync(() => writer.PutAsync("/mesh/endpoints/default/web/c", Endpoint("10.1.0.13"), 0, CancellationToken.None));
        await MeshFixture.UntilAsync(() => source.Snapshot.Endpoints.Count == 2, "a change while a member is away");

        await etcd.KillAsync(1);
        await etcd.KillAsync(2);
        await MeshFixture.UntilAsync(() => source.Status.IsStale, "all members away");
        Assert.Equal(2, source.Snapshot.Endpoints.Count);

        for (int member = 0; member < 3; member++)
        {
            etcd.Start(member);
        }

        await EventuallyAsync(() => writer.DeleteAsync("/mesh/endpoints/default/web/a", CancellationToken.None));
        await MeshFixture.UntilAsync(() => source.Snapshot.Endpoints.Select(endpoint => endpoint.Name).SequenceEqual(["c"]) && !source.Status.IsStale, "the cluster's return");
    }

    private static async Task EventuallyAsync(Func<Task> action)
    {
        for (int tries = 0; ; tries++)
        {
            try
            {
                await action();
                return;
            }
            catch (Exception exception) when (tries < 300 && exception is HttpRequestException or OperationCanceledException)
            {
                await Task.Delay(50);
            }
        }
    }

    [Fact]
    public async Task Start_NobodyThere_IsSaidAndNothingThrown()
    {
        await using var source = new EtcdSource(["http://127.0.0.1:1"], Prefix, TimeProvider.System);
        await source.StartAsync(() => { }, CancellationToken.None);
        Assert.True(source.Status.IsStale);
        Assert.Equal(0, source.Snapshot.Revision);
    }
}
