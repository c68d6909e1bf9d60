using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Dataplane.Ports;

namespace Dataplane.Tests.Ports;

/// <summary>One direction of <see cref="TlsStream"/> ends while the other is read.</summary>
/// <remarks>With <see cref="SslStream"/> itself in its place an end is refused within a second, or the process dies of a damaged heap.</remarks>
public sealed class TlsStreamTests
{
    private const int Rounds = 200;
    private const int RecordLength = 16_384;
    private const int Records = 60;

    [Fact]
    public async Task WhatThePeerSendsArrivesWholeWhileOurDirectionEnds()
    {
        using X509Certificate2 certificate = SelfSigned();
        SslStreamCertificateContext context = SslStreamCertificateContext.Create(certificate, null, offline: true);
        byte[] sent = RandomNumberGenerator.GetBytes(RecordLength * Records);
        for (int round = 0; round < Rounds; round++)
        {
            (TlsStream ours, SslStream peer) = await ConnectAsync(context);
            using (ours)
            using (peer)
            {
                Task sending = Task.Run(async () =>
                {
                    await peer.WriteAsync(sent);
                    await peer.ShutdownAsync();
                });

                // The end comes at another place in every round.
                var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                Task<byte[]> reading = ReadAsync(ours, RecordLength * (round % (Records / 2)), reached);
                await reached.Task;
                await ours.ShutdownAsync();
                await sending;
                byte[] read = await reading;
                Assert.True(sent.AsSpan().SequenceEqual(read), $"round {round}: what was read is not what was sent");
            }
        }
    }

    /// <summary>Reads to the end; tells when the first <paramref name="some"/> bytes have come.</summary>
    private static async Task<byte[]> ReadAsync(SslStream stream, int some, TaskCompletionSource reached)
    {
        var all = new MemoryStream();
        try
        {
            byte[] buffer = new byte[4 * RecordLength];
            for (int count; (count = await stream.ReadAsync(buffer)) > 0;)
            {
                all.Write(buffer, 0, count);
                if (all.Length > some)
                {
                    reached.TrySetResult();
                }
            }
        }
        finally
        {
            reached.TrySetResult();
        }

        return all.ToArray();
    }

    private static async Task<(TlsStream Ours, SslStream Peer)> ConnectAsync(SslStreamCertificateContext context)
    {
        using var listener = new TcpListener(IPAddress.IPv6Loopback, 0);
        listener.Start();
        var client = new TcpClient(AddressFamily.InterNetworkV6);
        Task connecting = client.ConnectAsync((IPEndPoint)listener.LocalEndpoint);
        TcpClient server = await listener.AcceptTcpClientAsync();
        await connecting;
        var ours = new TlsStream(client.GetStream());
        var peer = new SslStream(server.GetStream());
        await Task.WhenAll(
#pragma warning disable CA5359 // Who it is does not matter here.
            ours.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = "peer", RemoteCertificateValidationCallback = (_, _, _, _) => true, EnabledSslProtocols = SslProtocols.Tls13 }),
#pragma warning restore CA5359
            peer.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificateContext = context, EnabledSslProtocols = SslProtocols.Tls13 }));
        return (ours, peer);
    }

    private static X509Certificate2 SelfSigned()
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=peer", key, HashAlgorithmName.SHA256);
        using X509Certificate2 made = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        return X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pkcs12), null);
    }
}
