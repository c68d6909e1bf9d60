using System.Collections.Concurrent;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using Dataplane.Mesh.Identity;
using Dataplane.Mesh.Relay;

namespace Dataplane.Mesh.Tests.Support;

/// <summary>An edge with a certificate for each of some names, and an echo server behind it.</summary>
internal sealed class EdgeBed : IAsyncDisposable
{
    private readonly TrustDomain _domain = new();
    private readonly string[] _names;
    private readonly CertificateSpec[] _certificates;
    private readonly RelayBed _bed;

    internal EdgeBed(bool tls12, string[] names)
    {
        _names = names;
        _certificates = [.. names.Select(_ => new CertificateSpec { Certificate = _domain.NewPath("pem"), Key = _domain.NewPath("key") })];
        for (int i = 0; i < names.Length; i++)
            Reissue(i);
        Server = Server.Echo();
        _bed = new RelayBed(new ListenerSpec
        {
            Name = "edge",
            Kind = ListenerKind.Edge,
            Listen = MeshPair.Anywhere,
            Certificates = _certificates,
            AllowTls12 = tls12,
            Protocols = ["http/1.1"],
            Routes = [MeshPair.To(Server.Address, UpstreamKind.Plain)],
        });
    }

    internal Server Server { get; }

    internal RelayServer Relay => _bed.Relay;

    internal ConcurrentQueue<AccessRecord> Records => _bed.Records;

    /// <summary>The common name in the certificate for a name.</summary>
    internal string LabelOf(string name) => $"n{Array.IndexOf(_names, name)}";

    internal void Reissue(int index) => _domain.Authority.Issue(SpiffeId.Parse($"spiffe://example.org/edge/n{index}"), _certificates[index].Certificate,
        _certificates[index].Key, TimeSpan.FromHours(1), _names[index]);

    internal async Task<SslStream> ConnectAsync(string name, SslProtocols protocols)
    {
        var tls = new SslStream(new NetworkStream(await _bed.ConnectAsync("edge"), ownsSocket: true));
        try
        {
            await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
            {
                TargetHost = name,
                EnabledSslProtocols = protocols,
                RemoteCertificateValidationCallback = (_, shown, _, _) => shown is not null,
                ApplicationProtocols = [SslApplicationProtocol.Http2, SslApplicationProtocol.Http11],
            });
            return tls;
        }
        catch
        {
            await tls.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _bed.DisposeAsync();
        await Server.DisposeAsync();
        _domain.Dispose();
    }
}
