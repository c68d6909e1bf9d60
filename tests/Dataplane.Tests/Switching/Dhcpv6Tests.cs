using System.Buffers.Binary;
using Dataplane.Names;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Switching;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Reference;
using Dataplane.Tests.Support;
using static Dataplane.Tests.Switching.NetworkPlane;

namespace Dataplane.Tests.Switching;

/// <summary>Endpoints that ask by DHCPv6 hear what they have been given. Messages are written and read here from RFC 8415, by no code of the engine's.</summary>
[Collection(AllocationCollection.Name)]
public sealed class Dhcpv6Tests
{
    private const byte Solicit = 1, Advertise = 2, Request = 3, Confirm = 4, Renew = 5, Rebind = 6, Reply = 7, Release = 8, Decline = 9, Information = 11;
    private const string OwnLink = "fe80::aff:fe00:61", Servers = "ff02::1:2", ClientId = "000300010200AABBCCDD", Own = "FD000089000000000000000000000002", Foreign = "FD000089000000000000000000000077";

    private static string ServerId => $"00030001{Convert.ToHexString(MacBytes())}";

    private static TestPlane Plane(Action<DataplaneBuilder>? configure = null, Func<NetworkSpec, NetworkSpec>? change = null) =>
        Create(blue => (change ?? (spec => spec))(blue with { Dhcp = new DhcpSpec { Lease = TimeSpan.FromSeconds(600) } }), configure: configure);

    [Fact]
    public async Task Solicit_FromAnEndpoint_IsAdvertisedItsOwnAddressAndNames()
    {
        await using TestPlane plane = Plane(builder => builder.Names(new NameServerSpec { Name = "dns", Addresses = [IpAddress.Parse("10.89.0.1"), IpAddress.Parse("fd00:89::1")] }),
            blue => blue with { Search = ["blue.example"] });
        Answer answer = Ask(plane, Solicit, Option(1, ClientId), Association(7), Option(6, "00170018"), Option(8, "0000"));
        Assert.Equal(Advertise, answer.Kind);
        Assert.Equal(
            [$"1:{ClientId}", $"2:{ServerId}", $"3:{7:X8}{300:X8}{480:X8}00050018{Own}{600:X8}{600:X8}", "23:FD000089000000000000000000000001", "24:04626C7565076578616D706C6500"], answer.Options);
        Assert.Equal(1, plane.Engine.ReadAccounting().DroppedFor(DropReason.ConsumedDhcp));
        Assert.Equal(1, plane.Engine.ReadEndpoints()[0].DhcpMessages);
    }

    [Theory]
    [InlineData(Request, true)]
    [InlineData(Renew, true)]
    [InlineData(Rebind, false)]
    public async Task Ask_ForAnAddress_TheOwnIsGivenAndAnotherIsTakenAway(byte kind, bool namesServer)
    {
        await using TestPlane plane = Plane();
        byte[][] common = [Option(1, ClientId), .. namesServer ? [Option(2, ServerId)] : Array.Empty<byte[]>()];
        Answer answer = Ask(plane, kind, [.. common, Association(1, Own), Association(2)]);
        string lease = $"{600:X8}{600:X8}", own = $"{1:X8}{300:X8}{480:X8}00050018{Own}{lease}", none = $"{2:X8}{0:X8}{0:X8}000D0002{(kind == Request ? 2 : 3):X4}";
        Assert.Equal((Reply, $"3:{own}|3:{none}"), (answer.Kind, string.Join('|', answer.Options.Where(option => option.StartsWith("3:", StringComparison.Ordinal)))));

        answer = Ask(plane, kind, [.. common, Association(1, Foreign)]);
        Assert.Equal($"3:{own}{(kind == Request ? "" : $"00050018{Foreign}{0:X8}{0:X8}")}", Assert.Single(answer.Options, option => option.StartsWith("3:", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData(Confirm, Own, 0)]
    [InlineData(Confirm, Foreign, 4)]
    [InlineData(Release, Own, 0)]
    [InlineData(Decline, Own, 0)]
    public async Task Ask_WhetherAndWithout_IsAnsweredByAStatus(byte kind, string address, int status)
    {
        await using TestPlane plane = Plane();
        Answer answer = Ask(plane, kind, [Option(1, ClientId), .. kind == Confirm ? Array.Empty<byte[]>() : [Option(2, ServerId)], Association(1, address)]);
        Assert.Equal((Reply, $"1:{ClientId}|2:{ServerId}|13:{status:X4}"), (answer.Kind, string.Join('|', answer.Options)));
    }

    [Fact]
    public async Task Solicit_InANetworkWithoutIpv4_IsAnswered()
    {
        await using TestPlane plane = Plane(change: blue => blue with
        {
            Subnets = [.. blue.Subnets.Where(subnet => subnet.Address.IsIpv6)],
            Gateways = [.. blue.Gateways.Where(gateway => gateway.IsIpv6)],
            Endpoints = [.. blue.Endpoints.Select(endpoint => endpoint with { Addresses = [.. endpoint.Addresses.Where(address => address.IsIpv6)] })],
        });
        Answer answer = Ask(plane, Solicit, Option(1, ClientId), Association(7));
        Assert.Equal((Advertise, $"3:{7:X8}{300:X8}{480:X8}00050018{Own}{600:X8}{600:X8}"), (answer.Kind, Assert.Single(answer.Options, option => option.StartsWith("3:", StringComparison.Ordinal))));
    }

    [Fact]
    public async Task InformationRequest_WithAndWithoutAClient_IsToldNamesAndNoAddress()
    {
        await using TestPlane plane = Plane(change: blue => blue with { Dns = [IpAddress.Parse("fd00:89::53")], Internal = true });
        Assert.Equal([$"2:{ServerId}", "23:FD000089000000000000000000000053"], Ask(plane, Information).Options);
        Assert.Equal([$"1:{ClientId}", $"2:{ServerId}", "23:FD000089000000000000000000000053"], Ask(plane, Information, Option(1, ClientId), Option(2, ServerId)).Options);
    }

    [Fact]
    public async Task Messages_ForAnotherServerOrAboutNothing_AreTakenInAndNotAnswered()
    {
        await using TestPlane plane = Plane();
        Assert.Empty(plane.SendForDrop("a", Frame(Request, Option(1, ClientId), Option(2, "000300010200000000EE"), Association(1)), DropReason.ConsumedDhcp));
        Assert.Empty(plane.SendForDrop("a", Frame(Information, Option(2, "000300010200000000EE")), DropReason.ConsumedDhcp));
        Assert.Empty(plane.SendForDrop("a", Frame(Confirm, Option(1, ClientId)), DropReason.ConsumedDhcp));
    }

    [Fact]
    public async Task Messages_ThatMakeNoSense_AreInvalid()
    {
        await using TestPlane plane = Plane();
        byte[][] wrong =
        [
            Frame(Solicit, Association(1)), Frame(Solicit, Option(1, ClientId), Option(2, ServerId)), Frame(Request, Option(1, ClientId)), Frame(Information, Association(1)), Frame(12), Frame(Advertise, Option(1, ClientId)),
            Frame(Solicit, Option(1, ClientId), Option(1, ClientId)), Frame(Solicit, Option(1, "0001")), Frame(Solicit, Option(1, new string('A', 262))), Frame(Solicit, Option(1, ClientId), Option(3, "00000001")),
            Frame(Solicit, Option(1, ClientId), Option(3, $"{new string('0', 24)}00050004AABBCCDD")), Frame(Solicit, Option(1, ClientId), [0, 3, 0, 40, 1]), Frame(Solicit, Option(1, ClientId), [0]),
        ];
        foreach (byte[] frame in wrong)
        {
            Assert.Empty(plane.SendForDrop("a", frame, DropReason.DhcpInvalid));
            plane.Clock.Advance(TimeSpan.FromSeconds(1));
        }

        byte[] damaged = Frame(Solicit, Option(1, ClientId));
        damaged[^1] ^= 1;
        Assert.Empty(plane.SendForDrop("a", damaged, DropReason.DhcpInvalid));
    }

    [Fact]
    public async Task Messages_OfAnyBytes_NeverThrowAndAreAccountedFor()
    {
        await using TestPlane plane = Plane();
        var random = new Random(7);
        byte[] good = Message(Renew, Option(1, ClientId), Option(2, ServerId), Association(1, Own, Foreign), Association(2), Option(6, "0017"));
        for (int i = 0; i < 5000; i++)
        {
            byte[] message = [.. good[..(random.Next(2) == 0 ? good.Length : random.Next(good.Length))]];
            for (int change = random.Next(4); change > 0 && message.Length > 0; change--)
            {
                message[random.Next(message.Length)] = (byte)random.Next(256);
            }

            plane.Send("a", Frame(message));
            plane.Clock.Advance(TimeSpan.FromSeconds(1));
        }

        Telemetry.Accounting accounting = plane.Engine.ReadAccounting();
        Assert.True(accounting.IsBalanced && accounting.Received == 5000, accounting.ToString());
        Assert.True(accounting.DroppedFor(DropReason.DhcpInvalid) > 500 && accounting.DroppedFor(DropReason.ConsumedDhcp) > 500, accounting.ToString());
    }

    [Fact]
    public async Task Ask_TooOftenOrWhereNobodyAnswers_IsDropped()
    {
        await using TestPlane plane = Plane();
        for (int i = 0; i < 20; i++)
        {
            Ask(plane, Information);
        }

        Assert.Empty(plane.SendForDrop("a", Frame(Information), DropReason.RateLimited));
        await using TestPlane silent = Create();
        Assert.Empty(silent.SendForDrop("a", Frame(Information), DropReason.Multicast));
    }

    [Theory]
    [InlineData("ff02::1", true)]
    [InlineData("fe80::aff:fe00:62", true)]
    [InlineData("fd00:89::3", true)]
    [InlineData("2001:db8:1::2", false)]
    public async Task Answer_OfAnEndpoint_ReachesNoClientHere(string to, bool isRogue)
    {
        await using TestPlane plane = Create();
        MacAddress target = to.StartsWith("ff", StringComparison.Ordinal) ? MacAddress.ForIpv6Multicast(IpAddress.Parse(to)) : isRogue ? MacOf("b") : GatewayOf("a");
        byte[] frame = PacketBuilder.Ethernet(MacOf("a"), target).Ip(AddressOf("a", 6), IpAddress.Parse(to), 64).Udp(547, 546).Payload([Reply, 1, 2, 3]).Build();
        Assert.Equal(isRogue ? 0 : 1, plane.Send("a", frame).Count);
        Assert.Equal(isRogue ? 1 : 0, plane.Engine.ReadAccounting().DroppedFor(DropReason.RogueDhcp));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Advertisements_OfANetworkThatAnswers_SaySo(bool answers)
    {
        await using TestPlane plane = Create(blue => blue with { Dhcp = answers ? new DhcpSpec() : null, RouterAdvertisements = new RouterAdvertisementSpec() });
        (string port, byte[] heard) = plane.Send("a", PacketBuilder.Ethernet(MacOf("a"), MacAddress.ForIpv6Multicast(IpAddress.Parse("ff02::2"))).Ip(AddressOf("a", 6), IpAddress.Parse("ff02::2"), 255)
            .RouterSolicitation(new RouterSolicitationFields { SourceLinkLayerAddress = MacOf("a") }).Build())[0];
        Assert.Equal("a", port);
        Assert.Equal(answers ? 0xC0 : 0, heard[14 + 40 + 5]);
    }

    [Fact]
    public async Task Worker_ThatAnswers_AllocatesNothing()
    {
        await using TestPlane plane = Plane();
        byte[][] frames = [Frame(Solicit, Option(1, ClientId), Association(1)), Frame(Renew, Option(1, ClientId), Option(2, ServerId), Association(1, Foreign)), Frame(Information), Frame(Solicit)];
        byte[] buffer = new byte[2048];
        var meter = new AllocationMeter();
        int heard = 0;
        for (int round = -2000; round < 3000; round++)
        {
            plane.Clock.Advance(TimeSpan.FromSeconds(1));
            Array.ForEach(frames, frame => plane["a"].TrySend(frame));
            meter.Open();
            while (plane.Engine.RunOnce() > 0)
            {
            }

            meter.Close(counts: round >= 0);
            while (plane["a"].TryReceive(buffer, out _))
            {
                heard++;
            }
        }

        meter.AssertNone();
        Assert.Equal(5000 * 3, heard);
    }

    private sealed record Answer(byte Kind, string[] Options);

    private static byte[] MacBytes()
    {
        byte[] bytes = new byte[6];
        Blue.Write(bytes);
        return bytes;
    }

    private static Answer Ask(TestPlane plane, byte kind, params byte[][] options)
    {
        byte[] frame = plane.SendForOne("a", Frame(kind, options), "a");
        ReferencePacket packet = ReferenceDecoder.Decode(frame);
        Assert.Equal((547, 546, OwnLink, MacOf("a").ToString()), (packet.SourcePort, packet.DestinationPort, packet.Destination, packet.DestinationMac));
        Assert.Equal(0xFFFF, ChecksumOf(frame));
        byte[] message = frame[(14 + 40 + 8)..];
        Assert.Equal([0x12, 0x34, 0x56], message[1..4]);
        var heard = new List<string>();
        for (int at = 4; at < message.Length;)
        {
            int length = BinaryPrimitives.ReadUInt16BigEndian(message.AsSpan(at + 2));
            heard.Add($"{BinaryPrimitives.ReadUInt16BigEndian(message.AsSpan(at))}:{Convert.ToHexString(message, at + 4, length)}");
            at += 4 + length;
        }

        return new Answer(message[0], [.. heard]);
    }

    /// <summary>The sum over pseudo-header and datagram, which is all ones where it is right.</summary>
    private static int ChecksumOf(byte[] frame)
    {
        byte[] datagram = frame[54..];
        byte[] all = [.. frame[22..54], 0, 0, (byte)(datagram.Length >> 8), (byte)datagram.Length, 0, 0, 0, 17, .. datagram, .. new byte[datagram.Length % 2]];
        long sum = Enumerable.Range(0, all.Length / 2).Sum(i => (long)((all[2 * i] << 8) | all[(2 * i) + 1]));
        while (sum > 0xFFFF)
        {
            sum = (sum & 0xFFFF) + (sum >> 16);
        }

        return (int)sum;
    }

    private static byte[] Frame(byte kind, params byte[][] options) => Frame(Message(kind, options));

    private static byte[] Frame(byte[] message) => PacketBuilder.Ethernet(MacOf("a"), MacAddress.ForIpv6Multicast(IpAddress.Parse(Servers)))
        .Ip(IpAddress.Parse(OwnLink), IpAddress.Parse(Servers), 1).Udp(546, 547).Payload(message).Build();

    private static byte[] Message(byte kind, params byte[][] options) => [kind, 0x12, 0x34, 0x56, .. options.SelectMany(option => option)];

    private static byte[] Option(int code, string hex) => [(byte)(code >> 8), (byte)code, (byte)(hex.Length / 2 >> 8), (byte)(hex.Length / 2), .. Convert.FromHexString(hex)];

    private static byte[] Association(int number, params string[] addresses) =>
        Option(3, $"{number:X8}{0:X8}{0:X8}{string.Concat(addresses.Select(address => $"00050018{address}{0:X8}{0:X8}"))}");
}
