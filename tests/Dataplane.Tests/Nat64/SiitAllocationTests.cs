using Dataplane.Packets;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Support;
using static Dataplane.Tests.Nat64.SiitNet;

namespace Dataplane.Tests.Nat64;

/// <summary>Stateless translation both ways, fragments, packets that are cut, errors, hairpins and what is too long: nothing allocates.</summary>
[Collection(AllocationCollection.Name)]
public sealed class SiitAllocationTests
{
    [Fact]
    public async Task EveryWay_ForThousandsOfRounds_AllocatesNothing()
    {
        await using TestPlane plane = Create();
        AllocationRounds.Run(plane, 2000, Traffic, hasFlows: false);
    }

    private static IEnumerable<(string Port, byte[] Frame)> Traffic(int turn)
    {
        ushort port = (ushort)(4000 + turn);
        byte[] there = FromClient().Udp(port, 53).PayloadOf(300).Build();
        yield return ("wan", there);
        yield return ("lan", FromServer().Udp(53, port).PayloadOf(300).Build());
        yield return ("lan", FromServer().EchoRequest(port, 1).Build());
        yield return ("lan", FromServer(11, client: V4(12)).Udp(port, 53).Build());
        yield return ("wan", FromClient(dontFragment: false).Udp(port, 53).PayloadOf(1400).Build());
        yield return ("wan", FromClient().Udp(port, 53).PayloadOf(1470).Build());
        yield return ("wan", FromClient().Icmpv4(new Icmpv4Fields { Type = 11 }).Payload(AtClient(7).Udp(53, port).PayloadOf(30).Build().AsSpan(14)).Build());
        foreach (byte[] fragment in FromServer().EchoRequest(port, 1).PayloadOf(2000).BuildFragments(1232, (uint)turn).Reverse())
        {
            yield return ("lan", fragment);
        }
    }
}
