using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Dataplane.Balancing;
using Dataplane.Configuration;
using Dataplane.Names;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;
using Dataplane.Tests.Pipeline;

namespace Dataplane.Tests.Names;

/// <summary>Queries in frames: what comes out, and how it is accounted for.</summary>
public sealed class NameStageTests
{
    private static PlainDns Answer(byte[] frame, string client, string server, ushort port = 4000)
    {
        bool isV4 = client.Contains('.', StringComparison.Ordinal);
        int network = 14, udp = network + (isV4 ? 20 : 40);
        Assert.Equal(client, isV4 ? IpAddress.ReadV4(frame.AsSpan(30)).ToString() : IpAddress.ReadV6(frame.AsSpan(38)).ToString());
        Assert.Equal(server, isV4 ? IpAddress.ReadV4(frame.AsSpan(26)).ToString() : IpAddress.ReadV6(frame.AsSpan(22)).ToString());
        Assert.Equal((53, port), (BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(udp)), BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(udp + 2))));
        Assert.Equal(ChecksumStatus.Valid, InternetChecksum.VerifyTransport(frame.AsSpan(network)));
        return PlainDns.Read(frame[(udp + 8)..(udp + BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(udp + 4)))]);
    }

    [Theory]
    [InlineData("198.51.100.1", "198.51.100.2")]
    [InlineData("198.51.100.53", "198.51.100.2")]
    [InlineData("2001:db8:1::1", "2001:db8:1::2")]
    public async Task Query_ToAnAddressOfTheServer_IsAnsweredAndAccountedFor(string server, string client)
    {
        await using TestPlane plane = NameNet.Create();
        PlainDns answer = Answer(plane.SendForOne("wan", NameNet.Frame(PlainDns.Query("wEb.mesh.example", 28), server), "wan"), client, server);
        Assert.Equal("fd00::1", Assert.Single(answer.Answers).Text);
        Accounting accounting = plane.Engine.ReadAccounting();
        Assert.Equal((1L, 1L, 1L, 1L), (accounting.Received, accounting.Originated, accounting.Transmitted, accounting.DroppedFor(DropReason.ConsumedDns)));
        NameServerStatus status = plane.Engine.ReadNames();
        Assert.Equal((1L, 1L), (status.Answered[0], status.Responses));
    }

    [Fact]
    public async Task Query_ByVlanAndThroughARouter_FindsItsWayBack()
    {
        await using TestPlane plane = NameNet.Create(configure: builder => builder.Interface("wan", "192.0.2.1/24", vlan: 7)
            .Route("203.0.113.0/24", "198.51.100.2"));
        byte[] frame = PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv4("203.0.113.9", "198.51.100.1").Udp(4000, 53)
            .Payload(PlainDns.Query("web.mesh.example", 1)).Build();
        Answer(plane.SendForOne("wan", frame, "wan"), "203.0.113.9", "198.51.100.1");
    }

    [Fact]
    public async Task Query_Denied_IsDroppedByTheFilter()
    {
        await using TestPlane plane = NameNet.Create(configure: builder => builder.Filter(filter => filter.Deny(protocol: 17, toPort: "53")));
        Assert.Empty(plane.SendForDrop("wan", NameNet.Frame(PlainDns.Query("web.mesh.example", 1)), DropReason.FilterRule));
    }

    [Fact]
    public async Task Response_ToPort53_IsNotAnsweredWhateverItsPort()
    {
        await using TestPlane plane = NameNet.Create();
        byte[] response = PlainDns.Query("web.mesh.example", 1, flags: 0x8180);
        Assert.Empty(plane.SendForDrop("wan", NameNet.Frame(response, sourcePort: 4000), DropReason.DnsInvalid));

        // From port 53 it may be a response to a translated query; it is for no flow here, and the host's answer is the usual one.
        plane.SendForDrop("wan", NameNet.Frame(response, sourcePort: 53), DropReason.LocalUnreachable);
    }

    /// <summary>Port 0 is none: nobody could be answered there.</summary>
    [Fact]
    public async Task Query_FromPortZero_IsDropped()
    {
        await using TestPlane plane = NameNet.Create();
        Assert.Empty(plane.SendForDrop("wan", NameNet.Frame(PlainDns.Query("web.mesh.example", 1), sourcePort: 0), DropReason.DnsInvalid));
    }

    [Fact]
    public async Task Query_DamagedOnItsWay_IsDropped()
    {
        await using TestPlane plane = NameNet.Create();
        byte[] frame = NameNet.Frame(PlainDns.Query("web.mesh.example", 1));
        frame[^1] ^= 1;
        Assert.Empty(plane.SendForDrop("wan", frame, DropReason.DnsInvalid));
        frame[^1] ^= 1;
        frame[40] = frame[41] = 0; // No checksum (RFC 768).
        plane.SendForOne("wan", frame, "wan");
    }

    [Fact]
    public async Task Query_TooOften_IsDroppedUntilTimeHasPassed()
    {
        await using TestPlane plane = NameNet.Create(NameNet.Spec with { QueriesPerSecond = 20 });
        byte[] frame = NameNet.Frame(PlainDns.Query("web.mesh.example", 1));
        plane.SendForOne("wan", frame, "wan");
        plane.SendForOne("wan", frame, "wan");
        Assert.Empty(plane.SendForDrop("wan", frame, DropReason.DnsRateLimited));
        plane.Wait(TimeSpan.FromMilliseconds(100));
        plane.SendForOne("wan", frame, "wan");
    }

    [Fact]
    public async Task Batch_OfQueries_EachIsAnswered()
    {
        await using TestPlane plane = NameNet.Create();
        for (int i = 0; i < 600; i++)
        {
            Assert.True(plane["wan"].TrySend(NameNet.Frame(PlainDns.Query("web.mesh.example", 1), sourcePort: (ushort)(1000 + i))));
        }

        Assert.Equal(600, plane.Run().Count);
    }

    [Fact]
    public async Task Update_ChangesTheZone_AnswersChangeAndUnchangedServersKeepTheirTables()
    {
        NameServerSpec other = new() { Name = "other", Addresses = [IpAddress.Parse("10.1.0.1")], Zones = [new ZoneSpec { Name = "other.test" }] };
        await using TestPlane plane = NameNet.Create(configure: builder => builder.Names(other));
        NameTable kept = plane.Engine.Workers.Tables!.Names.Servers[1].Table;
        var zone = new ZoneSpec { Name = "mesh.example", Records = [NameNet.A("new.mesh.example", "10.96.0.77")] };
        await plane.Engine.UpdateAsync(spec => spec with { Names = [NameNet.Spec with { Zones = [zone] }, other] });
        PlainDns answer = Answer(plane.SendForOne("wan", NameNet.Frame(PlainDns.Query("new.mesh.example", 1)), "wan"), "198.51.100.2", "198.51.100.1");
        Assert.Equal(["10.96.0.77"], answer.Texts(1));
        Assert.Same(kept, plane.Engine.Workers.Tables!.Names.Servers[1].Table);

        // Another view: what the first knows is not there.
        byte[] frame = PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Ipv4("10.1.0.11", "10.1.0.1").Udp(4000, 53)
            .Payload(PlainDns.Query("new.mesh.example", 1)).Build();
        Assert.Equal(5, Answer(plane.SendForOne("lan", frame, "lan"), "10.1.0.11", "10.1.0.1").Rcode);
    }

    [Fact]
    public async Task Query_ForANameOfOthers_IsAskedUpstreamAndCached()
    {
        using var upstream = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        upstream.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var address = (IPEndPoint)upstream.LocalEndPoint!;
        await using TestPlane plane = NameNet.Create(NameNet.Spec with { Upstreams = [address] });
        foreach (bool isFirst in new[] { true, false })
        {
            IReadOnlyList<(string Port, byte[] Frame)> sent = plane.Send("wan", NameNet.Frame(PlainDns.Query("WWW.example.org", 1)));
            if (isFirst)
            {
                Assert.Empty(sent);
                await AnswerOnceAsync(upstream, "192.0.2.80");
            }

            PlainDns answer = Answer(await ComesAsync(plane, sent), "198.51.100.2", "198.51.100.1");
            Assert.Equal((0x1234, "WWW.example.org.", "192.0.2.80"), (answer.Id, answer.Questions[0].Name, answer.Texts(1)[0]));
        }

        // An alias of ours for a name of others: the same answer, behind the alias. Nothing is asked: the name is known from before.
        IReadOnlyList<(string Port, byte[] Frame)> atOnce = plane.Send("wan", NameNet.Frame(PlainDns.Query("out.mesh.example", 1)));
        if (upstream.Poll(TimeSpan.FromSeconds(2), SelectMode.SelectRead))
        {
            await AnswerOnceAsync(upstream, "192.0.2.80");
        }

        PlainDns alias = Answer(await ComesAsync(plane, atOnce), "198.51.100.2", "198.51.100.1");
        Assert.Equal(["out.mesh.example. www.example.org.", "www.example.org. 192.0.2.80"], alias.Answers.Select(record => $"{record.Name} {record.Text}"));
        Assert.Equal(3, plane.Engine.ReadNames().Forwarded);
    }

    private static async Task AnswerOnceAsync(Socket upstream, string address)
    {
        byte[] query = new byte[512];
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        SocketReceiveFromResult received = await upstream.ReceiveFromAsync(query, new IPEndPoint(IPAddress.Any, 0), patience.Token);
        byte[] record = [0xC0, 12, 0, 1, 0, 1, 0, 0, 1, 0, 0, 4, .. IPAddress.Parse(address).GetAddressBytes()];
        byte[] response = [.. query[..received.ReceivedBytes], .. record];
        response[2] |= 0x80;
        response[7] = 1;
        await upstream.SendToAsync(response, received.RemoteEndPoint);
    }

    /// <summary>The answer: among what has come already, where it was known, or soon.</summary>
    private static async Task<byte[]> ComesAsync(TestPlane plane, IReadOnlyList<(string Port, byte[] Frame)> came)
    {
        for (int tries = 0; tries < 2000; tries++)
        {
            if (came is [{ } sent, ..])
            {
                return sent.Frame;
            }

            await Task.Delay(5);
            came = plane.Run();
        }

        throw new TimeoutException("no response came");
    }

    [Fact]
    public void Validate_WhatIsWrongWithNames_IsSaidWithItsPlace()
    {
        var spec = new DataplaneSpec
        {
            Services = [new ServiceSpec { Name = "dns", Address = IpAddress.Parse("198.51.100.1"), Port = 53, Protocol = IpProtocols.Udp }],
            Names =
            [
                NameNet.Spec with
                {
                    QueriesPerSecond = -1,
                    Upstreams = [new(IPAddress.Parse("198.51.100.1"), 53)],
                    Dns64 = new Dns64Spec { Prefix = IpPrefix.Parse("2001:db8::/95"), Exclude = [IpPrefix.Parse("10.1.2.3/8"), default] },
                    Zones =
                    [
                        new ZoneSpec { Name = "a..b" },
                        new ZoneSpec
                        {
                            Name = "z.test",
                            NegativeTtlSeconds = -1,
                            Records = [NameNet.A("x.y.test", "10.0.0.1"), NameRecord.Cname("a.z.test", "b c"), NameNet.A("a.z.test", "10.0.0.1"), NameRecord.Txt("t.z.test", new string('x', 256))],
                        },
                    ],
                },
                new NameServerSpec { Name = "mesh", Addresses = [IpAddress.Parse("198.51.100.1")] },
            ],
        };
        string[] errors = [.. SpecValidator.Validate(spec).Select(error => error.Path).Where(path => path.StartsWith("names", StringComparison.Ordinal))];
        Assert.Equal(
            [
                "names[0].queries_per_second", "names[0].addresses[0]", "names[0].upstreams[0]", "names[0].dns64.prefix", "names[0].dns64.exclude[0]",
                "names[0].dns64.exclude[1]", "names[0].zones[0].name", "names[0].zones[1].negative_ttl",
                "names[0].zones[1].records[0].name", "names[0].zones[1].records[1].target", "names[0].zones[1].records[2].name", "names[0].zones[1].records[3].text",
                "names[1].name", "names[1].addresses[0]",
            ], errors);
    }
}
