using System.Net.Security;
using Dataplane.Mesh.Authorization;
using Dataplane.Mesh.Identity;
using Dataplane.Mesh.Tls;

namespace Dataplane.Mesh.Relay;

/// <summary>What a listener does with a connection that comes now. Immutable; a connection keeps the one it began with.</summary>
internal sealed class ListenerState : IDisposable
{
    private readonly Route[] _routes;

    /// <exception cref="IOException">A file that it needs cannot be used.</exception>
    internal ListenerState(ListenerSpec spec, RelaySpec relay, IdentitySource? identity, ListenerState? earlier, Action<string> happened, TimeProvider time)
    {
        Spec = spec;
        Limits = relay.Limits;
        Identity = identity;
        var routes = new List<Route>();
        try
        {
            foreach (RouteSpec route in spec.Routes)
            {
                string name = route.Name.Length > 0 ? route.Name : spec.Name;
                routes.Add(new Route(route, spec, relay.Limits, earlier?._routes.FirstOrDefault(known => known.Name == name), happened, time));
            }

            Certificates = spec.Kind == ListenerKind.Edge ? new EdgeCertificates(spec.Certificates, happened, time) : null;
        }
        catch
        {
            routes.ForEach(route => route.Dispose());
            throw;
        }

        _routes = [.. routes];
        Protocols = spec.Protocols.Count == 0 ? null : [.. spec.Protocols.Select(name => new SslApplicationProtocol(name))];
    }

    internal ListenerSpec Spec { get; }

    internal RelayLimits Limits { get; }

    internal IdentitySource? Identity { get; }

    /// <summary>Certificates of an edge; null for other kinds.</summary>
    internal EdgeCertificates? Certificates { get; }

    internal List<SslApplicationProtocol>? Protocols { get; }

    internal IReadOnlyList<Route> Routes => _routes;

    /// <summary>The first route that fits.</summary>
    internal Route? RouteFor(ConnectionFacts facts)
    {
        foreach (Route route in _routes)
        {
            if (route.Fits(facts))
                return route;
        }

        return null;
    }

    public void Dispose()
    {
        Certificates?.Dispose();
        foreach (Route route in _routes)
            route.Dispose();
    }
}
