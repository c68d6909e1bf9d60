using Dataplane.Nat;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Reference;
using Dataplane.Tracking;
using Dataplane.Tunnels;

namespace Dataplane.Tests.Nat;

/// <summary>Ports mapped towards everybody: what they are, who gets in by them, and how long they last.</summary>
public sealed class MappedPortTests
{
    public static TheoryData<int, int> FamiliesAndWorkers => new() { { 4, 1 }, { 6, 1 }, { 4, 3 }, { 6, 3 } };

    /// <summary>RFC 4787 REQ-1, RFC 5382 REQ-1, RFC 5508 REQ-1.</summary>
    [Theory]
    [MemberData(nameof(FamiliesAndWorkers))]
    public async Task OneInsidePort_IsTheSameOutsideTowardsEverybody(int family, int workers)
    {
        var net = new MappedNet(family);
        await using TestPlane plane = MappedNet.Create(MappedNet.Rule(), workers);
        Assert.Equal(4000, net.Open(plane, 11, 4000, net.Remote(1)));
        ushort second = net.Open(plane, 12, 4000, net.Remote(1));
        Assert.NotEqual(4000, second);
        for (int remote = 1; remote < 40; remote++)
        {
            ushort port = (ushort)(remote * 7);
            Assert.Equal(4000, net.Open(plane, 11, 4000, net.Remote(remote), port));
            Assert.Equal(second, net.Open(plane, 12, 4000, net.Remote(remote), port));
            NatNet.Same(net.At(12, net.Remote(remote)).Udp(port, 4000).Payload("z").Build(),
                plane.SendForOne("wan", net.FromRemote(net.Remote(remote)).Udp(port, second).Payload("z").Build(), "lan"));
            NatNet.Same(net.AtRemote(net.Remote(remote)).Tcp(4000, port).Build(), plane.SendForOne("lan", net.From(11, net.Remote(remote)).Tcp(4000, port).Build(), "wan"));
        }

        Assert.Equal(3, Assert.Single(plane.Engine.ReadNat(), entry => entry.Address == net.Gateway).Mappings);
    }

    [Theory]
    [MemberData(nameof(FamiliesAndWorkers))]
    public async Task Echo_OfTwoHostsWithOneIdentifier_KeepsOneForEachTowardsEverybody(int family, int workers)
    {
        var net = new MappedNet(family);
        await using TestPlane plane = MappedNet.Create(MappedNet.Rule(NatFiltering.EndpointIndependent), workers);
        var seen = new HashSet<ushort>();
        for (int remote = 1; remote < 6; remote++)
        {
            foreach (int host in new[] { 11, 12 })
            {
                byte[] sent = plane.SendForOne("lan", net.From(host, net.Remote(remote)).EchoRequest(7, 1).PayloadOf(56).Build(), "wan");
                ushort identifier = (ushort)((sent[^60] << 8) | sent[^59]);
                seen.Add(identifier);
                NatNet.Same(net.AtRemote(net.Remote(remote)).EchoRequest(identifier, 1).PayloadOf(56).Build(), sent);
                NatNet.Same(net.At(host, net.Remote(remote)).EchoReply(7, 1).PayloadOf(56).Build(),
                    plane.SendForOne("wan", net.FromRemote(net.Remote(remote)).EchoReply(identifier, 1).PayloadOf(56).Build(), "lan"));
            }
        }

        // Who asks from outside asks the gateway.
        Assert.Equal(2, seen.Count);
        Assert.Equal("wan", Assert.Single(plane.Send("wan", net.FromRemote(net.Remote(99)).EchoRequest(seen.First(), 1).PayloadOf(56).Build())).Port);
    }

    /// <summary>RFC 4787 REQ-8 and section 5, RFC 5382 REQ-3.</summary>
    [Theory]
    [InlineData(4, 1, NatFiltering.EndpointIndependent)]
    [InlineData(6, 1, NatFiltering.EndpointIndependent)]
    [InlineData(4, 3, NatFiltering.EndpointIndependent)]
    [InlineData(4, 1, NatFiltering.AddressDependent)]
    [InlineData(6, 3, NatFiltering.AddressDependent)]
    [InlineData(4, 1, NatFiltering.AddressAndPortDependent)]
    [InlineData(6, 3, NatFiltering.AddressAndPortDependent)]
    public async Task FromOutside_GetsInByTheRulesFiltering(int family, int workers, NatFiltering filtering)
    {
        var net = new MappedNet(family);
        await using TestPlane plane = MappedNet.Create(MappedNet.Rule(filtering), workers);
        ushort outside = net.Open(plane, 11, 4000, net.Remote(1));
        Assert.True(net.Reaches(plane, net.Remote(1), 53, outside, 11, 4000));
        Assert.Equal(filtering != NatFiltering.AddressAndPortDependent, net.Reaches(plane, net.Remote(1), 54, outside, 11, 4000));
        Assert.Equal(filtering == NatFiltering.EndpointIndependent, net.Reaches(plane, net.Remote(2), 53, outside, 11, 4000));
        long kept = filtering switch { NatFiltering.EndpointIndependent => 0, NatFiltering.AddressDependent => 1, _ => 2 };
        Assert.Equal(kept, plane.Engine.ReadAccounting().DroppedFor(DropReason.NatFiltered));

        // Once the inside has sent there, everybody may answer; and what is no mapped port is the gateway's.
        Assert.Equal(outside, net.Open(plane, 11, 4000, net.Remote(2), 99));
        Assert.Equal(filtering != NatFiltering.AddressAndPortDependent, net.Reaches(plane, net.Remote(2), 53, outside, 11, 4000));
        Assert.True(net.Reaches(plane, net.Remote(2), 99, outside, 11, 4000));
        plane.SendForDrop("wan", net.FromRemote(net.Remote(1)).Udp(53, (ushort)(outside + 2)).Build(), DropReason.LocalUnreachable);
    }

    /// <summary>RFC 5382 REQ-3: a connection that the outside begins.</summary>
    [Theory]
    [MemberData(nameof(FamiliesAndWorkers))]
    public async Task Tcp_BegunFromOutside_IsTranslatedByteExactBothWays(int family, int workers)
    {
        var net = new MappedNet(family);
        await using TestPlane plane = MappedNet.Create(MappedNet.Rule(NatFiltering.EndpointIndependent), workers);
        plane.SendForOne("lan", net.From(12, net.Remote(1)).Tcp(4001, 443).Build(), "wan");
        NatNet.Same(net.At(12, net.Remote(2)).Tcp(9, 4001, TcpFlags.Syn, 7).Build(), plane.SendForOne("wan", net.FromRemote(net.Remote(2)).Tcp(9, 4001, TcpFlags.Syn, 7).Build(), "lan"));
        NatNet.Same(net.AtRemote(net.Remote(2)).Tcp(4001, 9, TcpFlags.Syn | TcpFlags.Ack, 70, 8).Build(),
            plane.SendForOne("lan", net.From(12, net.Remote(2)).Tcp(4001, 9, TcpFlags.Syn | TcpFlags.Ack, 70, 8).Build(), "wan"));
        NatNet.Same(net.At(12, net.Remote(2)).Tcp(9, 4001, TcpFlags.Ack, 8, 71).PayloadOf(900).Build(),
            plane.SendForOne("wan", net.FromRemote(net.Remote(2)).Tcp(9, 4001, TcpFlags.Ack, 8, 71).PayloadOf(900).Build(), "lan"));
        Assert.Contains(plane.Engine.ReadFlows(), flow => flow.State == "tcp_established");
    }

    /// <summary>RFC 4787 REQ-4, and its 4.2.3: RTP and RTCP of one host stay neighbours.</summary>
    [Theory]
    [MemberData(nameof(FamiliesAndWorkers))]
    public async Task Pairs_OfPorts_StayPairs(int family, int workers)
    {
        var net = new MappedNet(family);
        await using TestPlane plane = MappedNet.Create(MappedNet.Rule(), workers);
        foreach (int host in new[] { 11, 12, 13 })
        {
            ushort rtp = net.Open(plane, host, 16384, net.Remote(1)), rtcp = net.Open(plane, host, 16385, net.Remote(2));
            Assert.Equal((0, rtp + 1), (rtp & 1, rtcp));
            ushort low = net.Open(plane, host, 123, net.Remote(1));
            Assert.True((low & 1) == 1 && low < 1024, $"{low}");
        }
    }

    /// <summary>RFC 4787 REQ-6: what the outside sends keeps nothing alive, unless it is told to.</summary>
    [Theory]
    [InlineData(4, false)]
    [InlineData(6, true)]
    public async Task Mapping_LivesByWhatTheInsideSends(int family, bool inbound)
    {
        var net = new MappedNet(family);
        NatSpec rule = MappedNet.Rule(NatFiltering.EndpointIndependent) with { RefreshInbound = inbound, Timeouts = new NatTimeouts { Udp = TimeSpan.FromSeconds(150) } };
        await using TestPlane plane = MappedNet.Create(rule);
        ushort outside = net.Open(plane, 11, 4000, net.Remote(1));
        for (int minute = 0; minute < 4; minute++)
        {
            // The one it has sent to, and others that never end to begin.
            plane.Wait(TimeSpan.FromSeconds(60));
            net.Reaches(plane, net.Remote(1), 53, outside, 11, 4000);
            net.Reaches(plane, net.Remote(10 + minute), 53, outside, 11, 4000);
        }

        Assert.Equal(inbound, net.Reaches(plane, net.Remote(1), 53, outside, 11, 4000));
        Assert.Equal(inbound ? 1 : 0, plane.Engine.ReadNat().Sum(entry => entry.Mappings));
        if (!inbound)
        {
            Assert.Empty(plane.Engine.ReadFlows());
        }
    }

    [Fact]
    public async Task Mapping_OfOneThatSends_OutlivesItsFlowsAndKeepsItsPort()
    {
        var net = new MappedNet(4);
        NatSpec rule = MappedNet.Rule() with { Timeouts = new NatTimeouts { Udp = TimeSpan.FromSeconds(30) } };
        await using TestPlane plane = MappedNet.Create(rule);
        net.Open(plane, 11, 4000, net.Remote(1));
        ushort outside = net.Open(plane, 12, 4000, net.Remote(1));
        for (int remote = 2; remote < 12; remote++)
        {
            plane.Wait(TimeSpan.FromSeconds(20));
            Assert.Equal(outside, net.Open(plane, 12, 4000, net.Remote(remote)));
        }

        // Of ten flows the old ones have gone, and the other host's mapping with its only one.
        Assert.InRange(plane.Engine.ReadFlows().Count(flow => flow.IsForward), 1, 6);
        Assert.Equal(1, plane.Engine.ReadNat().Sum(entry => entry.Mappings));
        Assert.False(net.Reaches(plane, net.Remote(2), 53, outside, 12, 4000));
    }

    /// <summary>Who was answered has been sent to, whoever has begun; and who was not, has not.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task AddressFilter_OpensWithAnAnswer_AndStaysOpenWithIt(int family)
    {
        var net = new MappedNet(family);
        NatSpec rule = MappedNet.Rule(NatFiltering.EndpointIndependent) with { Timeouts = new NatTimeouts { Udp = TimeSpan.FromSeconds(30) } };
        await using TestPlane plane = MappedNet.Create(rule);
        ushort outside = net.Open(plane, 11, 4000, net.Remote(1));
        Assert.True(net.Reaches(plane, net.Remote(2), 54, outside, 11, 4000));
        Assert.True(net.Reaches(plane, net.Remote(3), 54, outside, 11, 4000));
        net.Open(plane, 11, 4000, net.Remote(3), 54);
        Task update = plane.Engine.UpdateAsync(spec => spec with { Nat = [rule with { Filtering = NatFiltering.AddressDependent }] });
        plane.Run();
        await update;
        Assert.False(net.Reaches(plane, net.Remote(2), 55, outside, 11, 4000));
        for (int turn = 0; turn < 10; turn++)
        {
            // The flow to the first address ends meanwhile, and with it the right to come in.
            plane.Wait(TimeSpan.FromSeconds(12));
            net.Open(plane, 11, 4000, net.Remote(3), 54);
        }

        Assert.True(net.Reaches(plane, net.Remote(3), 56, outside, 11, 4000));
        Assert.False(net.Reaches(plane, net.Remote(1), 53, outside, 11, 4000));

        // A flow that the outside began and nobody answered ends alone.
        long expired = plane.Engine.ReadFigures().FlowsExpired;
        for (int turn = 0; turn < 8; turn++)
        {
            plane.Wait(TimeSpan.FromSeconds(12));
            net.Open(plane, 11, 4000, net.Remote(3), 54);
        }

        Assert.True(plane.Engine.ReadFigures().FlowsExpired > expired);
        Assert.True(net.Reaches(plane, net.Remote(3), 57, outside, 11, 4000));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task Exhaustion_RefusesByNameAndCorruptsNothing(int workers)
    {
        var net = new MappedNet(4);
        await using TestPlane plane = MappedNet.Create(MappedNet.Rule(), workers, builder => builder.Route("10.1.0.0/16", "10.1.0.11"));
        var taken = new Dictionary<int, int>();
        int refused = 0;
        for (int host = 0; host < 700; host++)
        {
            // Ports below 1024 of one parity: there are 512, and of one worker's pairs as many as it has.
            IpAddress source = IpAddress.FromV4(0x0A01_0000u | (uint)(256 + host));
            IReadOnlyList<(string Port, byte[] Frame)> sent = plane.Send("lan", PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Ip(source, net.Remote(1 + (host % 200))).Udp(123, 53).Build());
            if (sent.Count == 0)
            {
                refused++;
                continue;
            }

            int port = ReferenceDecoder.Decode(sent[0].Frame).SourcePort;
            Assert.True(taken.TryAdd(port, host) && (port & 1) == 1 && port < 1024, $"host {host} got port {port}");
        }

        Assert.Equal(refused, plane.Engine.ReadAccounting().DroppedFor(DropReason.NoFreePort));
        foreach ((int port, int host) in taken)
        {
            ReferencePacket answer = ReferenceDecoder.Decode(plane.SendForOne("wan", net.FromRemote(net.Remote(1 + (host % 200))).Udp(53, (ushort)port).Build(), "lan"));
            Assert.Equal((IpAddress.FromV4(0x0A01_0000u | (uint)(256 + host)).ToString(), 123), (answer.Destination, answer.DestinationPort));
        }

        Assert.InRange(taken.Count, 490 / workers, 512);
        Assert.Equal(taken.Count, plane.Engine.ReadNat().Sum(entry => entry.Mappings));
    }

    /// <summary>A full table gives up flows nobody has answered, and with the last of its flows a mapping goes: none is left behind.</summary>
    [Fact]
    public async Task FullTable_GivesUpMappingsWithTheirFlows()
    {
        var net = new MappedNet(4);
        await using TestPlane plane = MappedNet.Create(MappedNet.Rule(), 1, builder => builder.Workers(workers => workers with { FlowEntries = 1024 }));
        for (int port = 2000; port < 8000; port++)
        {
            net.Open(plane, 11 + (port % 3), (ushort)port, net.Remote(1));
        }

        long mappings = plane.Engine.ReadNat().Sum(entry => entry.Mappings);
        Assert.Equal(plane.Engine.ReadFlows().Count(flow => flow.IsForward), mappings);
        Assert.InRange(mappings, 256, 512);
        Assert.True(plane.Engine.ReadFigures().FlowsEvicted > 5000);
    }

    [Fact]
    public async Task Ports_ThatServicesAnswerAt_AreNotGivenAway()
    {
        var net = new MappedNet(4);
        await using TestPlane plane = MappedNet.Create(MappedNet.Rule(NatFiltering.EndpointIndependent), 1, builder =>
            builder.Service("dns", net.Gateway.ToString(), 5353, service => service.Udp().Backend(net.Net.Inside(13).ToString(), 53)));
        ushort outside = net.Open(plane, 11, 5353, net.Remote(1));
        Assert.NotEqual(5353, outside);
        NatNet.Same(net.At(13, net.Remote(2)).Udp(7, 53).Build(), plane.SendForOne("wan", net.FromRemote(net.Remote(2)).Udp(7, 5353).Build(), "lan"));
        Assert.True(net.Reaches(plane, net.Remote(2), 7, outside, 11, 5353));
    }

    /// <summary>What comes to the GUE port of an address where packets are taken out of others is such a packet, and no answer to an inside host. TCP there is its own.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task GuePort_OfAnAddressThatDecapsulates_IsNotGivenAway(int family)
    {
        var net = new MappedNet(family);
        var tunnels = new EncapsulationSpec
        {
            Decapsulate = [new DecapsulationSpec { Address = net.Gateway, From = [new IpPrefix(net.Remote(9), net.Remote(9).Family == IpFamily.V4 ? 32 : 128)] }],
        };
        await using TestPlane plane = MappedNet.Create(MappedNet.Rule(NatFiltering.EndpointIndependent), 1, builder => builder.Encapsulation(tunnels));
        ushort outside = net.Open(plane, 11, EncapsulationSpec.DefaultGuePort, net.Remote(1));
        Assert.NotEqual(EncapsulationSpec.DefaultGuePort, outside);
        Assert.True(net.Reaches(plane, net.Remote(2), 7, outside, 11, EncapsulationSpec.DefaultGuePort));
        NatNet.Same(net.AtRemote(net.Remote(1)).Tcp(EncapsulationSpec.DefaultGuePort, 53).Build(),
            plane.SendForOne("lan", net.From(11, net.Remote(1)).Tcp(EncapsulationSpec.DefaultGuePort, 53).Build(), "wan"));
    }

    [Fact]
    public async Task RulesWithStates_DecideBeforeTheFiltering()
    {
        var net = new MappedNet(4);
        await using TestPlane plane = MappedNet.Create(MappedNet.Rule(NatFiltering.EndpointIndependent), 1, builder => builder.Filter(filter => filter
            .Allow(state: ConnectionStates.Established | ConnectionStates.Related).Allow(state: ConnectionStates.New, port: "lan")
            .Allow(state: ConnectionStates.New, protocol: IpProtocols.Udp, toPort: "4000").DefaultDeny()));
        ushort open = net.Open(plane, 11, 4000, net.Remote(1)), closed = net.Open(plane, 11, 4002, net.Remote(1));
        Assert.True(net.Reaches(plane, net.Remote(2), 9, open, 11, 4000));
        Assert.True(net.Reaches(plane, net.Remote(1), 53, closed, 11, 4002));
        plane.SendForDrop("wan", net.FromRemote(net.Remote(2)).Udp(9, closed).Build(), DropReason.FilterDefault);
    }

    [Fact]
    public async Task Update_OfTheFiltering_HoldsAtOnce_OfTheMapping_EndsTheFlows()
    {
        var net = new MappedNet(4);
        await using TestPlane plane = MappedNet.Create(MappedNet.Rule());
        ushort outside = net.Open(plane, 11, 4000, net.Remote(1));
        async Task Set(NatSpec rule)
        {
            Task update = plane.Engine.UpdateAsync(spec => spec with { Nat = [rule] });
            plane.Run();
            await update;
        }

        Assert.False(net.Reaches(plane, net.Remote(1), 54, outside, 11, 4000));
        await Set(MappedNet.Rule(NatFiltering.AddressDependent));
        Assert.True(net.Reaches(plane, net.Remote(1), 54, outside, 11, 4000));
        Assert.False(net.Reaches(plane, net.Remote(2), 54, outside, 11, 4000));
        await Set(MappedNet.Rule(NatFiltering.EndpointIndependent));
        Assert.True(net.Reaches(plane, net.Remote(2), 54, outside, 11, 4000));
        await Set(MappedNet.Rule());
        Assert.False(net.Reaches(plane, net.Remote(3), 54, outside, 11, 4000));
        Assert.True(net.Reaches(plane, net.Remote(1), 53, outside, 11, 4000));
        await Set(new NatSpec { Inside = "lan", Outside = "wan" });
        Assert.False(net.Reaches(plane, net.Remote(1), 53, outside, 11, 4000));
        Assert.Equal(4000, net.Open(plane, 11, 4000, net.Remote(1)));
        Assert.Equal(0, plane.Engine.ReadNat().Sum(entry => entry.Mappings));
    }

    [Theory]
    [MemberData(nameof(FamiliesAndWorkers))]
    public async Task State_WrittenAndRead_KeepsMappingsAndWhoMayGetIn(int family, int workers)
    {
        var net = new MappedNet(family);
        NatSpec rule = MappedNet.Rule(NatFiltering.AddressDependent);
        await using TestPlane before = MappedNet.Create(rule, workers), after = MappedNet.Create(rule, workers);
        ushort[] outside = [net.Open(before, 11, 4000, net.Remote(1)), net.Open(before, 12, 4000, net.Remote(1)), net.Open(before, 12, 4001, net.Remote(2))];
        Assert.True(net.Reaches(before, net.Remote(1), 99, outside[1], 12, 4000));
        using var state = new MemoryStream();
        Task<StateReceipt> saving = before.Engine.SaveStateAsync(state);
        before.Run();
        await saving;
        state.Position = 0;
        StateReceipt receipt = await after.Engine.LoadStateAsync(state);
        Assert.Equal((StateRefusal.None, 4L, 0L, 0L), (receipt.Refusal, receipt.Flows, receipt.WithoutRoom, receipt.Replaced));
        Assert.Equal(3, after.Engine.ReadNat().Sum(entry => entry.Mappings));
        Assert.Equal(outside[1], net.Open(after, 12, 4000, net.Remote(3)));
        Assert.True(net.Reaches(after, net.Remote(1), 7, outside[1], 12, 4000));
        Assert.True(net.Reaches(after, net.Remote(2), 7, outside[2], 12, 4001));
        Assert.False(net.Reaches(after, net.Remote(2), 7, outside[0], 11, 4000));
    }

    [Fact]
    public async Task Explain_SaysWhoIsLetInAndWhoIsNot()
    {
        var net = new MappedNet(4);
        await using TestPlane plane = MappedNet.Create(MappedNet.Rule(NatFiltering.AddressDependent));
        ushort outside = net.Open(plane, 11, 4000, net.Remote(1));
        Explanation kept = plane.Engine.Explain(net.FromRemote(net.Remote(2)).Udp(9, outside).Build(), "wan");
        Assert.Equal((Verdict.Drop, DropReason.NatFiltered), (kept.Verdict, kept.Reason));
        Assert.Contains(kept.Steps, step => step.Stage == "nat" && step.Detail.Contains("mapped to 10.1.0.11 port 4000; filtering address_dependent keeps", StringComparison.Ordinal));
        Explanation letIn = plane.Engine.Explain(net.FromRemote(net.Remote(1)).Udp(9, outside).Build(), "wan");
        Assert.Equal("lan", letIn.OutPort);
        Explanation known = plane.Engine.Explain(net.FromRemote(net.Remote(1)).Udp(53, outside).Build(), "wan");
        Assert.Contains(known.Steps, step => step is { Stage: "flow", Outcome: "hit" });
        Explanation turned = plane.Engine.Explain(net.From(12, net.Gateway).Udp(5, outside).Build(), "lan");
        Assert.Contains(turned.Steps, step => step is { Stage: "nat", Outcome: "hairpin" });
        Assert.Equal((1, 1L), (plane.Engine.ReadFlows().Count(flow => flow.IsForward), plane.Engine.ReadNat().Sum(entry => entry.Mappings)));
    }
}
