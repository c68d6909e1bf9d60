using Dataplane.Balancing;
using Dataplane.Packets;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Balancing;

public sealed class RendezvousTests
{
    private const int Flows = 4000;

    /// <summary>The definition of minimal disruption: only flows of what lost, and only to what gained.</summary>
    [Fact]
    public void Choose_AnyChangeOfWeights_MovesFlowsOnlyFromLosersToGainers()
    {
        Gen<(int[] Before, int[] After)> cases = from count in Gen.Choose(1, 6)
                                                 from before in Gen.Choose(0, 3).ArrayOf(count)
                                                 from after in Gen.Choose(0, 3).ArrayOf(count)
                                                 select (before, after);
        Prop.ForAll(cases.ToArbitrary(), change =>
        {
            (BackendRuntime[] old, BackendRuntime[] now) = (Members(change.Before), Members(change.After));
            var before = new Rendezvous(old);
            var after = new Rendezvous(now);
            for (uint flow = 0; flow < 500; flow++)
            {
                uint hash = flow * 2654435761;
                int was = before.Choose(hash) is >= 0 and int a ? old[a].Slot : -1, becomes = after.Choose(hash) is >= 0 and int b ? now[b].Slot : -1;
                if (was != becomes && was >= 0 && becomes >= 0)
                {
                    Assert.True(Ratio(change.After, was, becomes) < Ratio(change.Before, was, becomes), $"flow {flow}: {was} to {becomes}");
                }

                Assert.Equal(change.After.All(weight => weight == 0), becomes < 0);
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(100));

        static double Ratio(int[] weights, int one, int other) => weights[other] == 0 ? double.PositiveInfinity : (double)weights[one] / weights[other];
    }

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(3, 2, 1)]
    [InlineData(10, 1, 1)]
    public void Choose_ManyFlows_AreSharedByWeight(params int[] weights)
    {
        BackendRuntime[] members = Members(weights);
        var rendezvous = new Rendezvous(members);
        var counts = new int[weights.Length];
        for (uint flow = 0; flow < Flows * 10; flow++)
        {
            counts[rendezvous.Choose(flow * 2654435761)]++;
        }

        // Five deviations of the binomial distribution.
        for (int i = 0; i < counts.Length; i++)
        {
            double share = (double)weights[i] / weights.Sum(), wanted = Flows * 10 * share;
            Assert.InRange(counts[i], wanted - (5 * Math.Sqrt(wanted * (1 - share))), wanted + (5 * Math.Sqrt(wanted * (1 - share))));
        }
    }

    /// <summary>Weights that are all the same are as no weights.</summary>
    [Fact]
    public void Choose_EqualWeights_TheFormulasAgree()
    {
        // A member that is never chosen makes the weights differ without changing what is chosen among the others.
        BackendRuntime[] equal = Members([2, 2, 2]);
        BackendRuntime[] mixed = [.. equal, .. Members([0, 0, 0, 1]).Select(member => member)];
        var one = new Rendezvous(equal);
        var other = new Rendezvous(mixed);
        for (uint flow = 0; flow < Flows; flow++)
        {
            int chosen = other.Choose(flow * 2654435761);
            Assert.True(chosen == 3 || chosen == one.Choose(flow * 2654435761));
        }
    }

    private static BackendRuntime[] Members(int[] weights) => [.. weights.Select((weight, i) => new BackendRuntime
    {
        Slot = i, Generation = 1, Address = IpAddress.FromV4(0x0A00_0001u + (uint)i), Port = 80, Weight = weight, Share = weight, Counter = new BackendCounter(),
    }).Where(member => member.Share > 0)];
}
