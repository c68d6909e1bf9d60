using System.Net;
using System.Net.Sockets;
using Dataplane.Gateway.Networks;

namespace Dataplane.Gateway.Tests.Networks;

/// <summary>Ports of the host that lead to endpoints: here the endpoint is a program on another loopback address.</summary>
public sealed class HostPortsTests
{
    private static readonly IPAddress s_inside = IPAddress.Parse("127.0.0.2");

    private static EndpointRecord Endpoint(string container, params PublishedPort[] ports) =>
        new(container, "eth0") { Addresses = [s_inside.ToString()], Ports = ports };

    private static PublishedPort Published(int host, int inside, string protocol = "tcp") => new(host, inside) { HostAddress = "127.0.0.1", Protocol = protocol };

    private static int FreePort(ProtocolType protocol = ProtocolType.Tcp)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, protocol == ProtocolType.Tcp ? SocketType.Stream : SocketType.Dgram, protocol);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    private static TcpListener Server()
    {
        var listener = new TcpListener(s_inside, 0);
        listener.Start();
        return listener;
    }

    private static int PortOf(TcpListener listener) => ((IPEndPoint)listener.LocalEndpoint).Port;

    [Fact]
    public async Task Relay_ClientResets_TheServerSeesItAtOnce()
    {
        using TcpListener server = Server();
        using var ports = new HostPorts(_ => null);
        int port = FreePort();
        ports.Reserve("web", Endpoint("a", Published(port, PortOf(server))));
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, port);
        using Socket served = await server.AcceptSocketAsync();
        await client.GetStream().WriteAsync(new byte[] { 1 });
        Assert.Equal(1, await served.ReceiveAsync(new byte[1]));

        // Of a TcpClient's stream a FIN would go ahead.
        client.Client.Close(0);

        // Idle on both sides: nothing but the reset itself can tell the server.
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        SocketException reset = await Assert.ThrowsAsync<SocketException>(async () => await served.ReceiveAsync(new byte[1], patience.Token));
        Assert.Equal(SocketError.ConnectionReset, reset.SocketErrorCode);
    }

    [Fact]
    public async Task Reserve_OtherPorts_ConnectionsOfThoseThatStayGoOn()
    {
        using TcpListener server = Server();
        using var ports = new HostPorts(_ => null);
        (int kept, int gone, int added) = (FreePort(), FreePort(), FreePort());
        ports.Reserve("web", Endpoint("a", Published(kept, PortOf(server)), Published(gone, PortOf(server))));
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, kept);
        using Socket served = await server.AcceptSocketAsync();

        ports.Reserve("web", Endpoint("a", Published(kept, PortOf(server)), Published(added, PortOf(server))));
        Assert.Equal(2, ports.Open.Count);
        Assert.All([kept, added], port => Assert.Contains(ports.Open, line => line.Contains($"127.0.0.1:{port} ", StringComparison.Ordinal)));
        await client.GetStream().WriteAsync(new byte[] { 7 });
        byte[] got = new byte[1];
        Assert.Equal((1, 7), (await served.ReceiveAsync(got), got[0]));
        using var refused = new TcpClient();
        await Assert.ThrowsAsync<SocketException>(async () => await refused.ConnectAsync(IPAddress.Loopback, gone));
    }

    [Fact]
    public void Reserve_OneOfThemTaken_NothingChanges()
    {
        using TcpListener server = Server();
        using var ports = new HostPorts(_ => null);
        (int kept, int free) = (FreePort(), FreePort());
        ports.Reserve("web", Endpoint("a", Published(kept, 80)));
        IReadOnlyList<string> before = ports.Open;
        var taken = new PublishedPort(PortOf(server), 80) { HostAddress = s_inside.ToString() };
        NetworkException refused = Assert.Throws<NetworkException>(() => ports.Reserve("web", Endpoint("a", Published(free, 81), taken)));
        Assert.Equal(NetworkFault.Conflict, refused.Fault);
        Assert.Equal(before, ports.Open);
    }

    [Fact]
    public void Release_OneNetwork_TheSameContainerOnAnotherKeepsItsPorts()
    {
        using var ports = new HostPorts(_ => null);
        (int one, int two) = (FreePort(), FreePort());
        ports.Reserve("web", Endpoint("a", Published(one, 80)));
        ports.Reserve("db", Endpoint("a", Published(two, 80)));
        Assert.Equal(2, ports.Open.Count);
        ports.Release("web", Endpoint("a"));
        Assert.Contains($":{two} ", Assert.Single(ports.Open), StringComparison.Ordinal);
        ports.Release("db", Endpoint("a"));
        Assert.Empty(ports.Open);
    }

    [Fact]
    public async Task UdpRelay_ServerIsAwayForAWhile_ThePortGoesOn()
    {
        using var ports = new HostPorts(_ => null);
        (int port, int inside) = (FreePort(ProtocolType.Udp), FreePort(ProtocolType.Udp));
        ports.Reserve("web", Endpoint("a", Published(port, inside, "udp")));
        using var client = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));

        // Nobody is there: each datagram is answered by an ICMP error, which ends the client's socket while the next one is on its way.
        for (int i = 0; i < 3000; i++)
        {
            await client.SendAsync(new byte[] { 0 }, new IPEndPoint(IPAddress.Loopback, port));
        }

        using var server = new UdpClient(new IPEndPoint(s_inside, inside));
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        Task<UdpReceiveResult> came = server.ReceiveAsync(patience.Token).AsTask();
        while (!came.IsCompleted)
        {
            await client.SendAsync(new byte[] { 9 }, new IPEndPoint(IPAddress.Loopback, port), patience.Token);
            await Task.WhenAny(came, Task.Delay(10, patience.Token));
        }

        UdpReceiveResult asked = await came;
        await server.SendAsync(new byte[] { 8 }, asked.RemoteEndPoint, patience.Token);
        Assert.Equal(8, Assert.Single((await client.ReceiveAsync(patience.Token)).Buffer));
    }
}
