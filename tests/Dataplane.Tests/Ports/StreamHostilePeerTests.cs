using System.Net;
using System.Net.Sockets;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Tests.Support;

namespace Dataplane.Tests.Ports;

/// <summary>Peers that do not keep to the framing, or do not let go: each is named, and the next honest one gets through.</summary>
public sealed class StreamHostilePeerTests : IDisposable
{
    private readonly StreamBed _bed = new();

    public void Dispose() => _bed.Dispose();

    [Theory]
    [InlineData(new byte[] { 0, 0, 0, 0 }, "the peer sent a frame of length 0", "frame_empty")]
    [InlineData(new byte[] { 0xFF, 0xFF, 0xFF, 0xFF }, "the peer sent what cannot be the length of a frame", "frame_length")]
    [InlineData(new byte[] { 0x47, 0x45, 0x54, 0x20, 0x2F }, "the peer sent what cannot be the length of a frame", "frame_length")]
    public void Receive_NoLengthOfAFrame_EndsTheConnectionByName(byte[] bytes, string reason, string counter)
    {
        IPort server = _bed.Open(_bed.Unix, PortRole.Server);
        using (NetworkStream peer = StreamBed.Connect(_bed.Unix))
        {
            peer.Write([.. StreamBed.Framed(TestFrames.Make(1, 60)), .. bytes]);
            StreamBed.Await(() => StreamBed.EventsOf(server, counter) == 1, server);
            Assert.Equal(0, peer.Read(new byte[1]));
        }

        StreamBed.AwaitLink(server, LinkState.Down);
        Assert.Equal((reason, 1), (server.LinkReason, StreamBed.Statistics(server).Errors));
        Assert.Equal([TestFrames.Make(1, 60)], StreamBed.Collect(server, 1));
        AssertHonestPeerWorks(server);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(40)]
    public void Receive_StreamEndsInsideAFrame_IsNamedAndCounted(int bytes)
    {
        IPort server = _bed.Open(_bed.Unix, PortRole.Server);
        using (NetworkStream peer = StreamBed.Connect(_bed.Unix))
            peer.Write(StreamBed.Framed(TestFrames.Make(1, 60)).AsSpan(0, bytes));
        StreamBed.Await(() => StreamBed.EventsOf(server, "frame_truncated") == 1, server);
        StreamBed.AwaitLink(server, LinkState.Down);
        Assert.Equal(("the stream ended inside a frame", 1), (server.LinkReason, StreamBed.Statistics(server).Errors));
        AssertHonestPeerWorks(server);
    }

    [Fact]
    public void Receive_FrameLongerThanThePortTakes_IsPassedOverAndCounted()
    {
        IPort server = _bed.Open(_bed.Unix, PortRole.Server);
        using NetworkStream peer = StreamBed.Connect(_bed.Unix);
        foreach (int length in new[] { 60, 1519, 1518, 65_536, 61 })
            peer.Write(StreamBed.Framed(TestFrames.Make(length, length)));
        Assert.Equal([TestFrames.Make(60, 60), TestFrames.Make(1518, 1518), TestFrames.Make(61, 61)], StreamBed.Collect(server, 3));
        Assert.Equal((2, LinkState.Up), (StreamBed.Statistics(server).Errors, server.Link));
    }

    [Fact]
    public void Listen_SecondPeerWhileOneIsThere_IsRefusedAndCountedAndTheFirstNotDisturbed()
    {
        IPort server = _bed.Open(_bed.Unix, PortRole.Server);
        using (NetworkStream first = StreamBed.Connect(_bed.Unix))
        {
            StreamBed.AwaitLink(server, LinkState.Up);
            for (int round = 1; round <= 3; round++)
            {
                using NetworkStream second = StreamBed.Connect(_bed.Unix);
                Assert.Equal(0, second.Read(new byte[1]));
                StreamBed.Await(() => StreamBed.EventsOf(server, "second_peer") == round, server);
                first.Write(StreamBed.Framed(TestFrames.Make(round, 60)));
                Assert.Equal([TestFrames.Make(round, 60)], StreamBed.Collect(server, 1));
            }
        }

        StreamBed.AwaitLink(server, LinkState.Down);
        Assert.Equal("the peer has closed the connection", server.LinkReason);
        AssertHonestPeerWorks(server);
    }

    [Fact]
    public void Listen_PeersThatDawdleAtTheHandshake_AreEndedInTimeAndKeepNobodyOut()
    {
        IPEndPoint address = StreamBed.FreeAddress(IPAddress.Loopback);
        IPort server = _bed.Open(address, PortRole.Server, _bed.Certificates.Make("server", "client.test"), handshake: TimeSpan.FromSeconds(3));
        List<NetworkStream> dawdlers = [.. Enumerable.Range(0, StreamListener.MaxHandshakes - 1).Select(_ => StreamBed.Connect(address))];
        dawdlers.ForEach(dawdler => dawdler.Write([0x16, 3, 1]));
        IPort client = _bed.Open(address, PortRole.Client, _bed.Certificates.Make("client", "server.test"));
        StreamBed.AwaitLink(server, LinkState.Up);
        StreamBed.Await(() => StreamBed.EventsOf(server, "handshake_timeout") == dawdlers.Count, server);
        dawdlers.ForEach(dawdler => Assert.Equal(0, dawdler.Read(new byte[1])));
        dawdlers.ForEach(dawdler => dawdler.Dispose());
        Assert.Equal((LinkState.Up, 1), (server.Link, StreamBed.Send(client, TestFrames.Make(1, 60))));
        Assert.Single(StreamBed.Collect(server, 1));
    }

    [Fact]
    public void Listen_MorePeersAtTheHandshakeThanThereIsRoomFor_AreTurnedAway()
    {
        IPEndPoint address = StreamBed.FreeAddress(IPAddress.Loopback);
        IPort server = _bed.Open(address, PortRole.Server, _bed.Certificates.Make("server", "client.test"));
        List<NetworkStream> dawdlers = [.. Enumerable.Range(0, StreamListener.MaxHandshakes + 3).Select(_ => StreamBed.Connect(address))];
        StreamBed.Await(() => StreamBed.EventsOf(server, "too_many_handshakes") == 3, server);
        dawdlers.ForEach(dawdler => dawdler.Dispose());
        StreamBed.Await(() => StreamBed.EventsOf(server, "peer_closed") == StreamListener.MaxHandshakes, server);
    }

    [Fact]
    public void Receive_RandomBytesThousandsOfTimes_NeverHurts()
    {
        IPort server = _bed.Open(_bed.Unix, PortRole.Server);
        var random = new Random(5);
        byte[] bytes = new byte[3000];
        for (int round = 0; round < 300; round++)
        {
            random.NextBytes(bytes);

            // Half of them begin like frames.
            if (round % 2 == 0)
                (bytes[0], bytes[1], bytes[2]) = (0, 0, (byte)(bytes[2] & 7));
            using (NetworkStream peer = StreamBed.Connect(_bed.Unix))
            {
                try
                {
                    peer.Write(bytes, 0, random.Next(bytes.Length));
                }
                catch (IOException)
                {
                    // It has been thrown out already.
                }
            }

            TestFrames.ReceiveAll(server);
        }

        StreamBed.Await(() => server.ReadEvents().Sum(happened => happened.Count) >= 300, server);
        AssertHonestPeerWorks(server);
    }

    /// <summary>A new peer is taken in, and frames pass both ways.</summary>
    private void AssertHonestPeerWorks(IPort server)
    {
        TestFrames.ReceiveAll(server);
        IPort client = _bed.Open(_bed.Unix, PortRole.Client);
        StreamBed.AwaitLink(server, LinkState.Up);
        StreamBed.AwaitLink(client, LinkState.Up);
        Assert.Equal((1, 1), (StreamBed.Send(client, TestFrames.Make(7, 99)), StreamBed.Send(server, TestFrames.Make(8, 98))));
        Assert.Equal([TestFrames.Make(7, 99)], StreamBed.Collect(server, 1));
        Assert.Equal([TestFrames.Make(8, 98)], StreamBed.Collect(client, 1));
        _bed.Close(client);
    }
}
