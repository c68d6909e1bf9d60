using Dataplane.Balancing;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Support;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Flows;

/// <summary>Consistent hashing with bounded loads: nobody is given more than the bound, who has room gets its own, and flows stay.</summary>
[Collection(AllocationCollection.Name)]
public sealed class BoundedLoadTests
{
    /// <summary>Flows come and go; each goes to a backend within the bound, worked out here in exact numbers, and to that of its slot if this has room.</summary>
    [Fact]
    public void Choose_AnyComingAndGoing_GivesNobodyMoreThanTheBound()
    {
        Gen<(int[] Weights, int Percent, int[] Moves)> any = from weights in Gen.Elements(1, 1, 2, 3, 5, 1000).ArrayOf(7)
                                                             from percent in Gen.Elements(100, 101, 110, 125, 200)
                                                             from moves in Gen.Choose(0, 1 << 30).ArrayOf(300)
                                                             select (weights, percent, moves);
        Prop.ForAll(any.ToArbitrary(), given =>
        {
            (ServiceRuntime service, BackendCounter[] counters) = Runtime(given.Weights, given.Percent / 100.0);
            var flows = new List<int>();
            long shares = given.Weights.Sum();
            foreach (int move in given.Moves)
            {
                // Four clients only, so that some backends are wanted by many; one flow in three ends.
                if (move % 3 == 0 && flows.Count > 0)
                {
                    counters[flows[move % flows.Count]].Counts.Active--;
                    flows.RemoveAt(move % flows.Count);
                    continue;
                }

                var key = FlowKey.Create(IpAddress.FromV4((uint)(move >> 4 & 3)), (ushort)move, service.Spec.Address, 80, 6);
                BackendRuntime chosen = service.Choose(in key, (uint)move, counters, out int slot)!;
                bool Fits(BackendRuntime backend) =>
                    (counters[backend.Slot].Counts.Active * 100 * shares) < (Int128)given.Percent * (flows.Count + 1) * backend.Weight;
                Assert.True(Fits(chosen), $"{chosen.Slot} of weight {chosen.Weight} got flow {counters[chosen.Slot].Counts.Active + 1} of {flows.Count + 1}");
                Assert.True(ReferenceEquals(chosen, service.BackendOf(slot)) || !Fits(service.BackendOf(slot)));
                counters[chosen.Slot].Counts.Active++;
                flows.Add(chosen.Slot);
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(60));
    }

    /// <summary>One client would fill one backend; so it fills all of them, to the bound, and its flows stay where they are.</summary>
    [Theory]
    [InlineData(4, 1, true)]
    [InlineData(6, 1, false)]
    [InlineData(4, 3, false)]
    [InlineData(6, 3, true)]
    public async Task OneClientOfMany_FillsNoBackendBeyondTheBound_AndKeepsItsOwn(int family, int workers, bool tcp)
    {
        var net = ServiceNet.Of(family);
        await using TestPlane plane = Create(net, tcp, workers, service => service.Balance(BalancePolicy.SourceHash).MaxLoad(1.25));
        var hosts = new Dictionary<ushort, int>();
        for (ushort port = 1000; port < 1300; port++)
        {
            hosts[port] = Send(plane, net, tcp, port, TcpFlags.Syn);
            BackendStatus[] status = [.. plane.Engine.ReadServices()[0].Backends];
            Assert.All(status, backend => Assert.InRange(backend.ActiveFlows, 0, (int)Math.Ceiling(1.25 * hosts.Count / 3) + workers - 1));
        }

        IReadOnlyList<BackendStatus> backends = plane.Engine.ReadServices()[0].Backends;
        Assert.Equal(300, backends.Sum(backend => backend.ActiveFlows));
        Assert.InRange(backends.Max(backend => backend.ActiveFlows), 125 - workers, 125 + workers - 1);

        // All that went elsewhere went past the one that the client's address gives.
        Assert.Equal(300 - backends.Max(backend => backend.ActiveFlows), Assert.Single(backends, backend => backend.Diverted > 0).Diverted);
        Assert.Equal(hosts, hosts.Keys.ToDictionary(port => port, port => Send(plane, net, tcp, port, TcpFlags.Ack)));

        // A bound that comes later moves nobody either, and is foretold to.
        DataplaneSpec next = plane.Engine.Spec with { Services = [plane.Engine.Spec.Services[0] with { MaxLoad = 1 }] };
        ChangeReceipt foretold = await plane.Engine.PreviewAsync(next), receipt = await plane.Engine.UpdateAsync(next);
        Assert.Equal((new FlowChange(300, 0, 0, 0), receipt.Flows), (receipt.Flows, foretold.Flows));
        Assert.Equal(hosts, hosts.Keys.ToDictionary(port => port, port => Send(plane, net, tcp, port, TcpFlags.Ack)));
    }

    /// <summary>What is remembered of a client counts as long as there is room.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Affinity_ToAFullBackend_GivesWay(int family)
    {
        var net = ServiceNet.Of(family);
        await using TestPlane plane = Create(net, tcp: true, workers: 1, service => service.Maglev().Affinity(TimeSpan.FromMinutes(5)).MaxLoad(1));
        for (ushort port = 1000; port < 1030; port++)
        {
            Send(plane, net, true, port, TcpFlags.Syn);
        }

        Assert.Equal([10L, 10L, 10L], plane.Engine.ReadServices()[0].Backends.Select(backend => backend.ActiveFlows));
    }

    /// <summary>Explained as it is decided, and not counted.</summary>
    [Fact]
    public async Task Explain_OfAFullBackend_SaysSo()
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane plane = Create(net, tcp: true, workers: 1, service => service.Balance(BalancePolicy.SourceHash).MaxLoad(1));
        int first = Send(plane, net, true, 1000, TcpFlags.Syn);
        string why = plane.Engine.Explain(net.FromClient().Tcp(1001, 80, TcpFlags.Syn).Build(), "wan").ToString();
        Assert.Contains($"whose backend {net.Backend(first)}:8080 has as many flows as it may,", why, StringComparison.Ordinal);
        Assert.All(plane.Engine.ReadServices()[0].Backends, backend => Assert.Equal(0, backend.Diverted));
    }

    [Fact]
    public void Choose_AllocatesNothing()
    {
        (ServiceRuntime service, BackendCounter[] counters) = Runtime([1, 2, 1000], 1);
        var meter = new AllocationMeter();
        for (int round = 0; round < 20_000; round++)
        {
            var key = FlowKey.Create(IpAddress.FromV4(1), (ushort)round, service.Spec.Address, 80, 6);
            meter.Open();
            BackendRuntime backend = service.Choose(in key, (uint)round, counters, out _)!;
            meter.Close(counts: round >= 10_000);
            counters[backend.Slot].Counts.Active++;
        }

        meter.AssertNone();
    }

    /// <summary>By the client's address, in a small table: backends of weight 1 beside one of 1000 have no slot there.</summary>
    private static (ServiceRuntime Service, BackendCounter[] Counters) Runtime(int[] weights, double most)
    {
        BackendRuntime[] backends = [.. weights.Select((weight, i) => new BackendRuntime
        {
            Slot = i,
            Generation = 1,
            Address = IpAddress.FromV4(0x0A000000 + (uint)i),
            Port = 80,
            Weight = weight,
            Share = weight,
            Counter = new BackendCounter(),
        })];
        var service = new ServiceRuntime
        {
            Spec = new ServiceSpec { Name = "x", Address = IpAddress.FromV4(1), Port = 80, TableSize = 251, Balance = BalancePolicy.SourceHash, MaxLoad = most },
            All = backends,
            Eligible = backends,
            Schedule = null,
            Bound = new LoadBound(most, backends),
            Table = MaglevTable.Build([.. backends.Select(backend => new MaglevMember(MaglevIdentity.Of(backend.Address, backend.Port), backend.Share))], 251),
        };
        return (service, [.. backends.Select(backend => backend.Counter)]);
    }

    private static TestPlane Create(ServiceNet net, bool tcp, int workers, Func<ServiceBuilder, ServiceBuilder> with) => TestPlane.Create(builder => builder
        .Workers(spec => spec with { FlowEntries = 4096, Count = workers })
        .Service("web", net.Service.ToString(), 80, service =>
        {
            service = with(tcp ? service.Tcp() : service.Udp());
            foreach (int host in Enumerable.Range(11, 3))
            {
                service = service.Backend(net.Backend(host).ToString(), 8080);
            }
        }));

    private static int Send(TestPlane plane, ServiceNet net, bool tcp, ushort port, TcpFlags flags) =>
        net.HostOf(plane.SendForOne("wan", (tcp ? net.FromClient().Tcp(port, 80, flags) : net.FromClient().Udp(port, 80)).Build(), "lan"));
}
