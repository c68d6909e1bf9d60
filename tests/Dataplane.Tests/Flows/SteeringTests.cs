using Dataplane.Balancing;
using Dataplane.Packets;
using Dataplane.Telemetry;
using Dataplane.Tests.Pipeline;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Flows;

/// <summary>Clients of a prefix go to a group of backends, whatever the policy, while any of it takes new flows; flows that are there stay.</summary>
public sealed class SteeringTests
{
    /// <summary>Two prefixes in each other, a group each; who lies in none goes anywhere.</summary>
    [Theory]
    [CombinatorialPolicies]
    public async Task Client_OfAPrefix_GoesToItsGroup(BalancePolicy policy, int family, int workers)
    {
        var net = ServiceNet.Of(family);
        await using TestPlane plane = Create(net, workers, service => service.Balance(policy));
        var seen = new HashSet<int>();
        for (ushort port = 2000; port < 2040; port++)
        {
            Assert.Equal(11, Send(plane, net, Near(net), port));
            Assert.NotEqual(11, Send(plane, net, Wider(net), port));
            seen.Add(Send(plane, net, Outside(net, port), port));

            // A packet of a flow that is there, by the short way or not.
            Assert.Equal(11, Send(plane, net, Near(net), port));
        }

        // The one that has all the flows of the small prefix is the last that such policies would choose.
        Assert.Equal(policy is BalancePolicy.LeastConnections or BalancePolicy.PowerOfTwo ? [12, 13] : [11, 12, 13], seen.Order().Where(host => host > 11 || policy is not (BalancePolicy.LeastConnections or BalancePolicy.PowerOfTwo)));
        Assert.Equal(120, plane.Engine.ReadServices()[0].Backends.Sum(backend => backend.ActiveFlows));
    }

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Group_ThatTakesNobody_FallsBackToTheWholeService(int family)
    {
        var net = ServiceNet.Of(family);
        await using TestPlane plane = Create(net, workers: 1, service => service.Maglev());
        Assert.Equal(11, Send(plane, net, Near(net), 3000));
        DataplaneSpec before = plane.Engine.Spec;
        BackendSpec[] drained = [.. before.Services[0].Backends.Select(backend => backend.Group == "near" ? backend with { Drain = true } : backend)];
        ChangeReceipt receipt = await plane.Engine.UpdateAsync(before with { Services = [before.Services[0] with { Backends = drained }] });
        Assert.Equal((0L, 0L), (receipt.Flows.Moved, receipt.Flows.Ended));
        Assert.Equal(11, Send(plane, net, Near(net), 3000));
        for (ushort port = 3001; port < 3020; port++)
        {
            Assert.NotEqual(11, Send(plane, net, Near(net), port));
        }

        Assert.Contains("where nobody takes new flows: to the whole service", Explained(plane, net, Near(net), 3999), StringComparison.Ordinal);
        await plane.Engine.UpdateAsync(before);
        Assert.Equal(11, Send(plane, net, Near(net), 3030));
    }

    /// <summary>Who is steered is another matter than who chooses among the group: hash, seed and table may change, and a receipt says it of each table.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Rules_ThatChange_HoldForNewFlowsAndAreForetold(int family)
    {
        var net = ServiceNet.Of(family);
        await using TestPlane plane = Create(net, workers: 1, service => service.Maglev());
        int first = Send(plane, net, Outside(net, 1), 4000);
        ServiceSpec service = plane.Engine.Spec.Services[0];
        int other = first == 13 ? 12 : 13;
        DataplaneSpec next = plane.Engine.Spec with
        {
            Services = [service with { Steer = [new SteerSpec { From = family == 4 ? IpPrefix.AllV4 : IpPrefix.AllV6, To = "only" }],
                Backends = [.. service.Backends.Select(backend => backend with { Group = backend.Address == net.Backend(other) ? "only" : "" })] }],
        };
        ChangeReceipt foretold = await plane.Engine.PreviewAsync(next), receipt = await plane.Engine.UpdateAsync(next);
        Assert.Equal((foretold.Flows, 0L, 0L), (receipt.Flows, receipt.Flows.Moved, receipt.Flows.Ended));
        Assert.Equal(first, Send(plane, net, Outside(net, 1), 4000));
        Assert.Equal(other, Send(plane, net, Outside(net, 1), 4001));
        Assert.Equal(other, Send(plane, net, Near(net), 4001));

        // A backend more in the group: both tables change, each by the least.
        service = next.Services[0];
        next = next with { Services = [service with { Backends = [.. service.Backends.Select(backend => backend with { Group = "only" })] }] };
        foretold = await plane.Engine.PreviewAsync(next);
        receipt = await plane.Engine.UpdateAsync(next);
        ServiceChange change = Assert.Single(receipt.Services);
        Assert.Equal(("web", "only", change.MinimumSlotsMoved), (change.Service, change.Groups, change.SlotsMoved));
        Assert.Equal(foretold.Services.Single().SlotsMoved, change.SlotsMoved);

        ChangeReceipt sized = await plane.Engine.UpdateAsync(next with { Services = [next.Services[0] with { TableSize = 251 }] });
        Assert.Equal(["", "only"], sized.Services.Where(each => each.IsNewGeneration).Select(each => each.Groups).Order());
        Assert.Equal(other, Send(plane, net, Outside(net, 1), 4001));
    }

    /// <summary>What is remembered of a client counts while it is in the client's group; and a connection ID before all of it.</summary>
    [Fact]
    public async Task Affinity_WithSteering_StaysInTheGroup()
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane plane = Create(net, workers: 1, service => service.Balance(BalancePolicy.RoundRobin).Affinity(TimeSpan.FromMinutes(5)));
        int first = Send(plane, net, Wider(net), 5000);
        for (ushort port = 5001; port < 5010; port++)
        {
            Assert.Equal(first, Send(plane, net, Wider(net), port));
        }

        ServiceSpec service = plane.Engine.Spec.Services[0];
        await plane.Engine.UpdateAsync(plane.Engine.Spec with { Services = [service with { Steer = [service.Steer[0] with { From = IpPrefix.AllV4 }] }] });
        Assert.Equal(11, Send(plane, net, Wider(net), 5020));
    }

    [Fact]
    public async Task Explain_SaysPrefixAndGroup()
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane plane = Create(net, workers: 1, service => service.Maglev());
        string why = Explained(plane, net, Near(net), 6000);
        Assert.Contains("clients of 198.51.100.32/28 go to near", why, StringComparison.Ordinal);
        Assert.Contains("gives 10.1.0.11:8080", why, StringComparison.Ordinal);
        Assert.DoesNotContain("clients of", Explained(plane, net, Outside(net, 7), 6000), StringComparison.Ordinal);
    }

    /// <summary>The longest prefix that a client lies in, as by looking at all of them.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public void Find_AnyRules_IsTheLinearScan(int family)
    {
        IpFamily of = family == 4 ? IpFamily.V4 : IpFamily.V6;
        int bits = family == 4 ? 32 : 128;
        Gen<IpAddress> address = from few in Gen.Choose(0, 15)
                                 from many in Gen.Choose(0, int.MaxValue)
                                 from isNear in Gen.Elements(true, true, false)
                                 select IpAddress.FromBits(of, family == 4 ? (isNear ? 0x0A000000u + (uint)few : (uint)many) : isNear ? (UInt128)few : ((UInt128)many << 97) | (uint)few);
        Gen<SteerSpec> rule = from at in address
                              from length in Gen.OneOf(Gen.Choose(0, bits), Gen.Choose(bits - 5, bits), Gen.Constant(0))
                              from to in Gen.Elements("a", "b", "a,b")
                              select new SteerSpec { From = new IpPrefix(at, length).Network, To = to };
        Gen<(SteerSpec[] Rules, IpAddress[] Clients)> any = from rules in rule.ArrayOf(12) from clients in address.ArrayOf(20) select (rules, clients);
        Prop.ForAll(any.ToArbitrary(), given =>
        {
            SteerSpec[] rules = [.. given.Rules.DistinctBy(each => each.From)];
            var steering = SourceSteering.Compile(rules, _ => new ServiceRuntime
            {
                Spec = new ServiceSpec { Name = "x", Address = default, Port = 1 },
                All = [],
                Eligible = [],
                Table = null,
                Schedule = null,
            });
            foreach (IpAddress client in given.Clients)
            {
                SteerSpec? expected = rules.Where(each => each.From.Contains(client)).MaxBy(each => each.From.Length);
                var key = FlowKey.Create(client, 1, client, 2, IpProtocols.Tcp);
                ServiceRuntime? found = steering.Find(in key, out int length, out string groups);
                Assert.Equal((expected?.From.Length ?? -1, expected?.To ?? ""), (length, groups));
                Assert.Same(expected is null ? null : steering.OfGroups(expected.To), found);
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(200));
    }

    private static TestPlane Create(ServiceNet net, int workers, Func<ServiceBuilder, ServiceBuilder> with) => TestPlane.Create(builder => builder
        .Workers(spec => spec with { Count = workers, FlowEntries = 4096 })
        .Service("web", net.Service.ToString(), 80, service => with(service.Udp())
            .Backend(net.Backend(11).ToString(), 8080).Group("near").Backend(net.Backend(12).ToString(), 8080).Group("far").Backend(net.Backend(13).ToString(), 8080).Group("far")
            .Steer(net == ServiceNet.V4 ? "198.51.100.32/28" : "2001:db8:1::20/124", "near").Steer(net == ServiceNet.V4 ? "198.51.100.32/27" : "2001:db8:1::20/123", "far")));

    private static IpAddress Near(ServiceNet net) => At(net, 0x21);

    private static IpAddress Wider(ServiceNet net) => At(net, 0x31);

    private static IpAddress Outside(ServiceNet net, int number) => At(net, 0x40 + (number % 32));

    private static IpAddress At(ServiceNet net, int host) => net == ServiceNet.V4 ? IpAddress.FromV4(0xC6336400u + (uint)host) : IpAddress.Parse($"2001:db8:1::{host:x}");

    private static byte[] Packet(ServiceNet net, IpAddress client, ushort port) =>
        PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ip(client, net.Service, 64).Udp(port, 80).Build();

    private static int Send(TestPlane plane, ServiceNet net, IpAddress client, ushort port) => net.HostOf(plane.SendForOne("wan", Packet(net, client, port), "lan"));

    private static string Explained(TestPlane plane, ServiceNet net, IpAddress client, ushort port) => plane.Engine.Explain(Packet(net, client, port), "wan").ToString();

    /// <summary>Every policy in both families, with one worker or three in turn.</summary>
    private sealed class CombinatorialPoliciesAttribute : Xunit.Sdk.DataAttribute
    {
        public override IEnumerable<object[]> GetData(System.Reflection.MethodInfo testMethod) =>
            from policy in Enum.GetValues<BalancePolicy>()
            from family in new[] { 4, 6 }
            select new object[] { policy, family, ((int)policy + family / 2) % 2 == 0 ? 1 : 3 };
    }
}
