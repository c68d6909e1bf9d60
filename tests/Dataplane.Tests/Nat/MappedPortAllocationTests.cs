using Dataplane.Nat;
using Dataplane.Packets;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Support;

namespace Dataplane.Tests.Nat;

/// <summary>Mapped ports that come and go, packets let in and kept out, and hairpins: nothing allocates.</summary>
[Collection(AllocationCollection.Name)]
public sealed class MappedPortAllocationTests
{
    [Theory]
    [InlineData(NatFiltering.EndpointIndependent)]
    [InlineData(NatFiltering.AddressDependent)]
    public async Task EveryWay_ForThousandsOfRounds_AllocatesNothing(NatFiltering filtering)
    {
        MappedNet v4 = new(4), v6 = new(6);
        NatSpec rule = MappedNet.Rule(filtering) with { Timeouts = new NatTimeouts { Udp = TimeSpan.FromSeconds(2) } };
        await using TestPlane plane = MappedNet.Create(rule);
        AllocationRounds.Run(plane, 3000, turn => Traffic(v4, turn).Concat(Traffic(v6, turn)));
        Assert.InRange(plane.Engine.ReadNat().Sum(entry => entry.Mappings), 1, 500);
    }

    private static IEnumerable<(string Port, byte[] Frame)> Traffic(MappedNet net, int turn)
    {
        ushort one = (ushort)(4000 + (2 * turn)), other = (ushort)(5002 + (2 * turn)), third = (ushort)(7000 + (2 * turn));
        yield return ("lan", net.From(11, net.Remote(1)).Udp(one, 53).Build());
        yield return ("lan", net.From(12, net.Remote(1)).Udp(one, 53).Build());
        yield return ("lan", net.From(12, net.Remote(2)).Udp(other, 53).Build());
        yield return ("wan", net.FromRemote(net.Remote(1)).Udp(53, one).Build());
        yield return ("wan", net.FromRemote(net.Remote(1)).Udp(54, one).Build());
        yield return ("wan", net.FromRemote(net.Remote(3)).Udp(9, one).Build());
        yield return ("lan", net.From(13, net.Gateway).Udp(third, other).Build());
        yield return ("lan", net.From(12, net.Gateway).Udp(other, third).Build());
    }
}
