using Dataplane.Names;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Switching;
using Dataplane.Tests.Pipeline;
using static Dataplane.Tests.Switching.DhcpClient;
using static Dataplane.Tests.Switching.NetworkPlane;

namespace Dataplane.Tests.Switching;

/// <summary>Endpoints that ask by DHCP hear what they have been given, and from nobody but the engine.</summary>
public sealed class DhcpTests
{
    private const string Own = "10.89.0.2", Gateway = "10.89.0.1";

    private static TestPlane Plane(DhcpSpec? dhcp = null, Func<NetworkSpec, NetworkSpec>? change = null, Action<DataplaneBuilder>? configure = null) =>
        Create(blue => (change ?? (spec => spec))(blue with { Dhcp = dhcp ?? new DhcpSpec() }), configure: configure);

    private static byte[] From(byte kind, params byte[][] options) => Frame("a", Message(kind, MacOf("a"), options: options));

    [Fact]
    public async Task Discover_FromAnEndpoint_IsOfferedItsOwnAddressAndAllOfItsLink()
    {
        await using TestPlane plane = Plane(new DhcpSpec { Lease = TimeSpan.FromSeconds(600), Routes = [new DhcpRouteSpec { To = IpPrefix.Parse("10.16.0.0/12"), Via = IpAddress.Parse("10.89.0.3") }] },
            blue => blue with { Mtu = 1400, Search = ["blue.example", "example"] }, builder => builder.Names(new NameServerSpec { Name = "dns", Addresses = [IpAddress.Parse(Gateway), IpAddress.Parse("fd00:89::1")] }));
        DhcpReply offer = plane.Ask("a", From(Discover, Option(61, 1, 2, 0, 10, 0, 0, 0x61)));
        Assert.Equal((Offer, Own, "0.0.0.0", Gateway, Own), (offer.Kind, offer.Yours, offer.Client, offer.Source, offer.Destination));
        Assert.Equal((MacOf("a").ToString(), MacOf("a")), (offer.TargetMac, offer.Mac));
        Assert.Equal(
            [
                "53:02", "54:0A590001", "51:00000258", "61:0102000A000061", "1:FFFFFF00", "121:0C0A100A590003000A590001", "3:0A590001", "6:0A590001", "15:626C75652E6578616D706C65",
                "26:0578", "28:0A5900FF", "119:04626C7565076578616D706C6500076578616D706C6500",
            ], offer.Options.Select(option => $"{option.Key}:{Convert.ToHexString(option.Value)}"));
    }

    [Theory]
    [InlineData(2)]
    [InlineData(5)]
    public async Task Ask_WithSeveralWorkers_EachEndpointHearsItsOwnAndNobodyElse(int workers)
    {
        await using TestPlane plane = Plane(change: blue => blue with { RouterAdvertisements = null }, configure: builder => builder.Workers(spec => spec with { Count = workers }));
        for (int round = 0; round < 3; round++)
        {
            foreach (string endpoint in new[] { "b", "a" })
            {
                // The answer leaves by the port of who asked, whichever workers the two ports belong to; TestPlane fails when another port says anything.
                string own = AddressOf(endpoint, 4).ToString();
                DhcpReply offer = plane.Ask(endpoint, Frame(endpoint, Message(Discover, MacOf(endpoint)))), ack = plane.Ask(endpoint, Frame(endpoint,
                    Message(Request, MacOf(endpoint), options: [Option(50, [.. own.Split('.').Select(byte.Parse)]), Option(54, 10, 89, 0, 1)])));
                Assert.Equal((Offer, own, Ack, own), (offer.Kind, offer.Yours, ack.Kind, ack.Yours));
            }
        }

        Assert.Equal(12, plane.Engine.ReadAccounting().DroppedFor(DropReason.ConsumedDhcp));
        Assert.Equal([6L, 6L, 0L, 0L], plane.Engine.ReadEndpoints().Select(endpoint => endpoint.DhcpMessages));
    }

    [Fact]
    public async Task Discover_InAnInternalNetwork_IsOfferedNoWayOut()
    {
        await using TestPlane plane = Plane(change: blue => blue with { Internal = true, Dns = [IpAddress.Parse("10.89.0.53"), IpAddress.Parse("fd00:89::53")] });
        DhcpReply offer = plane.Ask("a", From(Discover));
        Assert.Equal(("", "", "0A590035", ""), (offer.Hex(3), offer.Hex(121), offer.Hex(6), offer.Hex(61)));
    }

    [Fact]
    public async Task Discover_ThatCannotTakeUnicast_IsAnsweredToAll()
    {
        await using TestPlane plane = Plane();
        DhcpReply offer = plane.Ask("a", Frame("a", Message(Discover, MacOf("a"), flags: Broadcast)));
        Assert.Equal(("255.255.255.255", MacAddress.Broadcast.ToString(), Broadcast), (offer.Destination, offer.TargetMac, offer.Flags));
    }

    [Theory]
    [InlineData(Own, Gateway, Ack)] // Chosen.
    [InlineData("10.89.0.3", Gateway, Nak)]
    [InlineData(null, Gateway, Nak)]
    [InlineData(Own, null, Ack)] // After a restart.
    [InlineData("192.0.2.7", null, Nak)]
    public async Task Request_OfANewClient_IsAckedForItsOwnAddressOnly(string? requested, string? server, byte answer)
    {
        await using TestPlane plane = Plane();
        byte[][] options = [.. new[] { requested is null ? null : Address(50, requested), server is null ? null : Address(54, server) }.OfType<byte[]>()];
        DhcpReply reply = plane.Ask("a", From(Request, options));
        Assert.Equal((answer, answer == Ack ? Own : "0.0.0.0", answer == Ack ? Own : "255.255.255.255"), (reply.Kind, reply.Yours, reply.Destination));
        Assert.Equal(answer == Ack ? ("00000E10", "FFFFFF00") : ("", ""), (reply.Hex(51), reply.Hex(1)));
        Assert.Equal(1, plane.Engine.ReadEndpoints().Single(endpoint => endpoint.Name == "a").DhcpMessages);
    }

    [Fact]
    public async Task Request_ThatChoosesAnotherServer_IsNotAnswered()
    {
        await using TestPlane plane = Plane();
        Assert.Empty(plane.SendForDrop("a", From(Request, Address(50, Own), Address(54, "10.89.0.3")), DropReason.ConsumedDhcp));
    }

    [Theory]
    [InlineData(Gateway)] // Renewing.
    [InlineData("255.255.255.255")] // Rebinding.
    [InlineData("10.89.0.255")]
    public async Task Request_OfAClientThatUsesItsAddress_IsAckedThere(string destination)
    {
        await using TestPlane plane = Plane();
        DhcpReply reply = plane.Ask("a", Frame("a", Message(Request, MacOf("a"), client: Own), Own, destination));
        Assert.Equal((Ack, Own, Own, Own), (reply.Kind, reply.Yours, reply.Client, reply.Destination));
    }

    [Fact]
    public async Task Inform_FromItsOwnAddress_IsToldEverythingButALease()
    {
        await using TestPlane plane = Plane();
        DhcpReply reply = plane.Ask("a", Frame("a", Message(Inform, MacOf("a"), client: Own), Own, Gateway));
        Assert.Equal((Ack, "0.0.0.0", Own, Own), (reply.Kind, reply.Yours, reply.Client, reply.Destination));
        Assert.Equal(("", "FFFFFF00", "0A590001"), (reply.Hex(51), reply.Hex(1), reply.Hex(3)));
        Assert.Empty(plane.SendForDrop("a", Frame("a", Message(Inform, MacOf("a"), client: "10.89.0.3"), Own, Gateway), DropReason.DhcpInvalid));
    }

    [Theory]
    [InlineData(Release)]
    [InlineData(Decline)]
    public async Task Release_AndDecline_AreTakenInAndChangeNothing(byte kind)
    {
        await using TestPlane plane = Plane();
        Assert.Empty(plane.SendForDrop("a", Frame("a", Message(kind, MacOf("a"), client: Own), Own, Gateway), DropReason.ConsumedDhcp));
        Assert.Equal(Own, plane.Ask("a", From(Discover)).Yours);
    }

    [Fact]
    public async Task Message_WithOptionsInNameAndFile_IsReadInFull()
    {
        await using TestPlane plane = Plane();
        byte[] message = Message(Request, MacOf("a"), options: [Option(52, 3)]);
        Address(50, Own).CopyTo(message, 108);
        Address(54, Gateway).CopyTo(message, 44);
        (message[114], message[50]) = (255, 255);
        Assert.Equal(Ack, plane.Ask("a", Frame("a", message)).Kind);
        message[109] = 200;
        Assert.Empty(plane.SendForDrop("a", Frame("a", message), DropReason.DhcpInvalid));
    }

    [Fact]
    public async Task Message_ThatMakesNoSense_IsDropped()
    {
        await using TestPlane plane = Plane();
        byte[] good = Message(Discover, MacOf("a"));
        byte[] With(int at, byte value)
        {
            byte[] changed = [.. good];
            changed[at] = value;
            return changed;
        }

        byte[][] bad =
        [
            good[..239], good[..242], With(0, 2), With(1, 6), With(2, 16), With(24, 10), With(33, 0x62), With(236, 0), With(241, 2), With(242, 0), With(242, 2), With(242, 9),
            Message(Request, MacOf("a")), Message(Discover, MacOf("a"), options: [Option(61, new byte[65])]), Message(Discover, MacOf("a"), options: [Option(50, 1, 2, 3)]),
            Message(Discover, MacOf("a"), options: [Option(54)]), Message(Discover, MacOf("a"), options: [[12, 200, 1]]),
        ];
        foreach (byte[] message in bad)
        {
            plane.Wait(TimeSpan.FromMilliseconds(100));
            Assert.Empty(plane.SendForDrop("a", Frame("a", message), DropReason.DhcpInvalid));
        }

        byte[] damaged = Frame("a", good);
        damaged[60] ^= 1;
        Assert.Empty(plane.SendForDrop("a", damaged, DropReason.DhcpInvalid));
        Assert.Empty(plane.SendForDrop("a", PacketBuilder.Ethernet(MacOf("a"), MacAddress.Broadcast).Vlan(7).Ipv4("0.0.0.0", "255.255.255.255").Udp(68, 67).Payload(good).Build(), DropReason.DhcpInvalid));
        Assert.Empty(plane.SendForDrop("a", PacketBuilder.Ethernet(MacOf("a"), MacAddress.Broadcast).Ipv4("0.0.0.0", "255.255.255.255").Udp(68, 67).Payload(good).BuildFragments(128)[0],
            DropReason.DhcpInvalid));
    }

    [Fact]
    public async Task Message_OfWhomHasNoAddress_IsSaidToBeSo()
    {
        await using TestPlane plane = Plane(change: blue => blue with { Endpoints = [Endpoint("a") with { Addresses = [AddressOf("a", 6)] }, Endpoint("b")] });
        Assert.Empty(plane.SendForDrop("a", From(Discover), DropReason.DhcpNoAddress));
    }

    [Fact]
    public async Task Message_WithoutDhcp_IsWhatItWas()
    {
        await using TestPlane plane = Create();
        Assert.Empty(plane.SendForDrop("a", From(Discover), DropReason.SpoofedAddress));
        plane.SendForDrop("a", Frame("a", Message(Request, MacOf("a"), client: Own), Own, Gateway), DropReason.LocalUnreachable);
    }

    [Fact]
    public async Task Packet_FromNobodyThatIsNoDhcp_IsDroppedAsBefore()
    {
        await using TestPlane plane = Plane();
        plane.Dies("a", PacketBuilder.Ethernet(MacOf("a"), Blue).Ipv4("0.0.0.0", "198.51.100.2").Udp(68, 68).Payload(Message(Discover, MacOf("a"))), DropReason.SpoofedAddress);
        plane.Dies("a", PacketBuilder.Ethernet(MacOf("a"), Blue).Ipv4("0.0.0.0", "198.51.100.2").Tcp(68, 67), DropReason.SpoofedAddress);
    }

    [Fact]
    public async Task Client_ThatAsksTooOften_IsHeldBackAndOthersAreNot()
    {
        await using TestPlane plane = Plane();
        for (int i = 0; i < 20; i++)
        {
            plane.Ask("a", From(Discover));
        }

        Assert.Empty(plane.SendForDrop("a", From(Discover), DropReason.RateLimited));
        Assert.Equal("10.89.0.3", plane.Ask("b", Frame("b", Message(Discover, MacOf("b")))).Yours);
        plane.Wait(TimeSpan.FromMilliseconds(200));
        plane.Ask("a", From(Discover));
    }

    [Fact]
    public async Task Message_ToAServerOfAnotherLink_IsRouted()
    {
        await using TestPlane plane = Plane();
        plane.Passes("a", Routed("a", "wan", 4).Udp(68, 67), "wan", Arrived("a", "wan", 4).Udp(68, 67));
    }

    [Theory]
    [InlineData("b", true, true)]
    [InlineData("b", false, true)]
    [InlineData("255.255.255.255", true, true)]
    [InlineData("10.89.0.255", true, false)]
    [InlineData("c", true, false)]
    public async Task Answer_FromAnEndpointToAnother_IsDroppedAndCounted(string target, bool isStraight, bool withDhcp)
    {
        await using TestPlane plane = withDhcp ? Plane() : Create();
        string address = target.Length == 1 ? AddressOf(target, 4).ToString() : target;
        MacAddress mac = target == "b" && isStraight ? MacOf("b") : target == "b" || target == "c" ? Blue : MacAddress.Broadcast;
        Assert.Empty(plane.Dies("a", PacketBuilder.Ethernet(MacOf("a"), mac).Ipv4(Own, address).Udp(67, 68).Payload(Message(Ack, MacOf("b"))), DropReason.RogueDhcp));
        Assert.Equal(1, plane.Engine.ReadEndpoints().Single(endpoint => endpoint.Name == "a").Rogue);
    }

    [Fact]
    public async Task Answer_InFragments_IsDropped()
    {
        await using TestPlane plane = Plane();
        byte[][] pieces = [.. Direct("a", "b", 4).Udp(67, 68).Payload(Message(Ack, MacOf("b"))).BuildFragments(128)];
        Assert.Empty(plane.SendForDrop("a", pieces[0], DropReason.RogueDhcp));
    }

    [Fact]
    public async Task Answer_ToAClientOutside_IsRouted()
    {
        await using TestPlane plane = Plane();
        plane.Passes("a", Routed("a", "wan", 4).Udp(67, 68), "wan", Arrived("a", "wan", 4).Udp(67, 68));
    }
}
