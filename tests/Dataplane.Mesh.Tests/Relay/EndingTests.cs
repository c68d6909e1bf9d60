using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Dataplane.Configuration;
using Dataplane.Mesh.Identity;
using Dataplane.Mesh.Relay;
using Dataplane.Mesh.Tests.Support;

namespace Dataplane.Mesh.Tests.Relay;

/// <summary>Ends that are neither side's wish, and updates that cannot be.</summary>
public sealed class EndingTests
{
    [Fact]
    public async Task Inbound_StreamCutOffWithoutCloseNotify_IsTruncatedAndTheServerReset()
    {
        var seen = new TaskCompletionSource<SocketError>();
        await using var mesh = new MeshPair(new Server(async socket =>
        {
            try
            {
                await socket.ReceiveAllAsync();
                seen.SetResult(SocketError.Success);
            }
            catch (SocketException error)
            {
                seen.SetResult(error.SocketErrorCode);
            }
        }));
        using Socket socket = await MeshPair.ConnectAsync(mesh.Inbound.AddressOf("in"));
        await using SslStream tls = await GreetAsync(mesh, new NetworkStream(socket));
        await tls.WriteAsync("half a mess"u8.ToArray());

        // As somebody on the way can do: the FIN, but not what only the peer could have said.
        socket.Shutdown(SocketShutdown.Send);
        Assert.Equal(SocketError.ConnectionReset, await seen.Task.WaitAsync(Patience.Limit));
        AccessRecord record = await MeshPair.FirstAsync(mesh.InboundRecords);
        Assert.Equal((RelayReason.Truncated, RelaySide.Client), (record.Reason, record.Side));
    }

    /// <summary>What comes with one read, behind data and before a silence, must not wait for more to come.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3)]
    public async Task Inbound_CloseNotifyBehindDataInOneSegment_ReachesTheServerWithoutAFin(int pieces)
    {
        await using var mesh = new MeshPair(new Server(async socket =>
        {
            byte[] all = await socket.ReceiveAllAsync();
            await socket.SendAllAsync(new[] { (byte)all.Length });
            socket.Shutdown(SocketShutdown.Send);
        }));
        using Socket socket = await MeshPair.ConnectAsync(mesh.Inbound.AddressOf("in"));
        await using SslStream tls = await GreetAsync(mesh, new BufferedStream(new NetworkStream(socket), 1 << 16));
        byte[] answer = new byte[1];

        // A turn of its own before, so that the relay already waits for the socket alone.
        await tls.WriteAsync("first"u8.ToArray());
        await tls.FlushAsync();
        await Patience.UntilAsync(() => mesh.Inbound.ReadStatus().Listeners[0].BytesFromClient == 5, "the first piece");
        for (int piece = 0; piece < pieces; piece++)
            await tls.WriteAsync("piece"u8.ToArray());
        await tls.ShutdownAsync();
        await tls.FlushAsync();
        Assert.Equal(1, await tls.ReadAsync(answer).AsTask().WaitAsync(Patience.Limit));
        Assert.Equal(5 + (5 * pieces), answer[0]);
        Assert.Equal(RelayReason.Completed, (await MeshPair.FirstAsync(mesh.InboundRecords)).Reason);
    }

    [Fact]
    public async Task Idle_LongerThanTheLimit_IsReset()
    {
        await using var mesh = new MeshPair(Server.Echo(), outbound: spec => spec with { Limits = spec.Limits with { IdleTimeout = TimeSpan.FromMilliseconds(100) } });
        using Socket client = await mesh.ConnectAsync();
        await client.AssertResetAsync();
        Assert.Equal((RelayReason.IdleTimeout, RelaySide.Relay), ((await MeshPair.FirstAsync(mesh.OutboundRecords)).Reason, mesh.OutboundRecords.First().Side));
    }

    [Fact]
    public async Task Outbound_OwnCertificateHasEnded_SaysSoAndBlamesNobodyElse()
    {
        using var domain = new TrustDomain();
        IdentitySpec ended = domain.Issue(MeshPair.ClientPath, TimeSpan.FromSeconds(-5));
        await using var server = Server.Echo();
        await using var mesh = new MeshPair(server, outbound: spec => spec with { Identity = ended });
        await Wire.AssertResetAsync(mesh.ConnectAsync);
        AccessRecord record = await MeshPair.FirstAsync(mesh.OutboundRecords);
        Assert.Equal((RelayReason.OwnCertificateExpired, RelaySide.Relay), (record.Reason, record.Side));
        Assert.Equal(0, mesh.Outbound.ReadStatus().Listeners[0].Endpoints[0].Failures);
        Assert.Equal(0, server.Connections);
    }

    [Fact]
    public async Task Update_ThatCannotBe_ChangesNothing()
    {
        await using var mesh = new MeshPair(Server.Echo());
        RelaySpec good = mesh.Outbound.Spec;
        ListenerSpec taken = good.Listeners[0] with { Name = "taken", Listen = mesh.Inbound.AddressOf("in") };
        IOException refused = await Assert.ThrowsAsync<IOException>(() => mesh.Outbound.UpdateAsync(good with { Listeners = [good.Listeners[0], taken] }));
        Assert.Contains("listener taken: cannot listen at", refused.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<ConfigurationException>(() => mesh.Outbound.UpdateAsync(good with { Listeners = [] }));
        Assert.Same(good, mesh.Outbound.Spec);
        using Socket client = await mesh.ConnectAsync();
        await client.SendAllAsync("x"u8.ToArray());
        Assert.Equal("x"u8.ToArray(), await client.ReceiveAsync(1));
    }

    [Fact]
    public async Task Update_OtherListeners_NewOnesListenAndOldOnesEndTheirStreamsInPeace()
    {
        await using var mesh = new MeshPair(Server.Echo());
        using Socket client = await mesh.ConnectAsync();
        await client.SendAllAsync("1"u8.ToArray());
        await client.ReceiveAsync(1);
        ListenerSpec listener = mesh.Outbound.Spec.Listeners[0];
        await mesh.Outbound.UpdateAsync(mesh.Outbound.Spec with { Listeners = [listener with { Name = "next" }] });
        Assert.Throws<ArgumentException>(() => mesh.Outbound.AddressOf("out"));
        using Socket fresh = await MeshPair.ConnectAsync(mesh.Outbound.AddressOf("next"));
        foreach (Socket socket in (Socket[])[client, fresh])
        {
            await socket.SendAllAsync("2"u8.ToArray());
            Assert.Equal("2"u8.ToArray(), await socket.ReceiveAsync(1));
        }
    }

    private static async Task<SslStream> GreetAsync(MeshPair mesh, Stream stream)
    {
        using var own = X509Certificate2.CreateFromPemFile(mesh.ClientIdentity.Certificate, mesh.ClientIdentity.Key);
        var tls = new SslStream(stream);
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
        {
            TargetHost = "web.test",
            EnabledSslProtocols = SslProtocols.Tls13,
            ClientCertificateContext = SslStreamCertificateContext.Create(own, null, offline: true),
            RemoteCertificateValidationCallback = (_, shown, _, _) => shown is not null,
        });
        return tls;
    }
}
