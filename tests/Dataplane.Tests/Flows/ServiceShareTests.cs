using Dataplane.Balancing;
using Dataplane.Packets;
using Dataplane.Telemetry;
using Dataplane.Tests.Pipeline;

namespace Dataplane.Tests.Flows;

/// <summary>How new flows are shared, and what a change of backends moves.</summary>
public sealed class ServiceShareTests
{
    private static readonly int[] s_weights = [1, 2, 5];

    private static TestPlane Create(ServiceNet net, BalancePolicy policy) => TestPlane.Create(builder => builder
        .Workers(workers => workers with { FlowEntries = 16_384 })
        .Service("web", net.Service.ToString(), 80, service =>
        {
            service = policy switch { BalancePolicy.RoundRobin => service.RoundRobin(), BalancePolicy.Weighted => service.Weighted(), _ => service.Maglev() };
            for (int i = 0; i < s_weights.Length; i++)
            {
                service = service.Backend(net.Backend(11 + i).ToString(), 8080, s_weights[i]);
            }
        }));

    private static long[] Shares(TestPlane plane, ServiceNet net, int flows)
    {
        for (int i = 0; i < flows; i++)
        {
            plane.SendForOne("wan", net.FromClient().Tcp((ushort)(1024 + i), 80).Build(), "lan");
        }

        return [.. plane.Engine.ReadServices()[0].Backends.Select(backend => backend.Flows)];
    }

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task RoundRobin_Always_SharesEqually(int family)
    {
        await using TestPlane plane = Create(ServiceNet.Of(family), BalancePolicy.RoundRobin);
        Assert.Equal([300L, 300L, 300L], Shares(plane, ServiceNet.Of(family), 900));
    }

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Weighted_Always_SharesExactlyByWeight(int family)
    {
        await using TestPlane plane = Create(ServiceNet.Of(family), BalancePolicy.Weighted);
        Assert.Equal([100L, 200L, 500L], Shares(plane, ServiceNet.Of(family), 800));
    }

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Maglev_ManyFlows_SharesByWeightAndBySlotOfTheFlowAlone(int family)
    {
        ServiceNet net = ServiceNet.Of(family);
        await using TestPlane plane = Create(net, BalancePolicy.Maglev);
        long[] shares = Shares(plane, net, 4000);

        // Four standard deviations of a fair draw.
        for (int i = 0; i < 3; i++)
        {
            double share = s_weights[i] / 8.0;
            Assert.InRange(shares[i], (4000 * share) - (4 * Math.Sqrt(4000 * share * (1 - share))),
                (4000 * share) + (4 * Math.Sqrt(4000 * share * (1 - share))));
        }

        // Another engine of the same configuration but another seed sends every flow to the same backend.
        await using TestPlane other = TestPlane.Create(builder => builder.Workers(workers => workers with { Seed = 99, FlowEntries = 16_384 })
            .Service("web", net.Service.ToString(), 80, service => service.Maglev().Backend(net.Backend(11).ToString(), 8080)
                .Backend(net.Backend(12).ToString(), 8080, 2).Backend(net.Backend(13).ToString(), 8080, 5)));
        Assert.Equal(shares, Shares(other, net, 4000));
    }

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Update_OneOfFiveBackendsGoes_MovesTheMinimumOfSlots(int family)
    {
        ServiceNet net = ServiceNet.Of(family);
        await using TestPlane plane = TestPlane.Create(builder => builder.Service("web", net.Service.ToString(), 80, service =>
        {
            for (int host = 11; host <= 15; host++)
            {
                service = service.Backend(net.Backend(host).ToString(), 8080);
            }
        }));
        ChangeReceipt receipt = await plane.Engine.UpdateAsync(spec => spec with
        {
            Services = [.. spec.Services.Select(service =>
                service with { Backends = [.. service.Backends.Where(backend => backend.Address != net.Backend(13))] })],
        });
        ServiceChange change = Assert.Single(receipt.Services);
        Assert.Equal(("web", 65537, 2), (change.Service, change.Slots, receipt.Version));
        Assert.Equal(change.MinimumSlotsMoved, change.SlotsMoved);
        Assert.InRange(change.SlotsMoved, 65537 / 5, (65537 / 5) + 1);
    }
}
