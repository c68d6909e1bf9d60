using Dataplane.Names;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Routing;
using Dataplane.Switching;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Reference;
using static Dataplane.Tests.Switching.NetworkPlane;

namespace Dataplane.Tests.Switching;

/// <summary>Endpoints hear of their router when they ask, from time to time, and from nobody but the engine.</summary>
public sealed class RouterAdvertisementTests
{
    private static readonly IpAddress s_allRouters = IpAddress.Parse("ff02::2"), s_allNodes = IpAddress.Parse("ff02::1");

    /// <summary>A plane whose first advertisements have been sent.</summary>
    private static TestPlane Plane(RouterAdvertisementSpec? spec = null, Func<NetworkSpec, NetworkSpec>? change = null, Action<DataplaneBuilder>? configure = null)
    {
        TestPlane plane = Create(blue => (change ?? (given => given))(blue with { RouterAdvertisements = spec ?? new RouterAdvertisementSpec() }), configure: configure);
        plane.Run();
        return plane;
    }

    private static PacketBuilder Ask(string endpoint, IpAddress source, MacAddress? link) =>
        PacketBuilder.Ethernet(MacOf(endpoint), MacAddress.ForIpv6Multicast(s_allRouters)).Ip(source, s_allRouters, 255).RouterSolicitation(new RouterSolicitationFields { SourceLinkLayerAddress = link });

    private static byte[] Solicit(TestPlane plane, string endpoint = "a") =>
        plane.SendForOne(endpoint, Ask(endpoint, L3Interface.LinkLocalOf(MacOf(endpoint)), MacOf(endpoint)).Build(), endpoint);

    [Fact]
    public async Task Solicitation_IsAnsweredToItsSender()
    {
        await using TestPlane plane = Plane();
        byte[] answer = Solicit(plane);
        byte[] expected = PacketBuilder.Ethernet(Blue, MacOf("a")).Ip(L3Interface.LinkLocalOf(Blue), L3Interface.LinkLocalOf(MacOf("a")), 255).RouterAdvertisement(new RouterAdvertisementFields
        {
            HopLimit = 64,
            LifetimeSeconds = 1800,
            SourceLinkLayerAddress = Blue,
            MtuBytes = 1500,
            Prefix = new NdPrefixInformation { Prefix = IpPrefix.Parse("fd00:89::/64"), OnLink = true, ValidLifetimeSeconds = 2_592_000, PreferredLifetimeSeconds = 604_800 },
        }).Build();
        Same(expected, answer);
    }

    [Fact]
    public async Task Solicitation_FromNoAddress_IsAnsweredAtAllNodes()
    {
        await using TestPlane plane = Plane();
        ReferencePacket seen = ReferenceDecoder.Decode(plane.SendForOne("a", Ask("a", IpAddress.AnyV6, null).Build(), "a"));
        Assert.Equal(("ff02::1", MacAddress.ForIpv6Multicast(s_allNodes).ToString()), (seen.Destination, seen.DestinationMac));
    }

    [Fact]
    public async Task Advertisement_SaysWhatIsConfigured()
    {
        await using TestPlane plane = Plane(new RouterAdvertisementSpec { Interval = TimeSpan.FromSeconds(10), Lifetime = TimeSpan.Zero, Managed = true, Other = true, Autonomous = true },
            blue => blue with { Mtu = 1400, Search = ["blue.example"], Dns = [IpAddress.Parse("fd00:89::53"), IpAddress.Parse("10.89.0.53"), IpAddress.Parse("2001:db8::53")] });
        byte[] message = Solicit(plane)[54..];
        Assert.True(RouterAdvertisementView.TryParse(message, out RouterAdvertisementView view));
        Assert.True(view.TryGetFields(out RouterAdvertisementFields fields));
        Assert.Equal((true, true, (ushort)0, 1400u), (fields.IsManaged, fields.HasOtherConfiguration, fields.LifetimeSeconds, fields.MtuBytes));
        Assert.True(fields.Prefix!.Value.Autonomous && fields.Prefix.Value.OnLink);

        // Two servers for 30 seconds, and one name padded to 24 bytes.
        Assert.EndsWith("1905" + "0000" + "0000001E" + "FD000089000000000000000000000053" + "20010DB8000000000000000000000053"
            + "1F03" + "0000" + "0000001E" + "04626C7565076578616D706C65000000", Convert.ToHexString(message), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Advertisement_NamesTheNameServersOfItsSubnets()
    {
        await using TestPlane plane = Plane(configure: builder => builder
            .Names(new NameServerSpec { Name = "dns", Addresses = [AddressOf("blue", 4), AddressOf("blue", 6)] }).Names(new NameServerSpec { Name = "other", Addresses = [AddressOf("red", 6)] }));
        Assert.EndsWith("1903" + "0000" + "00000708" + "FD000089000000000000000000000001", Convert.ToHexString(Solicit(plane)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Advertisement_OfAnInternalNetwork_OffersNoWayOut()
    {
        await using TestPlane plane = Plane(change: blue => blue with { Internal = true });
        Assert.True(RouterAdvertisementView.TryParse(Solicit(plane).AsSpan(54), out RouterAdvertisementView view));
        Assert.Equal(0, view.LifetimeSeconds);
    }

    [Fact]
    public async Task Solicitation_BeyondTheLimit_IsNotAnswered()
    {
        await using TestPlane plane = Plane();
        for (int i = 0; i < 3; i++)
        {
            Solicit(plane);
        }

        Assert.Empty(plane.Dies("a", Ask("a", AddressOf("a", 6), MacOf("a")), DropReason.RateLimited));
        Solicit(plane, "b");
        plane.Clock.Advance(TimeSpan.FromSeconds(1));
        Solicit(plane);
    }

    [Fact]
    public async Task Solicitation_ThatMakesNoSenseOrLies_IsNotAnswered()
    {
        await using TestPlane plane = Plane();
        Assert.Empty(plane.Dies("a", Ask("a", IpAddress.AnyV6, MacOf("a")), DropReason.BadNeighbourMessage));
        Assert.Empty(plane.Dies("a", Ask("a", AddressOf("a", 6), MacOf("b")), DropReason.SpoofedNeighbour));
        Assert.Empty(plane.Dies("a", PacketBuilder.Ethernet(MacOf("a"), Blue).Ip(AddressOf("a", 6), s_allRouters, 64).RouterSolicitation(default), DropReason.BadNeighbourMessage));
        Assert.Empty(plane.Dies("c", Ask("c", AddressOf("c", 6), MacOf("c")), DropReason.NeighbourNotForUs));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task Engine_ThatEnds_SaysThatItIsNoRouterAnyMore(int workers)
    {
        TestPlane plane = Plane(configure: builder => builder.Workers(spec => spec with { Count = workers }));
        byte[] last = Last(Solicit(plane));
        await plane.Engine.StopAsync();
        foreach (string port in new[] { "a", "b" })
        {
            byte[] frame = Assert.Single(Waiting(plane, port));
            Same(last, frame);
            ReferencePacket seen = ReferenceDecoder.Decode(frame);
            Assert.True(seen.TransportChecksumRight == true);
        }

        Assert.Empty(Waiting(plane, "c"));
        await plane.DisposeAsync();
    }

    [Fact]
    public async Task Update_WithoutAdvertisements_SaysItToThoseWhoWereTold()
    {
        await using TestPlane plane = Plane();
        byte[] last = Last(Solicit(plane));

        // What goes on is said nothing of; neither is what was never a default router.
        await plane.Engine.UpdateAsync(spec => spec with { Networks = [spec.Networks[0] with { Endpoints = [spec.Networks[0].Endpoints[0]] }, spec.Networks[1]] });
        (string port, byte[] frame) = Assert.Single(plane.Run());
        Assert.Equal("b", port);
        Same(last, frame);
        await plane.Engine.UpdateAsync(spec => spec with { Networks = [spec.Networks[0] with { RouterAdvertisements = null }, spec.Networks[1]] });
        (port, frame) = Assert.Single(plane.Run());
        Assert.Equal("a", port);
        Same(last, frame);
        await plane.Engine.UpdateAsync(spec => spec with { Networks = [spec.Networks[0] with { RouterAdvertisements = new RouterAdvertisementSpec { Lifetime = TimeSpan.Zero } }, spec.Networks[1]] });
        Assert.Single(plane.Wait(TimeSpan.FromMilliseconds(100)));
        await plane.Engine.UpdateAsync(spec => spec with { Networks = [spec.Networks[1]] });
        Assert.Empty(plane.Run());
    }

    /// <summary>What an advertisement looks like that says it all again but for the lifetime, to all nodes.</summary>
    private static byte[] Last(byte[] answer)
    {
        byte[] message = answer[54..];
        (message[6], message[7]) = (0, 0);
        Assert.True(RouterAdvertisementView.TryParse(message, out RouterAdvertisementView view));
        Assert.True(view.TryGetFields(out RouterAdvertisementFields fields));
        return PacketBuilder.Ethernet(Blue, MacAddress.ForIpv6Multicast(s_allNodes)).Ip(L3Interface.LinkLocalOf(Blue), s_allNodes, 255).RouterAdvertisement(fields).Build();
    }

    private static List<byte[]> Waiting(TestPlane plane, string port)
    {
        var frames = new List<byte[]>();
        byte[] buffer = new byte[2048];
        while (plane[port].TryReceive(buffer, out int length))
        {
            frames.Add(buffer[..length]);
        }

        return frames;
    }

    [Fact]
    public async Task Advertisements_AreSentFromTimeToTime()
    {
        await using TestPlane plane = Create(blue => blue with { RouterAdvertisements = new RouterAdvertisementSpec { Interval = TimeSpan.FromSeconds(60) } });
        var times = new Dictionary<string, List<int>> { ["a"] = [], ["b"] = [] };
        for (int tenth = 0; tenth < 6000; tenth++)
        {
            plane.Clock.Advance(TimeSpan.FromMilliseconds(100));
            foreach ((string port, byte[] frame) in plane.Run())
            {
                Assert.Equal(("ff02::1", (byte)134), (ReferenceDecoder.Decode(frame).Destination, frame[54]));
                times[port].Add(tenth);
            }
        }

        foreach (List<int> heard in times.Values)
        {
            int[] gaps = [.. heard.Zip(heard.Skip(1), (one, next) => next - one)];
            Assert.True(heard[0] <= 1, $"the first after {heard[0]} tenths of a second");
            Assert.All(gaps[..2], gap => Assert.InRange(gap, 1, 161));
            Assert.All(gaps[2..], gap => Assert.InRange(gap, 199, 601));
            Assert.True(gaps[2..].Distinct().Count() > 3, string.Join(' ', gaps));
        }

        Assert.NotEqual(times["a"], times["b"]);
        Assert.Equal(times["a"].Count, plane.Engine.ReadEndpoints().Single(endpoint => endpoint.Name == "a").RouterAdvertisements);
    }

    [Fact]
    public async Task Advertisements_AfterAChangeOfOthers_GoOnAsTheyWere()
    {
        await using TestPlane plane = Plane(new RouterAdvertisementSpec { Interval = TimeSpan.FromSeconds(1800) });
        plane.Wait(TimeSpan.FromSeconds(40));
        DataplaneSpec spec = plane.Engine.Spec;
        await plane.Engine.UpdateAsync(spec with { Networks = [spec.Networks[0], spec.Networks[1] with { Mtu = 1400 }] });
        Assert.Empty(plane.Wait(TimeSpan.FromSeconds(5)));
        await plane.Engine.UpdateAsync(spec with { Networks = [spec.Networks[0] with { RouterAdvertisements = new RouterAdvertisementSpec { Managed = true } }, spec.Networks[1]] });
        Assert.Equal(["a", "b"], plane.Wait(TimeSpan.FromSeconds(1)).Select(sent => sent.Port).Order());
    }

    [Fact]
    public async Task Address_MadeByTheEndpointItself_IsItsOwnWhereItIsToldToMakeOne()
    {
        IpAddress made = Station.AutonomousOf(IpPrefix.Parse("fd00:89::/64"), MacOf("a"));
        Assert.Equal("fd00:89::aff:fe00:61", made.ToString());
        PacketBuilder packet = PacketBuilder.Ethernet(MacOf("a"), Blue).Ip(made, AddressOf("wan", 6)).Udp(1, 2);
        await using TestPlane plane = Plane(new RouterAdvertisementSpec { Autonomous = true });
        plane.SendForOne("a", packet.Build(), "wan");
        plane.SendForOne("wan", PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ip(AddressOf("wan", 6), made).Udp(1, 2).Build(), "a");
        plane.Dies("b", PacketBuilder.Ethernet(MacOf("b"), Blue).Ip(made, AddressOf("wan", 6)).Udp(1, 2), DropReason.SpoofedAddress);
        await using TestPlane without = Plane();
        without.Dies("a", packet, DropReason.SpoofedAddress);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Advertisement_FromAnEndpoint_IsDroppedAndCounted(bool isAdvertised)
    {
        await using TestPlane plane = isAdvertised ? Plane() : Create();
        IpAddress own = L3Interface.LinkLocalOf(MacOf("a"));
        var lie = new RouterAdvertisementFields { LifetimeSeconds = 1800, SourceLinkLayerAddress = MacOf("a") };
        PacketBuilder[] lies =
        [
            PacketBuilder.Ethernet(MacOf("a"), MacAddress.ForIpv6Multicast(s_allNodes)).Ip(own, s_allNodes, 255).RouterAdvertisement(lie),
            PacketBuilder.Ethernet(MacOf("a"), MacOf("b")).Ip(own, AddressOf("b", 6), 255).RouterAdvertisement(lie),
            PacketBuilder.Ethernet(MacOf("a"), MacOf("b")).Ip(own, AddressOf("b", 6), 255).DestinationOptions().RouterAdvertisement(lie),
            PacketBuilder.Ethernet(MacOf("a"), MacOf("b")).Ip(own, AddressOf("b", 6), 255).NdRedirect(new NdRedirectFields { Target = AddressOf("a", 6), Destination = AddressOf("wan", 6) }),
        ];
        foreach (PacketBuilder packet in lies)
        {
            Assert.Empty(plane.Dies("a", packet, DropReason.RogueRouter));
        }

        Assert.Equal(4, plane.Engine.ReadEndpoints().Single(endpoint => endpoint.Name == "a").Rogue);
    }

    [Fact]
    public async Task Advertisement_FromAnEndpointInFragments_IsDropped()
    {
        await using TestPlane plane = Plane();
        byte[] first = PacketBuilder.Ethernet(MacOf("a"), MacOf("b")).Ip(AddressOf("a", 6), AddressOf("b", 6), 255).Fragment(0, moreFragments: true, 7)
            .RouterAdvertisement(new RouterAdvertisementFields { LifetimeSeconds = 1800 }).Build();
        Assert.Empty(plane.SendForDrop("a", first, DropReason.BadNeighbourMessage));

        // The message behind the first fragment (RFC 7113 2): a first fragment without its header is none (RFC 7112).
        byte[] hidden = PacketBuilder.Ethernet(MacOf("a"), MacOf("b")).Ip(AddressOf("a", 6), AddressOf("b", 6), 255).Fragment(0, moreFragments: true, 8)
            .Carrying(IpProtocols.DestinationOptions).Payload([IpProtocols.Icmpv6, 0, 1, 4, 0, 0, 0, 0]).Build();
        Assert.Empty(plane.Send("a", hidden));
    }
}
