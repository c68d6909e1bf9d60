using System.Net;
using System.Net.Sockets;
using Dataplane.Ports;
using Dataplane.Tests.Support;

namespace Dataplane.Tests.Ports;

/// <summary>Many ports at one listening socket: each peer gets the port of its name, and nobody another's.</summary>
public sealed class StreamHubTests : IDisposable
{
    private readonly StreamBed _bed = new();
    private readonly IPEndPoint _address = StreamBed.FreeAddress(IPAddress.Loopback);
    private readonly List<IPort> _ports = [];
    private readonly StreamHub _hub;

    public StreamHubTests() => _hub = new StreamHub(_address, _bed.Certificates.Make("hub", ""));

    public void Dispose()
    {
        _ports.ForEach(port => port.Dispose());
        _hub.Dispose();
        _bed.Dispose();
    }

    [Fact]
    public void Peers_OfSeveralNames_EachGetTheirPort()
    {
        string[] names = ["one", "two", "three"];
        IPort[] inside = [.. names.Select(name => Open($"{name}.test"))], outside = [.. names.Select(name => Dial(name))];
        for (int index = 0; index < names.Length; index++)
        {
            StreamBed.AwaitLink(inside[index], LinkState.Up);
            Assert.EndsWith($"CN={names[index]}", inside[index].Description, StringComparison.Ordinal);
            StreamBed.AwaitLink(outside[index], LinkState.Up);
            byte[] frame = TestFrames.Make(index, 100);
            StreamBed.Send(outside[index], frame);
            Assert.Equal(frame, Assert.Single(StreamBed.Collect(inside[index], 1)));
            StreamBed.Send(inside[index], frame);
            Assert.Equal(frame, Assert.Single(StreamBed.Collect(outside[index], 1)));
        }

        Assert.Empty(_hub.ReadEvents());
        Assert.Equal("", _hub.LastRefusal);
    }

    [Theory]
    [InlineData("other", false, "certificate_name", "the peer's certificate has another name: CN=other")]
    [InlineData("one", true, "certificate_untrusted", "the peer's certificate comes from no authority in ca: CN=one")]
    public void Peer_ThatNoPortWaitsFor_IsRefusedByName(string name, bool isStranger, string counter, string reason)
    {
        IPort port = Open("one.test");
        Dial(name, isStranger);
        StreamBed.Await(() => _hub.ReadEvents().Any(happened => happened.Name == counter && happened.Count > 1), port);
        Assert.StartsWith(reason, _hub.LastRefusal, StringComparison.Ordinal);
        Assert.Equal(LinkState.Down, port.Link);
        Assert.Empty(port.ReadEvents());
    }

    [Fact]
    public void Peer_WithACertificateForManyNames_IsNobody()
    {
        IPort port = Open("one.test");
        Dial("*");
        StreamBed.Await(() => _hub.ReadEvents().Any(happened => happened.Name == "certificate_name"), port);
        Assert.Equal(LinkState.Down, port.Link);
    }

    [Fact]
    public void Peer_ThatConnectsAnew_TakesThePlaceOfItsOlderConnection()
    {
        IPort port = Open("one.test");
        IPort first = Dial("one");
        StreamBed.AwaitLink(port, LinkState.Up);

        // Both have the same name: whoever was replaced dials again, and takes the place back.
        Dial("one");
        StreamBed.Await(() => StreamBed.EventsOf(port, "replaced") > 0, port, first);
        StreamBed.AwaitLink(port, LinkState.Up);
        Assert.Equal(0, StreamBed.EventsOf(port, "second_peer"));
    }

    [Fact]
    public void Port_ThatCloses_IsReachedNoMoreUntilOneIsOpenedForItsPeer()
    {
        IPort port = Open("one.test");
        IPort peer = Dial("one");
        StreamBed.AwaitLink(port, LinkState.Up);
        _ports.Remove(port);
        port.Dispose();
        StreamBed.Await(() => _hub.ReadEvents().Any(happened => happened.Name == "certificate_name"), peer);
        StreamBed.AwaitLink(Open("one.test"), LinkState.Up);

        // The newest of two has the peer, and stays when the older one goes.
        IPort older = _ports[^1], newer = Open("one.test");
        _ports.Remove(older);
        older.Dispose();
        StreamBed.AwaitLink(newer, LinkState.Up);
    }

    [Fact]
    public void Hub_WithoutCertificatesOrAddress_SaysSo()
    {
        StreamTls tls = _bed.Certificates.Make("hub", "");
        Assert.Contains("/nowhere", Assert.Throws<IOException>(() => new StreamHub(StreamBed.FreeAddress(IPAddress.Loopback), tls with { Ca = "/nowhere" })).Message, StringComparison.Ordinal);
        Assert.ThrowsAny<IOException>(() => new StreamHub(_address, tls));
    }

    [Fact]
    public void Strangers_WhoSayNothing_KeepNobodyOut()
    {
        IPort port = Open("one.test");
        NetworkStream[] silent = [.. Enumerable.Range(0, 16).Select(_ => StreamBed.Connect(_address))];
        Dial("one");
        StreamBed.AwaitLink(port, LinkState.Up);
        Array.ForEach(silent, stream => stream.Dispose());
    }

    private IPort Open(string peer)
    {
        IPort port = _hub.PortFor(peer, mtu: 9008, ringFrames: 64).Open(peer);
        _ports.Add(port);
        return port;
    }

    private IPort Dial(string name, bool isStranger = false) => _bed.Open(_address, PortRole.Client, _bed.Certificates.Make(name, "hub.test", isStranger: isStranger), mtu: 9008);
}
