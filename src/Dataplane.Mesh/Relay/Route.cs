using System.Security.Cryptography.X509Certificates;
using Dataplane.Mesh.Authorization;
using Dataplane.Mesh.Identity;

namespace Dataplane.Mesh.Relay;

/// <summary>A route in force.</summary>
internal sealed class Route : IDisposable
{
    private readonly WatchedFiles<X509ChainPolicy>? _authorities;

    /// <exception cref="IOException">The file with the authorities cannot be used.</exception>
    internal Route(RouteSpec spec, ListenerSpec listener, RelayLimits limits, Route? earlier, Action<string> happened, TimeProvider time)
    {
        Spec = spec;
        Name = spec.Name.Length > 0 ? spec.Name : listener.Name;
        Pool = new EndpointPool(spec, limits, earlier?.Pool);
        if (spec.Connect == UpstreamKind.Tls && spec.Authorities.Length > 0)
        {
            _authorities = new WatchedFiles<X509ChainPolicy>([spec.Authorities], () => Policy(spec.Authorities),
                text => happened($"authorities {spec.Authorities}: {text}"), time);
        }
    }

    internal RouteSpec Spec { get; }

    internal string Name { get; }

    internal EndpointPool Pool { get; }

    /// <summary>Whom destinations outside the mesh may have their certificates from; null: the system's authorities.</summary>
    internal X509ChainPolicy? Authorities => _authorities?.Current;

    internal bool Fits(ConnectionFacts facts) =>
        (Spec.ServerNames.Count == 0 || Authorizer.Fits(facts.ServerName, Spec.ServerNames))
        && (Spec.Destinations.Count == 0 || Authorizer.Fits(facts.Destination.Address, Spec.Destinations))
        && (Spec.Ports.Count == 0 || Spec.Ports.Contains(facts.Destination.Port));

    public void Dispose() => _authorities?.Dispose();

    private static X509ChainPolicy Policy(string path)
    {
        var policy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
            DisableCertificateDownloads = true,
        };
        policy.CustomTrustStore.AddRange(PemFiles.ReadAuthorities(path));
        return policy;
    }
}
