using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Dataplane.Mesh.Authorization;
using Dataplane.Mesh.Identity;
using Dataplane.Mesh.Relay;
using Dataplane.Mesh.Tests.Support;

namespace Dataplane.Mesh.Tests.Relay;

/// <summary>Who is refused: the server behind the relay is never contacted, and the reason is counted and recorded.</summary>
public sealed class RefusalTests
{
    [Fact]
    public Task Inbound_OtherAuthority_IsUntrusted() => RefusedAsync(RelayReason.CertificateUntrusted, (mesh, other) => other.Issue(MeshPair.ClientPath));

    [Fact]
    public Task Inbound_Expired_IsExpired() => RefusedAsync(RelayReason.CertificateExpired,
        (mesh, _) => mesh.Domain.Issue(MeshPair.ClientPath, TimeSpan.FromSeconds(-10)));

    [Fact]
    public Task Inbound_OtherTrustDomainThanItsAuthority_IsUntrusted() => RefusedAsync(RelayReason.CertificateUntrusted,
        (mesh, _) => mesh.Domain.Issue(MeshPair.ClientPath), foreign: true);

    [Fact]
    public async Task Inbound_NoCertificate_IsMissing()
    {
        await using var server = Server.Echo();
        await using var mesh = new MeshPair(server);
        await HandshakeAsync(mesh, new SslClientAuthenticationOptions { EnabledSslProtocols = SslProtocols.Tls13 });
        await AssertRefusedAsync(mesh, server, RelayReason.CertificateMissing);
    }

    [Fact]
    public async Task Inbound_Tls12_IsRefusedForItsVersion()
    {
        await using var server = Server.Echo();
        await using var mesh = new MeshPair(server);
        await HandshakeAsync(mesh, new SslClientAuthenticationOptions { EnabledSslProtocols = SslProtocols.Tls12 });
        await AssertRefusedAsync(mesh, server, RelayReason.TlsVersion);
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\nHost: web\r\n\r\n")]
    [InlineData("\0\0\0\0\0\0\0\0\0\0\0\0")]
    public async Task Inbound_PlainText_IsNoTls(string text)
    {
        await using var server = Server.Echo();
        await using var mesh = new MeshPair(server);
        using Socket client = await MeshPair.ConnectAsync(mesh.Inbound.AddressOf("in"));
        await client.SendAllAsync(System.Text.Encoding.ASCII.GetBytes(text));
        await AssertRefusedAsync(mesh, server, RelayReason.TlsNotSpoken);
    }

    [Fact]
    public async Task Inbound_Silence_TimesOut()
    {
        await using var server = Server.Echo();
        await using var mesh = new MeshPair(server, inbound: spec => spec with { Limits = spec.Limits with { HandshakeTimeout = TimeSpan.FromMilliseconds(50) } });
        using Socket client = await MeshPair.ConnectAsync(mesh.Inbound.AddressOf("in"));
        await AssertRefusedAsync(mesh, server, RelayReason.HandshakeTimeout);
    }

    [Fact]
    public async Task Outbound_PeerWithAnotherIdentity_IsRefusedBeforeAByteIsSent()
    {
        await using var server = Server.Echo();
        await using var mesh = new MeshPair(server, outbound: spec => spec with
        {
            Listeners = [spec.Listeners[0] with { Routes = [spec.Listeners[0].Routes[0] with { Peers = [SpiffePattern.Parse("spiffe://example.org/ns/shop/sa/db")] }] }],
        });
        await Wire.AssertResetAsync(mesh.ConnectAsync);
        AccessRecord record = await MeshPair.FirstAsync(mesh.OutboundRecords);
        Assert.Equal((RelayReason.IdentityWrong, RelaySide.Upstream), (record.Reason, record.Side));
        Assert.Contains("spiffe://example.org/ns/shop/sa/web: wanted is spiffe://example.org/ns/shop/sa/db", record.Detail, StringComparison.Ordinal);

        // A client of TLS 1.3 has finished before it judges: the server may have been reached, but nothing was said to it.
        Assert.Equal(0, record.BytesFromClient);
        Assert.Equal(0, (await MeshPair.FirstAsync(mesh.InboundRecords)).BytesFromClient);
    }

    [Fact]
    public async Task Outbound_NobodyListens_ClientIsResetAndReasonCounted()
    {
        await using var server = Server.Echo();
        await using var mesh = new MeshPair(server, outbound: spec => spec with
        {
            Listeners = [spec.Listeners[0] with { Routes = [spec.Listeners[0].Routes[0] with { Endpoints = [new EndpointSpec { Address = Unused() }] }] }],
        });
        await Wire.AssertResetAsync(mesh.ConnectAsync);
        Assert.Equal(RelayReason.ConnectRefused, (await MeshPair.FirstAsync(mesh.OutboundRecords)).Reason);
        await Patience.UntilAsync(() => mesh.Outbound.ReadStatus().Listeners[0].Ends.GetValueOrDefault("upstream.connect_refused") == 1, "the count");
        Assert.Equal(1, mesh.Outbound.ReadStatus().Listeners[0].Endpoints[0].Failures);
    }

    [Fact]
    public async Task Inbound_Denied_NamesThePolicyEverywhere()
    {
        await using var server = Server.Echo();
        await using var mesh = new MeshPair(server, inbound: spec => MeshPair.With(spec, new PolicySpec
        {
            Name = "no-shop-clients",
            Action = PolicyAction.Deny,
            Identities = [SpiffePattern.Parse("spiffe://example.org/ns/shop/*")],
        }));
        await Wire.AssertResetAsync(mesh.ConnectAsync);
        AccessRecord record = await MeshPair.FirstAsync(mesh.InboundRecords);
        Assert.Equal((RelayReason.Denied, "no-shop-clients"), (record.Reason, record.Policy));
        Assert.Equal(1, mesh.Inbound.ReadStatus().Denied["no-shop-clients"]);
        Assert.Equal(0, server.Connections);
    }

    [Fact]
    public async Task Inbound_DryRun_ReportsAndLetsPass()
    {
        await using var mesh = new MeshPair(Server.Echo(), inbound: spec => MeshPair.With(spec, new PolicySpec
        {
            Name = "trial",
            Action = PolicyAction.Deny,
            DryRun = true,
            Methods = [ConnectionMethod.Mutual],
        }));
        using (Socket client = await mesh.ConnectAsync())
        {
            await client.SendAllAsync("x"u8.ToArray());
            await client.ReceiveAsync(1);
        }

        AccessRecord record = await MeshPair.FirstAsync(mesh.InboundRecords);
        Assert.Equal("trial", record.WouldDeny);
        Assert.Equal(1, mesh.Inbound.ReadStatus().WouldDeny["trial"]);
        Assert.Empty(mesh.Inbound.ReadStatus().Denied);
    }

    [Fact]
    public async Task Limits_ReachedInAllOrBySource_ResetAndCounted()
    {
        await using var server = Server.Echo();
        await using var mesh = new MeshPair(server, outbound: spec => spec with { Limits = spec.Limits with { ConnectionsPerSource = 2 } });
        using Socket first = await mesh.ConnectAsync(), second = await mesh.ConnectAsync();
        await first.SendAllAsync("1"u8.ToArray());
        await second.SendAllAsync("2"u8.ToArray());
        await first.ReceiveAsync(1);
        await second.ReceiveAsync(1);
        await Wire.AssertResetAsync(mesh.ConnectAsync);
        Assert.Equal(RelayReason.TooManyFromSource, (await MeshPair.FirstAsync(mesh.OutboundRecords)).Reason);
        first.Shutdown(SocketShutdown.Send);
        await first.ReceiveAllAsync();
        await Patience.UntilAsync(() => mesh.Outbound.Connections == 1, "the first has ended");
        using Socket fourth = await mesh.ConnectAsync();
        await fourth.SendAllAsync("4"u8.ToArray());
        Assert.Equal("4"u8.ToArray(), await fourth.ReceiveAsync(1));
    }

    private static IPEndPoint Unused()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return (IPEndPoint)socket.LocalEndPoint!;
    }

    /// <summary>A client with an identity that the inbound relay must refuse.</summary>
    private static async Task RefusedAsync(RelayReason reason, Func<MeshPair, TrustDomain, IdentitySpec> identity, bool foreign = false)
    {
        await using var server = Server.Echo();
        using var other = new TrustDomain();
        using var partner = new TrustDomain("partner.test");

        // A relay that also believes another trust domain's authority must not believe it about this one's names.
        await using var mesh = new MeshPair(server, inbound: spec => !foreign ? spec : spec with
        {
            Identity = spec.Identity! with
            {
                Bundles = new Dictionary<string, string> { ["example.org"] = other.Authority.BundlePath, ["partner.test"] = spec.Identity.Bundles["example.org"] },
            },
        });
        IdentitySpec shown = identity(mesh, other);
        using var own = X509Certificate2.CreateFromPemFile(shown.Certificate, shown.Key);
        await HandshakeAsync(mesh, new SslClientAuthenticationOptions
        {
            EnabledSslProtocols = SslProtocols.Tls13,
            ClientCertificateContext = SslStreamCertificateContext.Create(own, null, offline: true),
        });
        await AssertRefusedAsync(mesh, server, reason);
    }

    /// <summary>Shakes hands and reads until the relay ends it; a client of TLS 1.3 is told only after its handshake.</summary>
    private static async Task HandshakeAsync(MeshPair mesh, SslClientAuthenticationOptions options)
    {
        options.TargetHost = "web.test";
        options.RemoteCertificateValidationCallback = (_, shown, _, _) => shown is not null;
        using Socket socket = await MeshPair.ConnectAsync(mesh.Inbound.AddressOf("in"));
        await using var tls = new SslStream(new NetworkStream(socket));
        try
        {
            await tls.AuthenticateAsClientAsync(options);
            Assert.Equal(0, await tls.ReadAsync(new byte[1]));
        }
        catch (Exception refused) when (refused is AuthenticationException or IOException)
        {
            // So it must be.
        }
    }

    private static async Task AssertRefusedAsync(MeshPair mesh, Server server, RelayReason reason)
    {
        AccessRecord record = await MeshPair.FirstAsync(mesh.InboundRecords);
        Assert.True(record.Reason == reason && record.Side == RelaySide.Client, record.ToJson());
        await Patience.UntilAsync(() => mesh.Inbound.ReadStatus().Listeners[0].Ends.GetValueOrDefault($"client.{RelayNames.Of(reason)}") == 1, "the count");
        Assert.Equal(0, server.Connections);
    }
}
