using Dataplane.Bridging;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;
using Dataplane.Tests.Pipeline;
using static Dataplane.Tests.Bridging.Frames;

namespace Dataplane.Tests.Bridging;

/// <summary>What a learning bridge does with frames, rule by rule.</summary>
public sealed class LearningBridgeTests
{
    [Fact]
    public async Task Bridge_TwoHosts_AreFloodedToUntilTheyAreHeard()
    {
        await using TestPlane plane = Create();
        Assert.Equal("b c d", plane.Leaves("a", Of(Host(2), Host(1))));
        Assert.Equal("a", plane.Leaves("b", Of(Host(1), Host(2))));
        Assert.Equal("b", plane.Leaves("a", Of(Host(2), Host(1))));
        Accounting accounting = plane.Engine.ReadAccounting();

        // The frame that was flooded was held until its copies were made; two of the three are the engine's.
        Assert.Equal((3, 2, 5, 0), (accounting.Received, accounting.Originated, accounting.Transmitted, accounting.Held));
        Assert.Equal(
            [new BridgeAddress("lan", new MacAddress(Host(1)), 0, "a", 0), new BridgeAddress("lan", new MacAddress(Host(2)), 0, "b", 0)],
            plane.Engine.ReadBridgeAddresses());
    }

    [Fact]
    public async Task Forget_ByPortVlanAndAddress_FloodsToThoseAgainAndToNoOthers()
    {
        await using TestPlane plane = Create();
        plane.Leaves("a", Of(Everybody, Host(1)));
        plane.Leaves("a", Of(Everybody, Host(1), vlan: 5));
        plane.Leaves("a", Of(Everybody, Host(2)));
        plane.Leaves("b", Of(Everybody, Host(3)));
        Assert.Equal(1, plane.Engine.ForgetBridgeAddresses("lan", vlan: 5));
        Assert.Equal("a b d", plane.Leaves("c", Of(Host(1), Host(9), vlan: 5)));
        Assert.Equal("a", plane.Leaves("c", Of(Host(1), Host(9))));
        Assert.Equal(1, plane.Engine.ForgetBridgeAddresses("lan", mac: new MacAddress(Host(1))));
        Assert.Equal("a b d", plane.Leaves("c", Of(Host(1), Host(9))));
        Assert.Equal((0, 1), (plane.Engine.ForgetBridgeAddresses("lan", "a", mac: new MacAddress(Host(3))), plane.Engine.ForgetBridgeAddresses("lan", "a")));
        Assert.Equal("b", plane.Leaves("c", Of(Host(3), Host(9))));

        // Host 9 in two VLANs, and host 3.
        Assert.Equal([0, 1, 2, 0], plane.Engine.ReadBridges().Single().Ports.Select(port => port.Addresses));
        Assert.Equal(3, plane.Engine.ForgetBridgeAddresses("lan"));
        Assert.Empty(plane.Engine.ReadBridgeAddresses());
        Assert.All(plane.Engine.ReadBridges().Single().Ports, port => Assert.Equal(0, port.Addresses));

        // What was forgotten can be learnt again.
        plane.Leaves("d", Of(Everybody, Host(1)));
        Assert.Equal("d", plane.Leaves("c", Of(Host(1), Host(9))));
    }

    [Fact]
    public async Task Forget_WhatIsNotThere_SaysWhatIs()
    {
        await using TestPlane plane = Create();
        Assert.Contains("there are lan", Assert.Throws<ArgumentException>(() => plane.Engine.ForgetBridgeAddresses("wan")).Message, StringComparison.Ordinal);
        Assert.Contains("it has a, b, c, d", Assert.Throws<ArgumentException>(() => plane.Engine.ForgetBridgeAddresses("lan", "z")).Message, StringComparison.Ordinal);
        Assert.Contains("0 to 4095", Assert.Throws<ArgumentException>(() => plane.Engine.ForgetBridgeAddresses("lan", vlan: 4096)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Everybody)]
    [InlineData(Group)]
    [InlineData(0x3333_0000_0001UL)]
    public async Task Bridge_BroadcastAndGroups_LeaveByAllOthersAlways(ulong target)
    {
        await using TestPlane plane = Create();
        for (int round = 0; round < 3; round++)
        {
            Assert.Equal("a b d", plane.Leaves("c", Of(target, Host(1))));
        }
    }

    [Fact]
    public async Task Bridge_HostsBehindOnePort_AreLeftToThemselves()
    {
        await using TestPlane plane = Create();
        plane.Leaves("a", Of(Everybody, Host(1)));
        plane.Leaves("a", Of(Everybody, Host(2)));
        Assert.Empty(plane.SendForDrop("a", Of(Host(2), Host(1)), DropReason.BridgeSamePort));
        Assert.Equal("a", plane.Leaves("b", Of(Host(1), Host(3))));
        Assert.Equal("a", plane.Leaves("b", Of(Host(2), Host(3))));
    }

    [Fact]
    public async Task Bridge_Vlans_AreCarriedAndLearntEachByItself()
    {
        await using TestPlane plane = Create();
        plane.Leaves("a", Of(Everybody, Host(1), vlan: 5));
        plane.Leaves("b", Of(Everybody, Host(1), vlan: 6));
        Assert.Equal("a", plane.Leaves("c", Of(Host(1), Host(2), vlan: 5)));
        Assert.Equal("b", plane.Leaves("c", Of(Host(1), Host(2), vlan: 6)));
        Assert.Equal("a b d", plane.Leaves("c", Of(Host(1), Host(2))));
        Assert.Equal("a b d", plane.Leaves("c", Of(Host(1), Host(2), vlan: 7)));

        // Priority 7 and the drop bit are no part of the VLAN; identifier 0 is no VLAN.
        Assert.Equal("a", plane.Leaves("c", Of(Host(1), Host(2), vlan: 0xF005)));
        plane.Leaves("d", Of(Everybody, Host(9), vlan: 0));
        Assert.Equal("d", plane.Leaves("c", Of(Host(9), Host(2))));
    }

    [Fact]
    public async Task Bridge_IsolatedPorts_ReachOnlyOthers()
    {
        await using TestPlane plane = Create(spec => spec with { Ports = [.. spec.Ports.Select(port => port with { Isolate = port.Port is "a" or "b" })] });
        Assert.Equal("c d", plane.Leaves("a", Of(Everybody, Host(1))));
        Assert.Equal("c d", plane.Leaves("b", Of(Host(9), Host(2))));
        Assert.Empty(plane.SendForDrop("b", Of(Host(1), Host(2)), DropReason.NetworkIsolated));
        Assert.Equal("a", plane.Leaves("c", Of(Host(1), Host(3))));
        Assert.Equal("c", plane.Leaves("a", Of(Host(3), Host(1))));
        Assert.Equal("a b d", plane.Leaves("c", Of(Everybody, Host(3))));
    }

    [Fact]
    public async Task Bridge_PortsOfOneHorizon_PassNothingToEachOther()
    {
        await using TestPlane plane = Create(spec => spec with { Ports = [.. spec.Ports.Select(port => port with { Horizon = port.Port switch { "a" or "b" => "core", "c" => "edge", _ => "" } })] });
        Assert.Equal("c d", plane.Leaves("a", Of(Everybody, Host(1))));
        Assert.Equal("a b d", plane.Leaves("c", Of(Everybody, Host(3))));
        Assert.Empty(plane.SendForDrop("b", Of(Host(1), Host(2)), DropReason.NetworkIsolated));
    }

    [Fact]
    public async Task Bridge_AllPortsIsolated_FloodsToNobody()
    {
        await using TestPlane plane = Create(spec => spec with { Ports = [.. spec.Ports.Select(port => port with { Isolate = true })] });
        Assert.Empty(plane.SendForDrop("a", Of(Everybody, Host(1)), DropReason.NetworkIsolated));
    }

    [Fact]
    public async Task Bridge_HostThatIsSilent_IsForgotten()
    {
        await using TestPlane plane = Create();
        plane.Leaves("a", Of(Everybody, Host(1)));
        plane.Wait(TimeSpan.FromSeconds(10));
        Assert.Equal("a", plane.Leaves("b", Of(Host(1), Host(2))));
        plane.Wait(TimeSpan.FromSeconds(1));
        Assert.Equal("a c d", plane.Leaves("b", Of(Host(1), Host(2))));
        plane.Wait(TimeSpan.FromSeconds(12));
        Assert.Empty(plane.Engine.ReadBridgeAddresses());
        Assert.All(Assert.Single(plane.Engine.ReadBridges()).Ports, port => Assert.Equal(0, port.Addresses));
    }

    [Fact]
    public async Task Bridge_HostThatMoves_IsFoundWhereItIsUntilItMovesTooOften()
    {
        await using TestPlane plane = Create(spec => spec with { Moves = 3 });
        plane.Leaves("a", Of(Everybody, Host(1)));
        for (int move = 0; move < 3; move++)
        {
            plane.Leaves("b", Of(Everybody, Host(1)));
            Assert.Equal("b", plane.Leaves("d", Of(Host(1), Host(2))));
            plane.Leaves("a", Of(Everybody, Host(1)));
            Assert.Equal("a", plane.Leaves("d", Of(Host(1), Host(2))));
        }

        // As a circle would have it: the frame is not passed on, and the address stays.
        Assert.Empty(plane.SendForDrop("b", Of(Everybody, Host(1)), DropReason.MacMoveLimited));
        Assert.Equal("a", plane.Leaves("d", Of(Host(1), Host(2))));
        BridgeStatus bridge = Assert.Single(plane.Engine.ReadBridges());
        Assert.Equal((3, 1, 3, 0), (bridge.Ports[1].Moves, bridge.Ports[1].MovesRefused, bridge.Ports[0].Moves, bridge.Ports[0].MovesRefused));
        Assert.Equal([1, 0, 0, 1], bridge.Ports.Select(port => port.Addresses));
        plane.Wait(TimeSpan.FromSeconds(1));
        Assert.Equal("a c d", plane.Leaves("b", Of(Everybody, Host(1))));
    }

    [Fact]
    public async Task Bridge_FloodOfAddresses_TakesNothingFromOthers()
    {
        await using TestPlane plane = Create(spec => spec with { Entries = 1024, Ports = [.. spec.Ports.Select(port => port with { Hosts = port.Port == "d" ? 16 : null })] });
        plane.Leaves("a", Of(Everybody, Host(1)));
        plane.Leaves("b", Of(Everybody, Host(2)));
        for (int host = 100; host < 1100; host++)
        {
            // What is not learnt passes all the same.
            Assert.Equal("a", plane.Leaves("d", Of(Host(1), Host(host))));
        }

        Assert.Equal("b", plane.Leaves("a", Of(Host(2), Host(1))));
        BridgePortStatus flooder = Assert.Single(plane.Engine.ReadBridges()).Ports[3];
        Assert.Equal((16, 16, 984), (flooder.Addresses, flooder.Learnt, flooder.Unlearnt));
        Assert.Equal(18, plane.Engine.ReadBridgeAddresses().Count);
        Assert.Equal("d", plane.Leaves("a", Of(Host(100), Host(1))));
        Assert.Equal("b c d", plane.Leaves("a", Of(Host(1099), Host(1))));
    }

    [Fact]
    public async Task Bridge_FullTable_StaysAsItIs()
    {
        await using TestPlane plane = Create(spec => spec with { Entries = 64, Ports = [.. spec.Ports.Select(port => port with { Hosts = 64 })] });
        plane.Leaves("a", Of(Everybody, Host(1)));
        for (int host = 100; host < 1100; host++)
        {
            plane.Leaves("d", Of(Host(1), Host(host)));
        }

        Assert.Equal("a", plane.Leaves("b", Of(Host(1), Host(2))));
        BridgeStatus bridge = Assert.Single(plane.Engine.ReadBridges());
        Assert.Equal(bridge.Ports.Sum(port => port.Addresses), plane.Engine.ReadBridgeAddresses().Count);
        Assert.InRange(bridge.Ports[3].Addresses, 32, 63);
        Assert.Equal(1000, bridge.Ports[3].Learnt + bridge.Ports[3].Unlearnt);
    }

    [Theory]
    [InlineData("unknown", 0x0200_0000_0099UL)]
    [InlineData("broadcast", Everybody)]
    [InlineData("multicast", Group)]
    public async Task Bridge_FloodsBeyondTheLimit_AreDroppedEachKindByItself(string kind, ulong target)
    {
        await using TestPlane plane = Create(spec => spec with { Unknown = Of("unknown"), Broadcast = Of("broadcast"), Multicast = Of("multicast") });
        for (int i = 0; i < 5; i++)
        {
            Assert.Equal("b c d", plane.Leaves("a", Frames.Of(target, Host(1), number: i)));
        }

        Assert.Empty(plane.SendForDrop("a", Frames.Of(target, Host(1)), DropReason.FloodLimited));

        // Other kinds, other ports and known hosts are not affected; a fifth of a second later there is room for one more.
        Assert.Equal("a c d", plane.Leaves("b", Frames.Of(target, Host(2))));
        Assert.Equal("b c d", plane.Leaves("a", Frames.Of(kind == "unknown" ? Group : Host(98), Host(1))));
        Assert.Equal("b", plane.Leaves("a", Frames.Of(Host(2), Host(1))));
        plane.Wait(TimeSpan.FromMilliseconds(200));
        Assert.Equal("b c d", plane.Leaves("a", Frames.Of(target, Host(1))));
        BridgePortStatus port = Assert.Single(plane.Engine.ReadBridges()).Ports[0];
        (long flooded, long limited) = kind switch
        {
            "unknown" => (port.FloodedUnknown, port.LimitedUnknown),
            "broadcast" => (port.FloodedBroadcast, port.LimitedBroadcast),
            _ => (port.FloodedMulticast, port.LimitedMulticast),
        };
        Assert.Equal((6, 1), (flooded, limited));

        int Of(string which) => which == kind ? 5 : 1000;
    }

    [Fact]
    public async Task Bridge_FramesThatAreNone_AreDroppedByName()
    {
        await using TestPlane plane = Create();
        plane.SendForDrop("a", Of(Host(2), Host(1))[..13], DropReason.TruncatedEthernet);
        plane.SendForDrop("a", Of(Host(2), Host(1), vlan: 5)[..17], DropReason.TruncatedEthernet);
        plane.SendForDrop("a", Of(Host(2), 0), DropReason.BadSourceMac);
        plane.SendForDrop("a", Of(Host(2), Everybody), DropReason.BadSourceMac);
        plane.SendForDrop("a", Of(Host(2), Group), DropReason.BadSourceMac);
        for (ulong last = 0; last < 16; last++)
        {
            plane.SendForDrop("a", Of(0x0180_C200_0000 + last, Host(1)), DropReason.BridgeReserved);
        }

        Assert.Equal("b c d", plane.Leaves("a", Of(0x0180_C200_0010, Host(1))));
        Assert.DoesNotContain(plane.Engine.ReadBridgeAddresses(), known => known.Mac.Bits != Host(1));
    }

    [Fact]
    public async Task Bridge_LongFrames_PassUpToTheMtuOfTheirPort()
    {
        await using TestPlane plane = Create(ports: 2);
        plane.Leaves("b", Of(Everybody, Host(2)));
        Assert.Equal("b", plane.Leaves("a", Of(Host(2), Host(1), bytes: 1514)));
        Assert.Equal("b", plane.Leaves("a", Of(Host(2), Host(1), vlan: 7, bytes: 1518)));
        plane.Leaves("b", Of(Everybody, Host(2), vlan: 7));
        Assert.Empty(plane.SendForDrop("a", Of(Host(2), Host(1), bytes: 1515), DropReason.FrameTooLong));
        Assert.Empty(plane.SendForDrop("a", Of(Everybody, Host(1), bytes: 1515), DropReason.FrameTooLong));
    }

    [Fact]
    public async Task Bridge_FullBatchToManyPorts_IsCopiedInOrder()
    {
        await using TestPlane plane = Create();
        for (int i = 0; i < 200; i++)
        {
            Assert.True(plane["a"].TrySend(Of(i % 3 == 0 ? Everybody : Host(99), Host(1), number: i)));
        }

        IReadOnlyList<(string Port, byte[] Frame)> sent = plane.Run();
        Assert.Equal(600, sent.Count);
        foreach (IGrouping<string, byte[]> port in sent.GroupBy(each => each.Port, each => each.Frame))
        {
            Assert.Equal(Enumerable.Range(0, 200), port.Select(frame => (frame[16] << 8) + frame[17]));
        }
    }

    [Fact]
    public async Task Update_PortMore_KeepsWhatIsKnownAndCounted()
    {
        await using TestPlane plane = TestPlane.Create(["d", "a", "b", "c"], builder => builder.Bridge(new BridgeSpec { Name = "lan", Ports = [new() { Port = "a" }, new() { Port = "b" }] }));
        plane.Leaves("a", Of(Everybody, Host(1)));
        plane.Leaves("b", Of(Everybody, Host(2)));
        await plane.Engine.UpdateAsync(spec => spec with { Bridges = [spec.Bridges[0] with { Ports = [new() { Port = "c" }, new() { Port = "b" }, new() { Port = "a" }] }] });
        Assert.Equal("a", plane.Leaves("c", Of(Host(1), Host(3))));
        Assert.Equal("b", plane.Leaves("c", Of(Host(2), Host(3))));
        await plane.Engine.UpdateAsync(spec => spec with { Bridges = [spec.Bridges[0] with { Ports = [new() { Port = "c" }, new() { Port = "b" }] }] });
        Assert.Equal("b", plane.Leaves("c", Of(Host(1), Host(3))));
        Assert.Equal([("c", 1, 3L), ("b", 1, 1L)], Assert.Single(plane.Engine.ReadBridges()).Ports.Select(port => (port.Port, port.Addresses, port.Frames)));
        await plane.Engine.UpdateAsync(spec => spec with { Bridges = [] });
        Assert.Empty(plane.Engine.ReadBridges());
        plane.SendForDrop("c", Of(Host(2), Host(3)), DropReason.UnknownEtherType);
    }

    [Fact]
    public async Task Explain_FramesOfABridge_SayWhereTheyGoAndChangeNothing()
    {
        await using TestPlane plane = Create(spec => spec with { Broadcast = 1, Ports = [.. spec.Ports.Select(port => port with { Isolate = port.Port is "a" or "d" })] });
        plane.Leaves("b", Of(Everybody, Host(2)));
        Explanation flooded = plane.Engine.Explain(Of(Everybody, Host(1), vlan: 3), "b");
        ExplainStep step = Assert.Single(flooded.Steps, each => each.Stage == "bridge");
        Assert.Equal(("flood", "to all that b reaches, within its limits: a, c, d"), (step.Outcome, step.Detail));
        Explanation known = plane.Engine.Explain(Of(Host(2), Host(7)), "a");
        Assert.Equal(("b", Verdict.Transmit), (known.OutPort, known.Verdict));
        Assert.Equal(DropReason.BridgeSamePort, plane.Engine.Explain(Of(Host(2), Host(7)), "b").Reason);
        Assert.Single(plane.Engine.ReadBridgeAddresses());
        Assert.Equal([0L, 1L, 0L, 0L], Assert.Single(plane.Engine.ReadBridges()).Ports.Select(port => port.Frames));
    }
}
