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
        (string Port, byte[] Frame)[][] traffic = [.. Enumerable.Range(0, 50).Select(turn => Traffic(turn).ToArray())];
        byte[] buffer = new byte[2048];
        var meter = new AllocationMeter();
        for (int round = -2000; round < 2000; round++)
        {
            plane.Clock.Advance(TimeSpan.FromMilliseconds(200));
            foreach ((string port, byte[] frame) in traffic[(round + 2000) % traffic.Length])
            {
                plane[port].TrySend(frame);
                meter.Open();
                while (plane.Engine.RunOnce() > 0)
                {
                }

                meter.Close(counts: round >= 0);
            }

            foreach (string port in new[] { "lan", "wan" })
            {
                while (plane[port].TryReceive(buffer, out _))
                {
                }
            }
        }

        meter.AssertNone();
        Assert.True(plane.Engine.ReadFigures().FlowsExpired > 100);
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

        byte[] quoted = AtOutside().Udp(one, 53).PayloadOf(300).Build()[14..];
        yield return ("wan", FromOutside().Icmpv4(new Icmpv4Fields { Type = 11 }).Payload(quoted).Build());
    }
}
