using Dataplane.Nat;
using Dataplane.Packets;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Support;
using static Dataplane.Tests.Nat64.Nat64Net;

namespace Dataplane.Tests.Nat64;

/// <summary>Flows between the families that come and go, fragments, packets that are cut, errors and hairpins: nothing allocates.</summary>
[Collection(AllocationCollection.Name)]
public sealed class Nat64AllocationTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task EveryWay_ForThousandsOfRounds_AllocatesNothing(bool isMapped)
    {
        NatSpec rule = Rule(isMapped, isMapped ? NatFiltering.EndpointIndependent : NatFiltering.AddressAndPortDependent) with { Timeouts = new NatTimeouts { Udp = TimeSpan.FromSeconds(2) } };
        await using TestPlane plane = Create(rule);
        AllocationRounds.Run(plane, 2000, Traffic);
    }

    private static IEnumerable<(string Port, byte[] Frame)> Traffic(int turn)
    {
        ushort one = (ushort)(4000 + (2 * turn)), other = (ushort)(5002 + (2 * turn));
        yield return ("lan", FromInside(11).Udp(one, 53).PayloadOf(300).Build());
        yield return ("wan", FromOutside().Udp(53, one).PayloadOf(1400).Build());
        yield return ("wan", FromOutside(dontFragment: false).Udp(53, one).PayloadOf(1400).Build());
        yield return ("wan", FromOutside(dontFragment: false).Udp(53, one, checksum: false).PayloadOf(100).Build());
        yield return ("wan", FromOutside().Udp(53, one).PayloadOf(1472).Build());
        yield return ("lan", FromInside(12).Udp(other, 53).Build());
        yield return ("lan", FromInside(12, Gateway).Udp(other, one).Build());
        yield return ("lan", FromInside(13).EchoRequest(one, 1).PayloadOf(56).Build());
        yield return ("wan", FromOutside().EchoReply(one, 1).PayloadOf(56).Build());
        foreach (byte[] fragment in FromInside(11).Udp(one, 53).PayloadOf(2000).BuildFragments(1232, (uint)turn))
        {
            yield return ("lan", fragment);
        }

        foreach (byte[] fragment in FromInside(13).EchoRequest(one, 1).PayloadOf(2000).BuildFragments(1232, (uint)(turn + 7)).Reverse())
        {
            yield return ("lan", fragment);
        }

        foreach (byte[] fragment in FromOutside(dontFragment: false).Udp(53, one, checksum: false).PayloadOf(2000).BuildFragments(1200, (uint)turn))
        {
            yield return ("wan", fragment);
        }

        byte[] quoted = AtOutside().Udp(one, 53).PayloadOf(300).Build()[14..];
        yield return ("wan", FromOutside().Icmpv4(new Icmpv4Fields { Type = 11 }).Payload(quoted).Build());
    }
}
