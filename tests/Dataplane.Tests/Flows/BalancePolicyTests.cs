using Dataplane.Balancing;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Support;

namespace Dataplane.Tests.Flows;

/// <summary>Every policy, packets in and packets out.</summary>
[Collection(AllocationCollection.Name)]
public sealed class BalancePolicyTests
{
    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task SourceHash_AllFlowsOfAClient_GoToOneBackend(int family)
    {
        var net = ServiceNet.Of(family);
        await using TestPlane plane = Create(net, service => service.Balance(BalancePolicy.SourceHash));
        var used = new HashSet<int>();
        for (int client = 2; client < 40; client++)
        {
            int[] hosts = [.. Enumerable.Range(1000, 4).Select(port => Send(plane, net, client, port))];
            used.Add(Assert.Single(hosts.Distinct()));
        }

        Assert.Equal(3, used.Count);
    }

    [Theory]
    [InlineData(BalancePolicy.Rendezvous)]
    [InlineData(BalancePolicy.Maglev)]
    public async Task Hashes_OfTwoGateways_ChooseAlike(BalancePolicy policy)
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane one = Create(net, service => service.Balance(policy));
        await using TestPlane other = TestPlane.Create(builder =>
        {
            builder.Service("web", net.Service.ToString(), 80, service => service.Balance(policy)
                .Backend(net.Backend(13).ToString(), 8080).Backend(net.Backend(11).ToString(), 8080).Backend(net.Backend(12).ToString(), 8080));
            builder.Workers(workers => workers with { Seed = 99 });
        });
        int[] hosts = [.. Enumerable.Range(1000, 60).Select(port => Send(one, net, 2, port))];
        Assert.Equal(hosts, Enumerable.Range(1000, 60).Select(port => Send(other, net, 2, port)));
        Assert.Equal(3, hosts.Distinct().Count());
    }

    [Fact]
    public async Task LeastConnections_FlowsThatEnd_MakeRoomForNewOnes()
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane plane = Create(net, service => service.Balance(BalancePolicy.LeastConnections), workers: 1);
        Dictionary<int, int> hosts = Enumerable.Range(1000, 30).ToDictionary(port => port, port => Send(plane, net, 2, port));
        Assert.All(hosts.Values.GroupBy(host => host), group => Assert.Equal(10, group.Count()));

        // All flows of one end; the next ones all go there.
        foreach ((int port, int host) in hosts.Where(flow => flow.Value == 12))
        {
            plane.Send("wan", net.FromClient().Tcp((ushort)port, 80, TcpFlags.Rst).Build());
        }

        plane.Clock.Advance(TimeSpan.FromSeconds(200));
        foreach ((int port, int host) in hosts.Where(flow => flow.Value != 12))
        {
            Assert.Equal(host, Send(plane, net, 2, port, TcpFlags.Ack));
        }

        plane.Wait(TimeSpan.FromSeconds(70));
        Assert.All(Enumerable.Range(2000, 10), port => Assert.Equal(12, Send(plane, net, 2, port)));
    }

    [Fact]
    public async Task LeastConnections_Weights_AreKept()
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane plane = Create(net, service => service.Balance(BalancePolicy.LeastConnections), weights: [3, 2, 1], workers: 1);
        Assert.Equal([30, 20, 10], Enumerable.Range(1000, 60).Select(port => Send(plane, net, 2, port)).GroupBy(host => host).OrderBy(group => group.Key).Select(group => group.Count()));
    }

    [Fact]
    public async Task PowerOfTwo_ManyFlows_AreSharedMoreEvenlyThanByChance()
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane plane = Create(net, service => service.Balance(BalancePolicy.PowerOfTwo), workers: 1);
        int[] counts = [.. Enumerable.Range(1000, 900).Select(port => Send(plane, net, 2, port)).GroupBy(host => host).Select(group => group.Count())];
        Assert.Equal(3, counts.Length);
        Assert.All(counts, count => Assert.InRange(count, 295, 305));
    }

    [Theory]
    [InlineData(4, 1)]
    [InlineData(6, 1)]
    [InlineData(4, 3)]
    public async Task Affinity_AClientThatComesAgainInTime_GoesWhereItWas(int family, int workers)
    {
        var net = ServiceNet.Of(family);
        await using TestPlane plane = Create(net, service => service.RoundRobin().Affinity(TimeSpan.FromSeconds(60)), workers: workers);
        Dictionary<int, int> first = Enumerable.Range(2, 12).ToDictionary(client => client, client => Send(plane, net, client, 1000));
        Assert.Equal(3, first.Values.Distinct().Count());
        for (int round = 1; round < 4; round++)
        {
            plane.Clock.Advance(TimeSpan.FromSeconds(50));
            Assert.All(first, client => Assert.Equal(client.Value, Send(plane, net, client.Key, 1000 + round)));
        }

        // One that takes none any more is left for good; the others' clients stay.
        await plane.Engine.UpdateAsync(spec => spec with
        {
            Services = [spec.Services[0] with { Backends = [.. spec.Services[0].Backends.Select(backend => backend with { Drain = backend.Address == net.Backend(11) })] }],
        });
        foreach ((int client, int host) in first.Where(client => client.Value == 11))
        {
            first[client] = Send(plane, net, client, 3000);
            Assert.NotEqual(11, first[client]);
        }

        Assert.All(first, client => Assert.Equal(client.Value, Send(plane, net, client.Key, 3001)));
        plane.Clock.Advance(TimeSpan.FromSeconds(61));
        int[] late = [.. first.Keys.Select(client => Send(plane, net, client, 4000))];
        Assert.NotEqual(first.Values.Select(host => host), late);
        string why = plane.Engine.Explain(From(net, 2, 5000, TcpFlags.Syn), "wan").ToString();
        Assert.Contains("remembers the client", why, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(BalancePolicy.Maglev)]
    [InlineData(BalancePolicy.SourceHash)]
    [InlineData(BalancePolicy.Rendezvous)]
    [InlineData(BalancePolicy.LeastConnections)]
    [InlineData(BalancePolicy.PowerOfTwo)]
    [InlineData(BalancePolicy.RoundRobin)]
    public async Task Choose_AnyPolicy_AllocatesNothing(BalancePolicy policy)
    {
        ServiceNet net = ServiceNet.V6;
        await using TestPlane plane = Create(net, service => service.Balance(policy).Affinity(TimeSpan.FromSeconds(60)), weights: [3, 2, 1], workers: 1);
        plane.Run();
        WorkerContext context = plane.Engine.Workers[0].Context;
        ServiceRuntime service = context.Tables.Services.Services[0];
        var meter = new AllocationMeter();
        for (int round = 0; round < 20_000; round++)
        {
            var key = FlowKey.Create(net.Client, (ushort)round, net.Service, 80, 6);
            meter.Open();
            service.Remembered(in key, context.Hash, round);
            BackendRuntime backend = service.Choose(in key, (uint)round * 2654435761, context.Tables.BackendCounters, out _)!;
            service.Remember(in key, context.Hash, round, backend);
            meter.Close(counts: round >= 10_000);
        }

        meter.AssertNone();
    }

    private static TestPlane Create(ServiceNet net, Func<ServiceBuilder, ServiceBuilder> configure, int[]? weights = null, int? workers = null) => TestPlane.Create(builder =>
    {
        builder.Service("web", net.Service.ToString(), 80, service =>
        {
            service = configure(service.Tcp());
            for (int i = 0; i < 3; i++)
            {
                service = service.Backend(net.Backend(11 + i).ToString(), 8080, weights?[i] ?? 1);
            }
        });
        builder.Workers(settings => settings with { Count = workers ?? settings.Count });
    });

    private static byte[] From(ServiceNet net, int client, int port, TcpFlags flags)
    {
        string address = net.Client.IsIpv4 ? $"198.51.100.{client}" : $"2001:db8:1::{client:x}";
        return PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ip(IpAddress.Parse(address), net.Service).Tcp((ushort)port, 80, flags).Build();
    }

    /// <summary>Begins a flow, or goes on with it; returns the backend by which it left.</summary>
    private static int Send(TestPlane plane, ServiceNet net, int client, int port, TcpFlags flags = TcpFlags.Syn) =>
        net.HostOf(plane.SendForOne("wan", From(net, client, port, flags), "lan"));
}
