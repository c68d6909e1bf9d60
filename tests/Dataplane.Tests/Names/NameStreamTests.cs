using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Dataplane.Names;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Tests.Pipeline;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Names;

/// <summary>DNS over TCP on the packet path: every answer is retrievable, whatever the network does, and nobody can hold more than his share.</summary>
public sealed class NameStreamTests
{
    private const int Hosts = 2000;

    /// <summary>2,000 addresses: 56 kB of answer.</summary>
    private static readonly NameServerSpec s_spec = NameNet.Spec with
    {
        Zones =
        [
            .. NameNet.Spec.Zones,
            new ZoneSpec
            {
                Name = "large.test",
                Records = [.. Enumerable.Range(0, Hosts).Select(host => NameNet.A("all.large.test", string.Create(CultureInfo.InvariantCulture, $"fd00::{host:x}")))],
            },
        ],
    };

    private static TestPlane Create(Action<DataplaneBuilder>? configure = null) => NameNet.Create(s_spec, configure);

    private static byte[] Query(string name, int type = 28) => PlainTcp.Framed(PlainDns.Query(name, type));

    [Theory]
    [InlineData(true, 1460)]
    [InlineData(false, 1440)]
    [InlineData(true, 536)]
    [InlineData(true, 0)]
    public async Task Answer_ThatDidNotFitADatagram_ComesWhole(bool isV4, int most)
    {
        await using TestPlane plane = Create();
        byte[] datagram = NameNet.Frame(PlainDns.Query("all.large.test", 28), isV4 ? "198.51.100.1" : "2001:db8:1::1");
        byte[] cut = plane.SendForOne("wan", datagram, "wan");
        Assert.NotEqual(0, cut[(isV4 ? 42 : 62) + 2] & 2);

        PlainTcp client = new PlainTcp(plane, isV4, most: most == 0 ? null : (ushort)most).Connect();
        client.Say(Query("all.large.test"));
        PlainDns answer = Assert.Single(client.Messages());
        Assert.False(answer.Truncated);
        Assert.Equal(Hosts, answer.Texts(28).Distinct().Count());

        // The client ends, the server does too, and nothing is left.
        client.Say([], TcpFlags.Fin | TcpFlags.Ack);
        Assert.True(client is { HasServerEnded: true, WasReset: false });
        Assert.Empty(client.Wait(20));
        NameServerStatus status = plane.Engine.ReadNames();
        Assert.Equal((1L, 0L, 2L), (status.Connections, status.ConnectionsReset, status.Answered[0]));
    }

    [Fact]
    public async Task Greeting_SaysWhatFits_AndIsForgotten()
    {
        await using TestPlane plane = Create();
        for (ushort port = 1; port < 500; port++)
        {
            PlainTcp.Segment greeting = Assert.Single(new PlainTcp(plane, isV4: port % 2 == 0, port).Send(TcpFlags.Syn, 7, []));
            Assert.Equal((8u, port % 2 == 0 ? 1460 : 1440, 1026), (greeting.Acknowledged, greeting.Most!.Value, greeting.Window));
        }

        Assert.Equal(0, plane.Engine.ReadNames().Connections);
        Assert.Empty(plane.Wait(TimeSpan.FromSeconds(30)));
    }

    [Fact]
    public async Task Queries_SeveralAtOnceAndInPieces_AreAnsweredInOrder()
    {
        await using TestPlane plane = Create();
        PlainTcp client = new PlainTcp(plane, isV4: true).Connect();
        byte[] all = PlainTcp.Framed(PlainDns.Query("web.mesh.example", 28), PlainDns.Query("many.mesh.example", 1), PlainDns.Query("nowhere.mesh.example", 1));
        client.Say([.. all, .. all[..10]]);
        Assert.Equal([1, 100, 0], client.Messages().Select(message => message.Answers.Count));
        for (int at = 10; at < all.Length; at++)
        {
            client.Say([all[at]]);
        }

        Assert.Equal([0, 0, 3, 0, 0, 3], client.Messages().Select(message => message.Rcode));
    }

    [Fact]
    public async Task Query_BehindAGap_WaitsForIt()
    {
        await using TestPlane plane = Create();
        PlainTcp client = new PlainTcp(plane, isV4: false).Connect();
        byte[] query = Query("web.mesh.example");
        client.Say(query[..5]);
        PlainTcp.Segment[] came = client.Send(TcpFlags.Ack, client.Next + 5, query[10..]);
        Assert.Equal(client.Next, Assert.Single(came).Acknowledged);
        client.Say(query[5..]);
        Assert.Single(client.Messages());

        // An old segment that comes late is acknowledged, and not heard again.
        Assert.Equal(client.Next, Assert.Single(client.Send(TcpFlags.Ack, client.Next - (uint)query.Length, query)).Acknowledged);
        Assert.Single(client.Messages());
    }

    [Fact]
    public async Task Response_ThatIsLost_IsRepeatedSlowerAndThenGivenUp()
    {
        await using TestPlane plane = Create();
        PlainTcp client = new PlainTcp(plane, isV4: true).Connect();
        Assert.Equal(10, client.Send(TcpFlags.Ack | TcpFlags.Psh, client.Next, Query("all.large.test")).Length);
        client.Next += (uint)Query("all.large.test").Length;
        Assert.Empty(client.Wait(0.8));
        PlainTcp.Segment[] again = client.Wait(0.4);
        Assert.Equal((1, client.Expected), (again.Length, again[0].Sequence));
        client.Hear(again);
        Assert.Equal(Hosts, Assert.Single(client.Messages()).Answers.Count);

        client.Send(TcpFlags.Ack | TcpFlags.Psh, client.Next, Query("web.mesh.example"));
        PlainTcp.Segment[] rest = client.Wait(60);
        Assert.Equal(5, rest.Length);
        Assert.Equal(TcpFlags.Rst | TcpFlags.Ack, rest[^1].Flags);
        Assert.Equal(1, plane.Engine.ReadNames().ConnectionsReset);
    }

    [Fact]
    public async Task Window_OfTheClient_IsKept()
    {
        await using TestPlane plane = Create();
        PlainTcp client = new PlainTcp(plane, isV4: true, window: 100).Connect();
        PlainTcp.Segment[] came = client.Send(TcpFlags.Ack, client.Next, Query("many.mesh.example", 1));
        Assert.Equal(100, came.Sum(segment => segment.Data.Length));
        client.Next += (uint)Query("many.mesh.example", 1).Length;
        client.Hear(came);
        Assert.Equal(100, Assert.Single(client.Messages()).Answers.Count);

        // A window that is closed is asked again by one byte at a time.
        PlainTcp closed = new PlainTcp(plane, isV4: true, port: 4001, window: 0).Connect();
        Assert.DoesNotContain(closed.Send(TcpFlags.Ack, closed.Next, Query("many.mesh.example", 1)), segment => segment.Data.Length > 0);
        Assert.Single(Assert.Single(closed.Wait(1.2)).Data);
    }

    [Fact]
    public async Task Client_ThatIsSilent_IsEnded()
    {
        await using TestPlane plane = Create();
        PlainTcp client = new PlainTcp(plane, isV4: true).Connect();
        client.Say(Query("web.mesh.example"));
        Assert.Empty(client.Wait(9.5));
        client.Hear(client.Wait(1));
        Assert.True(client is { HasServerEnded: true, WasReset: false });

        // There is nothing of it any more.
        client.Say(Query("web.mesh.example"));
        Assert.True(client.WasReset);
    }

    [Fact]
    public async Task Client_ThatHasSaidAll_IsAnsweredAndEnded()
    {
        await using TestPlane plane = Create();
        PlainTcp client = new PlainTcp(plane, isV4: false).Connect();
        client.Say([.. Query("web.mesh.example"), .. Query("all.large.test")], TcpFlags.Ack | TcpFlags.Fin);
        Assert.Equal([1, Hosts], client.Messages().Select(message => message.Answers.Count));
        Assert.True(client is { HasServerEnded: true, WasReset: false });

        PlainTcp silent = new PlainTcp(plane, isV4: false, port: 4001).Connect();
        silent.Say([], TcpFlags.Ack | TcpFlags.Fin);
        Assert.True(silent is { HasServerEnded: true, WasReset: false });
        Assert.Empty(plane.Wait(TimeSpan.FromSeconds(20)));
    }

    [Fact]
    public async Task Segment_OfNoConnection_IsReset()
    {
        await using TestPlane plane = Create();
        var stranger = new PlainTcp(plane, isV4: true) { Expected = 12345 };
        PlainTcp.Segment reset = Assert.Single(stranger.Send(TcpFlags.Ack, 1, Query("web.mesh.example")));
        Assert.Equal((TcpFlags.Rst, 12345u), (reset.Flags, reset.Sequence));
        Assert.Empty(stranger.Send(TcpFlags.Ack, 1, []));
        Assert.Empty(stranger.Send(TcpFlags.Rst | TcpFlags.Ack, 1, []));
        Assert.Empty(stranger.Send(TcpFlags.None, 1, Query("web.mesh.example")));

        // Too late: what was given out two minutes ago proves nothing.
        PlainTcp late = new PlainTcp(plane, isV4: true, port: 4001).Connect();
        plane.Clock.Advance(TimeSpan.FromSeconds(150));
        late.Say(Query("web.mesh.example"));
        Assert.True(late.WasReset);
        Assert.Equal(0, plane.Engine.ReadNames().Connections);
    }

    [Fact]
    public async Task Segment_ThatCannotBeOfTheConnection_IsChallenged()
    {
        await using TestPlane plane = Create();
        PlainTcp client = new PlainTcp(plane, isV4: true).Connect();
        client.Say(Query("web.mesh.example"));
        foreach (byte[] frame in new[] { client.Frame(TcpFlags.Syn, 99, 0, []), client.Frame(TcpFlags.Ack, client.Next, client.Expected + 500, [1]) })
        {
            Assert.Single(plane.Send("wan", frame));
        }

        Assert.Empty(plane.Send("wan", client.Frame(TcpFlags.Rst, client.Next + 1, 0, [])));
        client.Say(Query("web.mesh.example"));
        Assert.Equal(2, client.Messages().Count);
        Assert.Empty(plane.Send("wan", client.Frame(TcpFlags.Rst, client.Next, 0, [])));
        client.Say(Query("web.mesh.example"));
        Assert.True(client.WasReset);
    }

    [Fact]
    public async Task What_IsNoQuery_IsReset()
    {
        await using TestPlane plane = Create();
        foreach ((ushort port, byte[] data) in new (ushort, byte[])[]
        {
            (1, [0, 1, 0]), (2, [0xFF, 0xFF, 0]), (3, "GET / HTTP/1.1\r\n\r\n"u8.ToArray()), (4, PlainTcp.Framed(PlainDns.Query("web.mesh.example", 1, flags: 0x8180))),
        })
        {
            PlainTcp client = new PlainTcp(plane, isV4: true, port).Connect();
            client.Say(data);
            Assert.True(client.WasReset);
        }

        byte[] damaged = new PlainTcp(plane, isV4: true).Frame(TcpFlags.Syn, 1, 0, []);
        damaged[^1] ^= 1;
        plane.SendForDrop("wan", damaged, DropReason.DnsInvalid);
        Assert.Equal(4, plane.Engine.ReadNames().ConnectionsReset);
    }

    [Fact]
    public async Task Places_AreBounded_PerSourceAndInAll()
    {
        await using TestPlane plane = Create(builder => builder.Route("203.0.113.0/24", "198.51.100.2"));
        PlainTcp[] own = [.. Enumerable.Range(1, NameStreams.PerSource + 1).Select(port => new PlainTcp(plane, isV4: true, (ushort)port).Connect())];
        foreach (PlainTcp client in own)
        {
            plane.Clock.Advance(TimeSpan.FromMilliseconds(1));
            client.Say(Query("web.mesh.example"));
            Assert.Single(client.Messages());
        }

        // The first of this source had to give way; others go on.
        own[0].Say(Query("web.mesh.example"));
        own[2].Say(Query("web.mesh.example"));
        Assert.True(own[0].WasReset);
        Assert.Equal((2, false), (own[2].Messages().Count, own[2].WasReset));
        foreach (int host in Enumerable.Range(1, 100))
        {
            PlainTcp other = new PlainTcp(plane, isV4: true, from: string.Create(CultureInfo.InvariantCulture, $"203.0.113.{host}")).Connect();
            other.Say(Query("web.mesh.example"));
            Assert.Single(other.Messages());
        }

        Assert.Equal((NameStreams.PerSource + 1 + 100, NameStreams.PerSource + 1 + 100 - NameStreams.Places), ((int)plane.Engine.ReadNames().Connections, (int)plane.Engine.ReadNames().ConnectionsReset));
    }

    /// <summary>Anybody has as many addresses as he likes in his /64.</summary>
    [Fact]
    public async Task Places_OfANetworkOfIpv6_AreThoseOfOneSource()
    {
        await using TestPlane plane = Create(builder => builder.Route("2001:db8:9::/64", "2001:db8:1::2"));
        PlainTcp[] own = [.. Enumerable.Range(1, NameStreams.PerSource + 1)
            .Select(host => new PlainTcp(plane, isV4: false, from: string.Create(CultureInfo.InvariantCulture, $"2001:db8:9::{host:x}")).Connect())];
        foreach (PlainTcp client in own)
        {
            plane.Clock.Advance(TimeSpan.FromMilliseconds(1));
            client.Say(Query("web.mesh.example"));
        }

        own[0].Say(Query("web.mesh.example"));
        Assert.True(own[0].WasReset);
    }

    /// <summary>Whoever holds all places and takes no answer in gives way to one that asks after a while.</summary>
    [Fact]
    public async Task Places_HeldByClientsThatTakeNothingIn_AreGivenToOthers()
    {
        await using TestPlane plane = Create(builder => builder.Route("203.0.113.0/24", "198.51.100.2"));
        PlainTcp[] holders = [.. Enumerable.Range(0, NameStreams.Places)
            .Select(number => new PlainTcp(plane, isV4: true, (ushort)(1000 + number), window: 0, from: string.Create(CultureInfo.InvariantCulture, $"203.0.113.{1 + (number / NameStreams.PerSource)}")).Connect())];
        foreach (PlainTcp holder in holders)
        {
            holder.Send(TcpFlags.Ack | TcpFlags.Psh, holder.Next, Query("all.large.test"));
        }

        PlainTcp early = new PlainTcp(plane, isV4: true).Connect();
        early.Say(Query("web.mesh.example"));
        Assert.True(early.WasReset);
        plane.Wait(TimeSpan.FromSeconds(11));
        PlainTcp late = new PlainTcp(plane, isV4: true, port: 4001).Connect();
        late.Say(Query("web.mesh.example"));
        Assert.False(late.WasReset);
        Assert.Single(late.Messages());
        Assert.Equal(1, plane.Engine.ReadNames().ConnectionsReset);
    }

    /// <summary>The cookie remembers the largest of its sizes that the client takes, never a larger one.</summary>
    [Theory]
    [InlineData(100, 216)]
    [InlineData(216, 216)]
    [InlineData(535, 216)]
    [InlineData(536, 536)]
    [InlineData(1459, 1440)]
    [InlineData(9000, 1460)]
    public void Cookie_OfAnySegmentSize_TellsOneThatFits(int asked, int told)
    {
        var cookies = new StreamCookies();
        var key = FlowKey.Create(IpAddress.Parse("192.0.2.1"), 4000, IpAddress.Parse("198.51.100.1"), 53, IpProtocols.Tcp);
        const long Now = 1L << 40, Period = 1L << 36;
        uint cookie = cookies.Make(in key, 7, asked, Now);
        Assert.Equal(told, cookies.Read(in key, 7, cookie, Now));
        Assert.Equal(told, cookies.Read(in key, 7, cookie, Now + Period));
        Assert.Equal(0, cookies.Read(in key, 7, cookie, Now + (2 * Period)));
        Assert.Equal(0, cookies.Read(in key, 8, cookie, Now));
    }

    [Fact]
    public async Task Rate_OfASource_CountsConnectionsToo()
    {
        await using TestPlane plane = NameNet.Create(s_spec with { QueriesPerSecond = 10 });
        var client = new PlainTcp(plane, isV4: true);
        Assert.Single(client.Send(TcpFlags.Syn, 1, []));
        Assert.Empty(client.Send(TcpFlags.Syn, 2, []));
    }

    [Fact]
    public async Task Name_OfOthers_IsAskedUpstreamAndComesWhole()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var datagrams = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        datagrams.Bind(listener.LocalEndpoint);
        byte[] text = [.. Enumerable.Repeat(Enumerable.Repeat((byte)'x', 255).Prepend((byte)255).ToArray(), 40).SelectMany(part => part)];
        Task upstream = Task.Run(async () =>
        {
            byte[] query = new byte[512];
            SocketReceiveFromResult received = await datagrams.ReceiveFromAsync(query, new IPEndPoint(IPAddress.Any, 0));
            query[2] |= 0x82;
            await datagrams.SendToAsync(query.AsMemory(0, received.ReceivedBytes), received.RemoteEndPoint);
            using TcpClient asker = await listener.AcceptTcpClientAsync();
            byte[] asked = new byte[2 + received.ReceivedBytes];
            await asker.GetStream().ReadExactlyAsync(asked);
            byte[] record = [0xC0, 12, 0, 16, 0, 1, 0, 0, 1, 0, (byte)(text.Length >> 8), (byte)text.Length, .. text];
            byte[] message = [.. asked.AsSpan(2), .. record];
            (message[2], message[7]) = ((byte)(message[2] | 0x80), 1);
            await asker.GetStream().WriteAsync(PlainTcp.Framed(message));
        });
        await using TestPlane plane = NameNet.Create(s_spec with { Upstreams = [(IPEndPoint)listener.LocalEndpoint] });
        PlainTcp client = new PlainTcp(plane, isV4: true).Connect();
        client.Say([.. Query("www.example.org", 16), .. Query("web.mesh.example")]);
        for (int tries = 0; client.Messages().Count < 2; tries++)
        {
            Assert.True(tries < 3000, "no answer from upstream came");
            await Task.Delay(10);
            client.Hear(client.Wait(0));
            client.Hear(client.Send(TcpFlags.Ack, client.Next, []));
        }

        await upstream;
        Assert.Equal(text.Length, client.Messages()[0].Answers[0].Data.Length);
        Assert.Equal("fd00::1", client.Messages()[1].Texts(28)[0]);
    }

    /// <summary>Segments of any size, lost, doubled and out of order both ways: the client hears every answer, each byte once.</summary>
    [Fact]
    public void Network_WhateverItDoes_AnswersComeWhole() => Prop.ForAll(Gen.Choose(0, int.MaxValue).ToArbitrary(), seed =>
    {
        var random = new Random(seed);
        TestPlane plane = Create();
        PlainTcp client = new PlainTcp(plane, isV4: random.Next(2) == 0, window: (ushort)random.Next(200, 65535), most: (ushort)random.Next(300, 1461)).Connect();
        byte[] said = [.. Query("many.mesh.example", 1), .. Query("all.large.test"), .. Query("web.mesh.example")];
        uint start = client.Next;
        int acknowledged = 0;
        for (int rounds = 0; client.Messages().Count < 3; rounds++)
        {
            Assert.True(rounds < 2000 && !client.WasReset, $"seed {seed}: {client.Messages().Count} answers after {rounds} rounds, reset {client.WasReset}");
            var came = new List<PlainTcp.Segment>();
            if (acknowledged < said.Length)
            {
                int at = Math.Max(0, acknowledged - random.Next(3)), length = random.Next(1, said.Length - at + 1);
                client.Next = start + (uint)at;
                came.AddRange(random.Next(5) == 0 ? [] : client.Send(TcpFlags.Ack, client.Next, said[at..(at + length)]));
            }

            came.AddRange(client.Wait(random.Next(4) == 0 ? 0.6 : 0));
            foreach (PlainTcp.Segment segment in came.Concat(random.Next(3) == 0 ? came : []).OrderBy(_ => random.Next(6) == 0 ? random.Next() : 0).ToArray())
            {
                if (random.Next(8) != 0)
                {
                    acknowledged = Math.Max(acknowledged, (int)(segment.Acknowledged - start));
                    client.Take(segment);
                }
            }

            client.Next = start + (uint)acknowledged;
            foreach (PlainTcp.Segment segment in client.Send(TcpFlags.Ack, client.Next, []).Where(_ => random.Next(8) != 0))
            {
                client.Take(segment);
            }
        }

        Assert.Equal([100, Hosts, 1], client.Messages().Select(message => message.Answers.Count));
        plane.DisposeAsync().AsTask().GetAwaiter().GetResult();
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(4));

    /// <summary>Any flags, numbers and bytes to a connection and beside it: nothing is thrown, every packet is accounted for, and others are served.</summary>
    [Fact]
    public async Task Segments_OfAnyKind_HarmNobody()
    {
        await using TestPlane plane = Create();
        var random = new Random(4711);
        PlainTcp victim = new PlainTcp(plane, isV4: true).Connect();
        for (int i = 0; i < 3000; i++)
        {
            byte[] data = new byte[random.Next(4) == 0 ? random.Next(1400) : random.Next(4)];
            random.NextBytes(data);
            uint sequence = random.Next(2) == 0 ? victim.Next + (uint)random.Next(-5, 6) : (uint)random.NextInt64();
            uint acknowledged = random.Next(2) == 0 ? victim.Expected + (uint)random.Next(-5, 6) : (uint)random.NextInt64();
            byte[] frame = victim.Frame((TcpFlags)random.Next(512) & ~TcpFlags.Syn, sequence, acknowledged, data);
            if (random.Next(8) == 0)
            {
                BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(46), (ushort)random.Next());
                InternetChecksum.TryFillTransport(frame.AsSpan(14));
            }

            plane.Send("wan", frame);
            if (i % 50 == 0)
            {
                plane.Wait(TimeSpan.FromSeconds(1));
                victim = new PlainTcp(plane, isV4: true, (ushort)(10_000 + i)).Connect();
            }
        }

        PlainTcp other = new PlainTcp(plane, isV4: false).Connect();
        other.Say(Query("all.large.test"));
        Assert.Equal(Hosts, Assert.Single(other.Messages()).Answers.Count);
    }
}
