using System.Globalization;
using System.Text;
using Dataplane.Mesh.Sources;

namespace Dataplane.Mesh.Tests.Sources;

/// <summary>Transactions of a real etcd: all or nothing, and never on what another has changed.</summary>
public sealed class EtcdTransactionTests
{
    [EtcdFact]
    public async Task TryWrite_OfSeveralWriters_LosesNothing()
    {
        await using var etcd = new EtcdServer(1);
        etcd.Start(0);
        using var client = new EtcdClient(new Uri(etcd.Members[0]));
        await ReadyAsync(client);
        Assert.Equal((null, 0), await client.GetAsync("/t/n", CancellationToken.None));

        // Eight writers add one each, ten times: what they have read may be old by then.
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(async () =>
        {
            for (int added = 0; added < 10;)
            {
                (byte[]? value, long revision) = await client.GetAsync("/t/n", CancellationToken.None);
                int next = (value is null ? 0 : int.Parse(Encoding.UTF8.GetString(value), CultureInfo.InvariantCulture)) + 1;
                byte[] written = Encoding.UTF8.GetBytes(next.ToString(CultureInfo.InvariantCulture));
                added += await client.TryWriteAsync([("/t/n", revision)], [new("/t/n", written)], CancellationToken.None) ? 1 : 0;
            }
        })));
        Assert.Equal("80", Encoding.UTF8.GetString((await client.GetAsync("/t/n", CancellationToken.None)).Value!));

        // All or nothing.
        long known = (await client.GetAsync("/t/n", CancellationToken.None)).Revision;
        Assert.False(await client.TryWriteAsync([("/t/n", known), ("/t/m", 7)], [new("/t/n", null), new("/t/m", [1])], CancellationToken.None));
        Assert.True(await client.TryWriteAsync([("/t/n", known), ("/t/m", 0)], [new("/t/n", null), new("/t/m", [1])], CancellationToken.None));
        Assert.Null((await client.GetAsync("/t/n", CancellationToken.None)).Value);
        Assert.Equal([1], (await client.GetAsync("/t/m", CancellationToken.None)).Value);
    }

    [EtcdFact]
    public async Task KeepAlive_OfALease_LastsAsLongAsItIsCalled()
    {
        await using var etcd = new EtcdServer(1);
        etcd.Start(0);
        using var client = new EtcdClient(new Uri(etcd.Members[0]));
        await ReadyAsync(client);
        long lease = await client.GrantAsync(60, CancellationToken.None);
        Assert.True(await client.TryWriteAsync([], [new("/t/alive", [1], lease)], CancellationToken.None));
        Assert.True(await client.KeepAliveAsync(lease, CancellationToken.None));
        Assert.False(await client.KeepAliveAsync(lease + 1, CancellationToken.None));
        long brief = await client.GrantAsync(1, CancellationToken.None);
        Assert.True(await client.TryWriteAsync([], [new("/t/brief", [1], brief)], CancellationToken.None));
        for (int attempt = 0; (await client.GetAsync("/t/brief", CancellationToken.None)).Value is not null; attempt++)
        {
            Assert.True(attempt < 300, "a lease that nobody keeps has not ended");
            await Task.Delay(100);
        }

        Assert.NotNull((await client.GetAsync("/t/alive", CancellationToken.None)).Value);
    }

    private static async Task ReadyAsync(EtcdClient client)
    {
        for (int attempt = 0; ; attempt++)
        {
            try
            {
                await client.GetAsync("/t/n", CancellationToken.None);
                return;
            }
            catch (Exception notYet) when (notYet is HttpRequestException or OperationCanceledException && attempt < 200)
            {
                await Task.Delay(100);
            }
        }
    }
}
