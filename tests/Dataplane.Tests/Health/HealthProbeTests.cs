using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Dataplane.Health;
using Dataplane.Packets;

namespace Dataplane.Tests.Health;

/// <summary>Checks against servers on the loopback interface, of which none is ours.</summary>
public sealed class HealthProbeTests
{
    private static readonly HealthSpec s_patient = new() { Timeout = TimeSpan.FromSeconds(30) }, s_hasty = new() { Timeout = TimeSpan.FromMilliseconds(50) };

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    public async Task Tcp_ServerThatListens_IsWellAndOneThatDoesNotIsNot(string address)
    {
        int port;
        using (TcpListener listener = Listen(address))
        {
            port = ((IPEndPoint)listener.LocalEndpoint).Port;
            Assert.Equal(new HealthVerdict(true, "connected"), await AskAsync(s_patient, address, port));
            using TcpClient came = await listener.AcceptTcpClientAsync();
        }

        Assert.Equal(new HealthVerdict(false, "connection refused"), await AskAsync(s_patient, address, port));
    }

    [Fact]
    public async Task Tcp_FromASource_ComesFromIt()
    {
        using TcpListener listener = Listen("127.0.0.1");
        HealthSpec spec = s_patient with { Source = IpAddress.Parse("127.0.0.77") };
        Assert.True((await AskAsync(spec, "127.0.0.1", ((IPEndPoint)listener.LocalEndpoint).Port)).IsWell);
        using TcpClient came = await listener.AcceptTcpClientAsync();
        Assert.Equal("127.0.0.77", ((IPEndPoint)came.Client.RemoteEndPoint!).Address.ToString());
        Assert.Equal("the source is no address of this host", (await AskAsync(s_patient with { Source = IpAddress.Parse("192.0.2.1") }, "127.0.0.1", 1)).Reason);
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\n\r\n", true, "HTTP status 200")]
    [InlineData("HTTP/1.0 399\n", true, "HTTP status 399")]
    [InlineData("HTTP/1.1 503 no\r\n\r\n", false, "HTTP status 503")]
    [InlineData("HTTP/1.1 199 early\r\n", false, "HTTP status 199")]
    [InlineData("HTTP/1.1 2000 OK\r\n", false, "answer is not HTTP/1")]
    [InlineData("HTTP/2 200\r\n", false, "answer is not HTTP/1")]
    [InlineData("SSH-2.0-x\r\n", false, "answer is not HTTP/1")]
    [InlineData("", false, "connection closed without an answer")]
    public async Task Http_AnyAnswer_IsJudgedByItsStatus(string answer, bool isWell, string reason)
    {
        using TcpListener listener = Listen("127.0.0.1");
        Task<HealthVerdict> asked = AskAsync(s_patient with { Check = HealthCheckKind.Http, Path = "/healthz?a=b", Host = "example.org" }, "127.0.0.1",
            ((IPEndPoint)listener.LocalEndpoint).Port);
        string request = await AnswerAsync(listener, answer, stream => Task.FromResult(stream));
        Assert.Equal(new HealthVerdict(isWell, reason), await asked);
        Assert.StartsWith("GET /healthz?a=b HTTP/1.1\r\nHost: example.org\r\n", request, StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\n", request, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Http_OfAnIpv6Address_HasItInBrackets()
    {
        using TcpListener listener = Listen("::1");
        Task<HealthVerdict> asked = AskAsync(s_patient with { Check = HealthCheckKind.Http }, "::1", ((IPEndPoint)listener.LocalEndpoint).Port);
        Assert.Contains("\r\nHost: [::1]\r\n", await AnswerAsync(listener, "HTTP/1.1 204 No\r\n", stream => Task.FromResult(stream)), StringComparison.Ordinal);
        Assert.True((await asked).IsWell);
    }

    [Fact]
    public async Task Https_WhateverTheCertificate_IsAsked()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using X509Certificate2 bare = new CertificateRequest("CN=nobody", key, HashAlgorithmName.SHA256)
            .CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddDays(1));
        using TcpListener listener = Listen("127.0.0.1");
        Task<HealthVerdict> asked = AskAsync(s_patient with { Check = HealthCheckKind.Https, Host = "other.example" }, "127.0.0.1",
            ((IPEndPoint)listener.LocalEndpoint).Port);
        await AnswerAsync(listener, "HTTP/1.1 200 OK\r\n\r\n", async stream =>
        {
            var secure = new SslStream(stream);
            await secure.AuthenticateAsServerAsync(bare);
            return secure;
        });
        Assert.Equal(new HealthVerdict(true, "HTTP status 200"), await asked);
    }

    [Theory]
    [InlineData(HealthCheckKind.Http)]
    [InlineData(HealthCheckKind.Https)]
    [InlineData(HealthCheckKind.Udp)]
    public async Task Any_ServerThatSaysNothing_IsNotWellWhenTimeIsUp(HealthCheckKind kind)
    {
        using TcpListener listener = Listen("127.0.0.1");
        using var silent = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        int port = ((IPEndPoint)(kind == HealthCheckKind.Udp ? silent.Client.LocalEndPoint! : listener.LocalEndpoint)).Port;
        Assert.Equal(new HealthVerdict(false, "no answer in 50 ms"), await AskAsync(s_hasty with { Check = kind, Send = "?" }, "127.0.0.1", port));
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    public async Task Udp_ServerThatAnswers_IsWellAndAClosedPortIsNot(string address)
    {
        int port;
        using (var server = new UdpClient(new IPEndPoint(IPAddress.Parse(address), 0)))
        {
            port = ((IPEndPoint)server.Client.LocalEndPoint!).Port;
            Task<HealthVerdict> asked = AskAsync(s_patient with { Check = HealthCheckKind.Udp, Send = "wie geht's?" }, address, port);
            UdpReceiveResult question = await server.ReceiveAsync();
            Assert.Equal("wie geht's?", Encoding.UTF8.GetString(question.Buffer));
            await server.SendAsync(new byte[] { 1 }, question.RemoteEndPoint);
            Assert.Equal(new HealthVerdict(true, "answered"), await asked);
        }

        Assert.Equal(new HealthVerdict(false, "connection refused"), await AskAsync(s_patient with { Check = HealthCheckKind.Udp, Send = "?" }, address, port));
    }

    private static TcpListener Listen(string address)
    {
        var listener = new TcpListener(IPAddress.Parse(address), 0);
        listener.Start();
        return listener;
    }

    private static Task<HealthVerdict> AskAsync(HealthSpec spec, string address, int port) =>
        HealthProbe.AskAsync(spec, IpAddress.Parse(address), port, TimeProvider.System, CancellationToken.None);

    /// <summary>Takes one connection, reads a request and answers it; returns the request.</summary>
    private static async Task<string> AnswerAsync(TcpListener listener, string answer, Func<Stream, Task<Stream>> secure)
    {
        using TcpClient client = await listener.AcceptTcpClientAsync();
        await using Stream stream = await secure(client.GetStream());
        byte[] request = new byte[4096];
        int length = 0;
        while (!Encoding.ASCII.GetString(request, 0, length).EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            length += await stream.ReadAsync(request.AsMemory(length));
        }

        await stream.WriteAsync(Encoding.ASCII.GetBytes(answer));
        return Encoding.ASCII.GetString(request, 0, length);
    }
}
