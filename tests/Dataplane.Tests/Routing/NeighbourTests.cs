using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Routing;
using Dataplane.Tests.Pipeline;

namespace Dataplane.Tests.Routing;

/// <summary>ARP and neighbour discovery: asked, answered, learned, aged; packets wait meanwhile.</summary>
public sealed class NeighbourTests
{
    private static byte[] ToServer(string destination, ushort port) => destination.Contains(':', StringComparison.Ordinal)
        ? PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv6("2001:db8:1::2", destination).Udp(port, 7).Build()
        : PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv4("198.51.100.2", destination).Udp(port, 7).Build();

    [Fact]
    public async Task Arp_UnknownNextHop_AsksHoldsAndReleasesInOrder()
    {
        await using TestPlane plane = TestPlane.Create(withNeighbours: false);
        byte[] question = plane.SendForOne("wan", ToServer("10.1.0.11", 1), "lan");
        byte[] expected = PacketBuilder.Ethernet(TestPlane.LanMac, MacAddress.Broadcast).ArpRequest("10.1.0.1", "10.1.0.11").Build();
        Assert.Equal(Convert.ToHexString(expected), Convert.ToHexString(question));
        Assert.Empty(plane.Send("wan", ToServer("10.1.0.11", 2)));
        Assert.Equal(2, plane.Engine.ReadAccounting().Held);

        byte[] answer = PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).ArpReply("10.1.0.11", TestPlane.LanMac.ToString(), "10.1.0.1").Build();
        IReadOnlyList<(string Port, byte[] Frame)> released = plane.Send("lan", answer);
        Assert.Equal([1, 2], released.Select(sent => (sent.Frame[34] << 8) | sent.Frame[35]));
        Assert.All(released, sent => Assert.Equal("lan", sent.Port));
        Assert.Equal(0, plane.Engine.ReadAccounting().Held);
        Assert.Equal(1, plane.Engine.ReadAccounting().DroppedFor(DropReason.ConsumedArp));
        Assert.Equal(NeighbourState.Reachable, Assert.Single(plane.Engine.ReadNeighbours()).State);
    }

    [Fact]
    public async Task Discovery_UnknownNextHop_AsksHoldsAndReleases()
    {
        await using TestPlane plane = TestPlane.Create(withNeighbours: false);
        byte[] question = plane.SendForOne("wan", ToServer("2001:db8:2::11", 1), "lan");
        Assert.Equal("3333FF000011", Convert.ToHexString(question, 0, 6));
        ParsedIcmp solicitation = ParsedIcmp.Read(question);
        Assert.Equal(("2001:db8:2::1", "ff02::1:ff00:11", 135, true), (solicitation.Source, solicitation.Destination, solicitation.Type, solicitation.ChecksumHolds));

        byte[] answer = PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Ipv6("2001:db8:2::11", "2001:db8:2::1", 255)
            .NeighbourAdvertisement(new NeighbourAdvertisementFields
            {
                Target = IpAddress.Parse("2001:db8:2::11"),
                IsSolicited = true,
                IsOverride = true,
                TargetLinkLayerAddress = TestPlane.ServerMac,
            }).Build();
        Assert.Equal("lan", Assert.Single(plane.Send("lan", answer)).Port);
        Assert.Equal(1, plane.Engine.ReadAccounting().DroppedFor(DropReason.ConsumedNeighbourDiscovery));
    }

    [Fact]
    public async Task Arp_NoAnswer_AsksThreeTimesThenAnswersHostUnreachable()
    {
        await using TestPlane plane = TestPlane.Create(withNeighbours: false);
        byte[] fromWan = PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).ArpRequest("198.51.100.2", "198.51.100.1").Build();
        plane.Send("wan", fromWan);
        Assert.Single(plane.Send("wan", ToServer("10.1.0.99", 1)));
        IReadOnlyList<(string Port, byte[] Frame)> sent = plane.Wait(TimeSpan.FromSeconds(5));
        Assert.Equal(2, sent.Count(frame => frame.Port == "lan"));
        ParsedIcmp error = ParsedIcmp.Read(Assert.Single(sent, frame => frame.Port == "wan" && frame.Frame[12] == 8 && frame.Frame[13] == 0).Frame);
        Assert.Equal((3, 1, "198.51.100.2"), (error.Type, error.Code, error.Destination));
        Assert.Equal(1, plane.Engine.ReadAccounting().DroppedFor(DropReason.NeighbourUnresolved));
    }

    [Fact]
    public async Task Arp_RequestForOwnAddress_IsAnsweredAndTeachesTheSender()
    {
        await using TestPlane plane = TestPlane.Create(withNeighbours: false);
        byte[] request = PacketBuilder.Ethernet(TestPlane.ServerMac, MacAddress.Broadcast).ArpRequest("10.1.0.11", "10.1.0.1").Build();
        byte[] reply = plane.SendForOne("lan", request, "lan");
        byte[] expected = PacketBuilder.Ethernet(TestPlane.LanMac, TestPlane.ServerMac).ArpReply("10.1.0.1", TestPlane.ServerMac.ToString(), "10.1.0.11").Build();
        Assert.Equal(Convert.ToHexString(expected), Convert.ToHexString(reply));

        // What it said of itself is used at once, and checked by asking it back.
        IReadOnlyList<(string Port, byte[] Frame)> sent = plane.Send("wan", ToServer("10.1.0.11", 1));
        Assert.Equal(2, sent.Count);
        Assert.Single(sent, frame => frame.Frame[13] == 0 && MacAddress.Read(frame.Frame) == TestPlane.ServerMac);
        Assert.Single(sent, frame => frame.Frame[13] == 6 && MacAddress.Read(frame.Frame) == TestPlane.ServerMac);
    }

    [Theory]
    [InlineData("10.1.0.11", "10.1.0.12", DropReason.NeighbourNotForUs)]
    [InlineData("10.1.0.1", "10.1.0.1", DropReason.BadNeighbourMessage)]
    public async Task Arp_NotForUsOrClaimingOurAddress_IsDropped(string sender, string target, DropReason reason)
    {
        await using TestPlane plane = TestPlane.Create();
        byte[] request = PacketBuilder.Ethernet(TestPlane.ServerMac, MacAddress.Broadcast).ArpRequest(sender, target).Build();
        Assert.Empty(plane.SendForDrop("lan", request, reason));
    }

    /// <summary>A group's hardware address is nobody's: learnt, it would have packets to one host flooded to all.</summary>
    [Fact]
    public async Task Arp_FromAGroupsHardwareAddress_IsDropped()
    {
        await using TestPlane plane = TestPlane.Create(withNeighbours: false);
        byte[] request = PacketBuilder.Ethernet(TestPlane.ServerMac, MacAddress.Broadcast).ArpRequest("10.1.0.11", "10.1.0.1").Build();
        request[22] |= 1;
        Assert.Empty(plane.SendForDrop("lan", request, DropReason.BadNeighbourMessage));
        Assert.Empty(plane.Engine.ReadNeighbours());
    }

    /// <summary>Who asks from an address of another link is answered, and not believed to be here.</summary>
    [Fact]
    public async Task Arp_FromAnAddressOfAnotherLink_IsAnsweredAndNotLearnt()
    {
        await using TestPlane plane = TestPlane.Create(withNeighbours: false);
        plane.SendForOne("lan", PacketBuilder.Ethernet(TestPlane.ServerMac, MacAddress.Broadcast).ArpRequest("192.0.2.9", "10.1.0.1").Build(), "lan");
        Assert.Empty(plane.Engine.ReadNeighbours());
    }

    /// <summary>RFC 4861 7.1.1: who has no address yet has no hardware address to tell either.</summary>
    [Fact]
    public async Task Discovery_SolicitationFromNobodyWithAHardwareAddress_IsRefused()
    {
        await using TestPlane plane = TestPlane.Create(withNeighbours: false);
        byte[] request = PacketBuilder.Ethernet(TestPlane.ServerMac, MacAddress.Parse("33:33:ff:00:00:01")).Ipv6("::", "ff02::1:ff00:1", 255)
            .NeighbourSolicitation(new NeighbourSolicitationFields { Target = IpAddress.Parse("2001:db8:2::1"), SourceLinkLayerAddress = TestPlane.ServerMac }).Build();
        Assert.Empty(plane.SendForDrop("lan", request, DropReason.BadNeighbourMessage));
    }

    /// <summary>RFC 4861 7.2.5: without the override flag an advertisement puts no other hardware address in the place of one that is known.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Discovery_AdvertisementOfAnotherHardwareAddress_CountsOnlyWithTheOverrideFlag(bool overrides)
    {
        await using TestPlane plane = TestPlane.Create(withNeighbours: false);
        MacAddress other = MacAddress.Parse("02:00:00:00:00:77");
        plane.Send("lan", PacketBuilder.Ethernet(TestPlane.ServerMac, MacAddress.Parse("33:33:ff:00:00:01")).Ipv6("2001:db8:2::11", "ff02::1:ff00:1", 255)
            .NeighbourSolicitation(new NeighbourSolicitationFields { Target = IpAddress.Parse("2001:db8:2::1"), SourceLinkLayerAddress = TestPlane.ServerMac }).Build());
        plane.Send("lan", PacketBuilder.Ethernet(other, TestPlane.LanMac).Ipv6("2001:db8:2::11", "2001:db8:2::1", 255).NeighbourAdvertisement(
            new NeighbourAdvertisementFields { Target = IpAddress.Parse("2001:db8:2::11"), IsSolicited = true, IsOverride = overrides, TargetLinkLayerAddress = other }).Build());
        Assert.Equal(overrides ? other : TestPlane.ServerMac, Assert.Single(plane.Engine.ReadNeighbours()).Mac);
    }

    [Fact]
    public async Task Discovery_SolicitationForOwnAddress_IsAnswered()
    {
        await using TestPlane plane = TestPlane.Create(withNeighbours: false);
        byte[] request = PacketBuilder.Ethernet(TestPlane.ServerMac, MacAddress.Parse("33:33:ff:00:00:01")).Ipv6("2001:db8:2::11", "ff02::1:ff00:1", 255)
            .NeighbourSolicitation(new NeighbourSolicitationFields { Target = IpAddress.Parse("2001:db8:2::1"), SourceLinkLayerAddress = TestPlane.ServerMac }).Build();
        byte[] reply = plane.SendForOne("lan", request, "lan");
        ParsedIcmp advertisement = ParsedIcmp.Read(reply);
        Assert.Equal(("2001:db8:2::1", "2001:db8:2::11", 136, true), (advertisement.Source, advertisement.Destination, advertisement.Type, advertisement.ChecksumHolds));
        Assert.Equal(0xE000_0000, advertisement.Rest);
        Assert.Equal(Convert.ToHexString((byte[])[2, 1, 2, 0, 0, 0, 0, 2]), Convert.ToHexString(reply[^8..]));
    }

    [Fact]
    public async Task Discovery_HopLimitNot255_IsRefused()
    {
        await using TestPlane plane = TestPlane.Create();
        byte[] request = PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Ipv6("2001:db8:2::11", "2001:db8:2::1", 254)
            .NeighbourSolicitation(new NeighbourSolicitationFields { Target = IpAddress.Parse("2001:db8:2::1"), SourceLinkLayerAddress = TestPlane.ServerMac }).Build();
        Assert.Empty(plane.SendForDrop("lan", request, DropReason.BadNeighbourMessage));
    }

    [Fact]
    public async Task Queue_MoreThanItsBound_DropsTheRest()
    {
        await using TestPlane plane = TestPlane.Create(withNeighbours: false);
        for (ushort i = 0; i < 20; i++)
        {
            plane.Send("wan", ToServer("10.1.0.77", i));
        }

        Assert.Equal(16, plane.Engine.ReadAccounting().Held);
        Assert.Equal(4, plane.Engine.ReadAccounting().DroppedFor(DropReason.NeighbourQueueFull));
    }

    [Fact]
    public async Task Table_FullOfUnanswered_GivesUpTheOldest()
    {
        await using TestPlane plane = TestPlane.Create(builder => builder.Workers(workers => workers with { NeighbourEntries = 64 }), withNeighbours: false);
        for (int i = 0; i < 100; i++)
        {
            plane.Send("wan", ToServer($"10.1.0.{i + 20}", 1));
            plane.Clock.Advance(TimeSpan.FromMilliseconds(1));
        }

        Assert.Equal(64, plane.Engine.ReadFigures().Neighbours);
        Assert.Equal(36, plane.Engine.ReadAccounting().DroppedFor(DropReason.NeighbourTableFull));
        Assert.Contains(plane.Engine.ReadNeighbours(), neighbour => neighbour.Address == IpAddress.Parse("10.1.0.119"));
    }

    /// <summary>RFC 6583: packets to every address of a link cost the questions their places, not the neighbours that are known.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Table_FloodedWithQuestions_KeepsTheNeighboursThereAre(int family)
    {
        await using TestPlane plane = TestPlane.Create(builder => builder.Workers(workers => workers with { NeighbourEntries = 64 }), withNeighbours: false);
        string prefix = family == 4 ? "10.1.0." : "2001:db8:2::";
        for (int host = 20; host < 60; host++)
        {
            plane.Send("lan", family == 4
                ? PacketBuilder.Ethernet(TestPlane.ServerMac, MacAddress.Broadcast).ArpRequest(prefix + host, "10.1.0.1").Build()
                : PacketBuilder.Ethernet(TestPlane.ServerMac, MacAddress.Parse("33:33:ff:00:00:01")).Ipv6(prefix + host, "ff02::1:ff00:1", 255).NeighbourSolicitation(
                    new NeighbourSolicitationFields { Target = IpAddress.Parse("2001:db8:2::1"), SourceLinkLayerAddress = TestPlane.ServerMac }).Build());
        }

        Assert.Equal(40, plane.Engine.ReadNeighbours().Count(neighbour => neighbour.State == NeighbourState.Stale));
        for (int host = 60; host < 250; host++)
        {
            plane.Send("wan", ToServer(prefix + host, 1));
        }

        Assert.Equal(40, plane.Engine.ReadNeighbours().Count(neighbour => neighbour.State == NeighbourState.Stale));
        Assert.Equal(64, plane.Engine.ReadFigures().Neighbours);
    }

    /// <summary>The chains by state against a plain list, under random changes.</summary>
    [Fact]
    public void Turn_AnyOrder_GivesUpTheOneThatHasBeenStaleLongest()
    {
        var table = new NeighbourTable(64, new Dataplane.Flows.FlowHash(3));
        var random = new Random(1);
        var order = new List<(int Index, NeighbourState State)>();
        for (int step = 0; step < 20_000; step++)
        {
            int turn = random.Next(10);
            if (turn < 3 && table.Count < table.Capacity)
            {
                NeighbourState state = turn == 0 ? NeighbourState.Incomplete : NeighbourState.Stale;
                int added = table.Add((ushort)random.Next(3), 0, IpAddress.FromV6(7, (ulong)step), state, 1, step);
                order.Add((added, state));
            }
            else if (order.Count > 0)
            {
                int at = random.Next(order.Count);
                (int index, _) = order[at];
                order.RemoveAt(at);
                if (turn == 3)
                {
                    table.Remove(index);
                }
                else
                {
                    var state = (NeighbourState)random.Next(1, 6);
                    table.Turn(index, state);
                    order.Add((index, state));
                }
            }

            int[] stale = [.. order.Where(entry => entry.State == NeighbourState.Stale).Select(entry => entry.Index)];
            int[] incomplete = [.. order.Where(entry => entry.State == NeighbourState.Incomplete).Select(entry => entry.Index)];
            int expected = stale.Length == 0 || incomplete.Length > 16 ? incomplete.FirstOrDefault(-1) : stale[0];
            Assert.Equal(expected, table.FindVictim());
        }
    }

    [Fact]
    public async Task Reachable_Aged_IsProbedOnUseWhileStillUsed()
    {
        await using TestPlane plane = TestPlane.Create(withNeighbours: false);
        plane.Send("wan", ToServer("10.1.0.11", 1));
        byte[] answer = PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).ArpReply("10.1.0.11", TestPlane.LanMac.ToString(), "10.1.0.1").Build();
        plane.Send("lan", answer);
        plane.Wait(TimeSpan.FromSeconds(31));
        IReadOnlyList<(string Port, byte[] Frame)> sent = plane.Send("wan", ToServer("10.1.0.11", 2));
        Assert.Contains(sent, frame => frame.Frame[13] == 0 && frame.Frame[35] == 2);
        (_, byte[] probe) = Assert.Single(sent, frame => frame.Frame[13] == 6);
        Assert.Equal(TestPlane.ServerMac, MacAddress.Read(probe));
        plane.Send("lan", answer);
        Assert.Contains(plane.Engine.ReadNeighbours(), neighbour => neighbour.State == NeighbourState.Reachable);
    }
}
