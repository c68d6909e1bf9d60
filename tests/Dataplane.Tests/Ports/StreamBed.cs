using System.Net;
using System.Net.Sockets;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Tests.Support;

namespace Dataplane.Tests.Ports;

/// <summary>Addresses and certificates of their own for stream ports, and the ports that were opened.</summary>
internal sealed class StreamBed : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("stream");
    private readonly List<IPort> _ports = [];

    public StreamBed() => Certificates = new TestCertificates(_folder.FullName);

    public TestCertificates Certificates { get; }

    public string SocketPath => Path.Combine(_folder.FullName, "s.sock");

    public EndPoint Unix => new UnixDomainSocketEndPoint(SocketPath);

    /// <summary>A port of this host that nobody listens at.</summary>
    public static IPEndPoint FreeAddress(IPAddress host)
    {
        using var probe = new Socket(host.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        probe.Bind(new IPEndPoint(host, 0));
        return (IPEndPoint)probe.LocalEndPoint!;
    }

    public IPort Open(EndPoint address, PortRole role, StreamTls? tls = null, int ringFrames = 64, int? mtu = null, TimeSpan? handshake = null)
    {
        IPort port = new StreamPortFactory(address, role) { Tls = tls, RingFrames = ringFrames, Mtu = mtu, HandshakeTimeout = handshake }.Open(role.ToString());
        _ports.Add(port);
        return port;
    }

    /// <summary>A server and a client that have found each other.</summary>
    public (IPort Server, IPort Client) OpenBoth(EndPoint address, bool isSecured = false, int ringFrames = 64)
    {
        IPort server = Open(address, PortRole.Server, isSecured ? Certificates.Make("server", peer: "client.test") : null, ringFrames);
        IPort client = Open(address, PortRole.Client, isSecured ? Certificates.Make("client", peer: "server.test") : null, ringFrames);
        AwaitLink(server, LinkState.Up);
        AwaitLink(client, LinkState.Up);
        return (server, client);
    }

    /// <summary>A peer that is not ours, connected.</summary>
    public static NetworkStream Connect(EndPoint address)
    {
        var socket = new Socket(address.AddressFamily, SocketType.Stream, address is IPEndPoint ? ProtocolType.Tcp : ProtocolType.Unspecified);
        socket.Connect(address);
        return new NetworkStream(socket, ownsSocket: true) { ReadTimeout = (int)TestPorts.Patience.TotalMilliseconds };
    }

    /// <summary>A frame as it stands in the stream.</summary>
    public static byte[] Framed(byte[] frame) =>
        [(byte)(frame.Length >> 24), (byte)(frame.Length >> 16), (byte)(frame.Length >> 8), (byte)frame.Length, .. frame];

    public static void AwaitLink(IPort port, LinkState wanted) => Await(() => port.Link == wanted, port);

    public static void Await(Func<bool> condition, params IPort[] ports) => TestPorts.WaitFor(condition, () =>
        $"waited in vain: {string.Join("; ", ports.Select(port => $"{port.Link}, {port.LinkReason}, {string.Join(" ", port.ReadEvents())}"))}");

    public static long EventsOf(IPort port, string name) => port.ReadEvents().Where(happened => happened.Name == name).Sum(happened => happened.Count);

    /// <summary>Receives until so many frames have come.</summary>
    public static List<byte[]> Collect(IPort port, int count)
    {
        var frames = new List<byte[]>();
        Await(() => Add() >= count, port);
        return frames;

        int Add()
        {
            frames.AddRange(TestFrames.ReceiveAll(port));
            return frames.Count;
        }
    }

    public static int Send(IPort port, params IReadOnlyList<byte[]> frames)
    {
        PacketBatch batch = TestFrames.Batch(frames);
        int sent = port.Transmit(batch, TestFrames.All(batch));
        port.Flush();
        return sent;
    }

    public static PortStatistics Statistics(IPort port)
    {
        port.ReadStatistics(out PortStatistics statistics);
        return statistics;
    }

    public void Close(IPort port)
    {
        _ports.Remove(port);
        port.Dispose();
    }

    public void Dispose()
    {
        _ports.ForEach(port => port.Dispose());
        Certificates.Dispose();
        _folder.Delete(recursive: true);
    }
}
