using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Dataplane.Ports;
using Dataplane.Tests.Support;

namespace Dataplane.Tests.Ports;

/// <summary>Who is let in, and what those hear who are not.</summary>
public sealed class StreamTlsTests : IDisposable
{
    private const string ServerUse = "1.3.6.1.5.5.7.3.1", ClientUse = "1.3.6.1.5.5.7.3.2";
    private readonly StreamBed _bed = new();
    private readonly IPEndPoint _address = StreamBed.FreeAddress(IPAddress.Loopback);

    public void Dispose() => _bed.Dispose();

    [Theory]
    [InlineData("client.test", "server.test")]
    [InlineData("spiffe://test/client", "spiffe://test/server")]
    [InlineData("2001:db8::1", "2001:db8::1")]
    public void Open_CertificatesOfBothSidesFit_CarriesFramesAndSaysWhoThePeerIs(string client, string server)
    {
        IPort one = _bed.Open(_address, PortRole.Server, _bed.Certificates.Make("server", client, usage: ServerUse));
        IPort other = _bed.Open(_address, PortRole.Client, _bed.Certificates.Make("client", server, usage: ClientUse));
        StreamBed.AwaitLink(one, LinkState.Up);
        StreamBed.AwaitLink(other, LinkState.Up);
        Assert.Equal($"{_address}, TLS 1.3, TLS_AES_256_GCM_SHA384, CN=server", other.Description);
        Assert.EndsWith(", TLS 1.3, TLS_AES_256_GCM_SHA384, CN=client", one.Description, StringComparison.Ordinal);
        foreach ((IPort from, IPort to) in new[] { (one, other), (other, one) })
        {
            byte[][] frames = [.. Enumerable.Range(1, 60).Select(number => TestFrames.Make(number, 14 + (number * 25)))];
            Assert.Equal(60, StreamBed.Send(from, frames));
            Assert.Equal(frames, StreamBed.Collect(to, 60));
        }
    }

    [Theory]
    [InlineData("stranger", "the peer's certificate comes from no authority in ca: CN=client", "certificate_untrusted")]
    [InlineData("expired", "the peer's certificate has expired or is not valid yet: CN=client", "certificate_expired")]
    [InlineData("name", "the peer's certificate has another name: CN=other", "certificate_name")]
    [InlineData("usage", "the peer's certificate is not for this use: CN=client", "certificate_usage")]
    public void Server_CertificateOfTheClientDoesNotFit_IsRefusedByName(string what, string reason, string counter)
    {
        IPort server = _bed.Open(_address, PortRole.Server, _bed.Certificates.Make("server", "client.test"));
        StreamTls wrong = what switch
        {
            "stranger" => _bed.Certificates.Make("client", "server.test", isStranger: true),
            "expired" => _bed.Certificates.Make("client", "server.test", notAfter: TimeSpan.FromDays(-1)),
            "usage" => _bed.Certificates.Make("client", "server.test", usage: ServerUse),
            _ => _bed.Certificates.Make("other", "server.test"),
        };
        IPort client = _bed.Open(_address, PortRole.Client, wrong);
        StreamBed.Await(() => StreamBed.EventsOf(server, counter) > 1, server, client);
        Assert.StartsWith(reason, server.LinkReason, StringComparison.Ordinal);
        Assert.Equal(LinkState.Down, server.Link);

        // In TLS 1.3 a client has ended the handshake before the server judges: that it was refused is known by what follows.
        StreamBed.Await(() => StreamBed.EventsOf(client, "tls_ended_by_peer") > 0, server, client);

        // The files are read again: what is mended counts from the next attempt on.
        StreamTls right = _bed.Certificates.Make("client", "server.test");
        if (right.Key != wrong.Key)
        {
            File.Copy(right.Certificate, wrong.Certificate, overwrite: true);
            File.Copy(right.Key, wrong.Key, overwrite: true);
        }

        StreamBed.AwaitLink(server, LinkState.Up);
    }

    [Fact]
    public async Task Server_PeersThatAreNoClientsOfIt_AreNamedEach()
    {
        IPort server = _bed.Open(_address, PortRole.Server, _bed.Certificates.Make("server", "client.test"));
        using (NetworkStream plain = StreamBed.Connect(_address))
        {
            plain.Write(StreamBed.Framed(TestFrames.Make(1, 60)));
            StreamBed.Await(() => StreamBed.EventsOf(server, "tls_not_spoken") == 1, server);
            Assert.StartsWith("the peer does not speak TLS: 127.0.0.1:", server.LinkReason, StringComparison.Ordinal);
        }

        // TLS, but an alert where the greeting should be.
        using (NetworkStream alert = StreamBed.Connect(_address))
        {
            alert.Write([0x15, 3, 1, 0, 2, 2, 40]);
            StreamBed.Await(() => StreamBed.EventsOf(server, "tls_not_spoken") == 2, server);
        }

        await using (var old = new SslStream(StreamBed.Connect(_address), leaveInnerStreamOpen: false, Believes))
        {
            await Assert.ThrowsAsync<AuthenticationException>(() => old.AuthenticateAsClientAsync("server.test", null, SslProtocols.Tls12, false));
            StreamBed.Await(() => StreamBed.EventsOf(server, "tls_version") == 1, server);
            Assert.StartsWith("the peer does not speak TLS 1.3: it offers", server.LinkReason, StringComparison.Ordinal);
        }

        await using (var nameless = new SslStream(StreamBed.Connect(_address), leaveInnerStreamOpen: false, Believes))
        {
            await nameless.AuthenticateAsClientAsync("server.test", null, SslProtocols.Tls13, false);
            StreamBed.Await(() => StreamBed.EventsOf(server, "certificate_missing") == 1, server);
            Assert.StartsWith("the peer has shown no certificate", server.LinkReason, StringComparison.Ordinal);
        }

        Assert.Equal(LinkState.Down, server.Link);
        _bed.Open(_address, PortRole.Client, _bed.Certificates.Make("client", "server.test"));
        StreamBed.AwaitLink(server, LinkState.Up);
    }

    [Theory]
    [InlineData("stranger", "the peer's certificate comes from no authority in ca: CN=server", "certificate_untrusted")]
    [InlineData("name", "the peer's certificate has another name: CN=other", "certificate_name")]
    public void Client_CertificateOfTheServerDoesNotFit_IsRefusedByName(string what, string reason, string counter)
    {
        StreamTls wrong = _bed.Certificates.Make(what == "stranger" ? "server" : "other", "client.test", isStranger: what == "stranger");
        IPort server = _bed.Open(_address, PortRole.Server, wrong);
        IPort client = _bed.Open(_address, PortRole.Client, _bed.Certificates.Make("client", "server.test"));
        StreamBed.Await(() => StreamBed.EventsOf(client, counter) > 0, server, client);
        Assert.StartsWith(reason, client.LinkReason, StringComparison.Ordinal);
        Assert.Equal((LinkState.Down, 0), (client.Link, StreamBed.EventsOf(client, "tls_ended_by_peer")));
    }

    [Fact]
    public async Task Client_ServerThatSpeaksNoTls_IsNamed()
    {
        using var listener = new TcpListener(_address);
        listener.Start();
        IPort client = _bed.Open(_address, PortRole.Client, _bed.Certificates.Make("client", "server.test"));
        using TcpClient peer = await listener.AcceptTcpClientAsync();
        peer.GetStream().Write(StreamBed.Framed(TestFrames.Make(1, 60)));
        StreamBed.Await(() => StreamBed.EventsOf(client, "tls_not_spoken") == 1, client);
    }

    [Fact]
    public async Task Client_ServerThatNeverAnswers_IsGivenUpInTime()
    {
        using var listener = new TcpListener(_address);
        listener.Start();
        IPort client = _bed.Open(_address, PortRole.Client, _bed.Certificates.Make("client", "server.test"), handshake: TimeSpan.FromMilliseconds(300));
        using TcpClient peer = await listener.AcceptTcpClientAsync();
        StreamBed.Await(() => StreamBed.EventsOf(client, "handshake_timeout") > 0, client);
        Assert.StartsWith("the TLS handshake took too long", client.LinkReason, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_FilesThatAreNoCertificates_SaysWhichAndWhy()
    {
        StreamTls good = _bed.Certificates.Make("server", "client.test"), other = _bed.Certificates.Make("other", "x");
        string empty = good.Ca + ".empty";
        File.WriteAllText(empty, "nothing");
        foreach ((StreamTls wrong, string says) in new[]
        {
            (good with { Certificate = "/nowhere/a.pem" }, "certificate /nowhere/a.pem"),
            (good with { Key = "/nowhere/a.key" }, "key /nowhere/a.key"),
            (good with { Key = other.Key }, $"key {other.Key}"),
            (good with { Ca = empty }, $"ca {empty}: there is no certificate in it"),
        })
        {
            string message = Assert.Throws<IOException>(() => _bed.Open(_address, PortRole.Server, wrong)).Message;
            Assert.StartsWith("Port Server (stream): ", message, StringComparison.Ordinal);
            Assert.Contains(says, message, StringComparison.Ordinal);
        }

        Assert.Throws<ArgumentException>(() => _bed.Open(_address, PortRole.Server, good with { Peer = "" }));
    }

    [Fact]
    public void Server_OwnFilesGoBadWhileItRuns_TurnsPeersAwayUntilTheyAreMended()
    {
        StreamTls own = _bed.Certificates.Make("server", "client.test");
        IPort server = _bed.Open(_address, PortRole.Server, own);
        File.WriteAllText(own.Key, "");
        IPort client = _bed.Open(_address, PortRole.Client, _bed.Certificates.Make("client", "server.test"));
        StreamBed.Await(() => StreamBed.EventsOf(server, "certificate_unreadable") > 0, server);
        Assert.StartsWith("our own certificates cannot be used: certificate ", server.LinkReason, StringComparison.Ordinal);
        _bed.Certificates.Make("server", "client.test");
        StreamBed.AwaitLink(client, LinkState.Up);
        StreamBed.AwaitLink(server, LinkState.Up);
    }

    /// <summary>The peers of these tests look at nothing; it is the port that is tested.</summary>
    private static bool Believes(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors) => certificate is not null;
}
