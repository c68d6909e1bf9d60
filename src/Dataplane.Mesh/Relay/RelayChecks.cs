using System.Globalization;
using Dataplane.Configuration;
using Dataplane.Mesh.Authorization;
using Dataplane.Mesh.Identity;

namespace Dataplane.Mesh.Relay;

/// <summary>What must hold between the values of a relay's specification, however it came about.</summary>
internal sealed class RelayChecks
{
    private readonly RelaySpec _spec;
    private readonly List<ConfigurationError> _errors = [];

    private RelayChecks(RelaySpec spec) => _spec = spec;

    /// <summary>All errors; none when the specification is good.</summary>
    internal static IReadOnlyList<ConfigurationError> Check(RelaySpec spec)
    {
        var checks = new RelayChecks(spec);
        if (spec.Mesh is { } mesh)
            checks.CheckMesh(mesh);
        else if (spec.Listeners.Count == 0)
            checks.Error("listeners", "is missing: a relay without a listener does nothing");
        if (spec.Identity is { } identity)
            checks.CheckIdentity(identity);
        for (int i = 0; i < spec.Listeners.Count; i++)
            checks.CheckListener(spec.Listeners[i], i);
        for (int i = 0; i < spec.Authorization.Policies.Count; i++)
            checks.CheckPolicy(spec.Authorization.Policies[i], i);
        checks.CheckLimits(spec.Limits);
        return checks._errors;
    }

    private void CheckIdentity(IdentitySpec identity)
    {
        CheckFile("identity.certificate", identity.Certificate, "the file with the relay's own certificate");
        CheckFile("identity.key", identity.Key, "the file with its key");
        if (identity.Bundles.Count == 0)
            Error("identity.bundles", "is missing: without the authorities of a trust domain nobody can be believed");
    }

    private void CheckMesh(RelayMeshSpec mesh)
    {
        CheckFile("mesh.file", mesh.File, "the file with the section mesh that the gateway runs with");
        if (!mesh.Outbound && mesh.Inbound.Count == 0)
            Error("mesh", "says nothing to do: outbound: true beside the clients, inbound with the addresses of endpoints beside these");
        if (mesh.Application is not null && mesh.Inbound.Count == 0)
            Error("mesh.application", "is of no use without inbound", mesh.Application.ToString());
        if (_spec.Identity is null)
            Error("mesh", "needs an identity: add one at the top of the file");
    }

    private void CheckListener(ListenerSpec listener, int index)
    {
        string path = ConfigPath.Index("listeners", index);
        CheckName(path, listener.Name, _spec.Listeners.Take(index).Select(other => other.Name));
        if (listener.Listen.Port != 0 && _spec.Listeners.Take(index).FirstOrDefault(other => other.Listen.Equals(listener.Listen)) is { } same)
            Error($"{path}.listen", $"is the address of listener {same.Name} too", listener.Listen.ToString());
        bool isEdge = listener.Kind == ListenerKind.Edge;
        if (listener.Kind == ListenerKind.Inbound && _spec.Identity is null)
            Error($"{path}.kind", "needs an identity: add one at the top of the file, or take kind edge for clients outside the mesh", "inbound");
        if (isEdge && listener.Certificates.Count == 0)
            Error($"{path}.certificates", "is missing: an edge must have a certificate to show");
        if (!isEdge && listener.Certificates.Count > 0)
            Error($"{path}.certificates", "is of no use here: it belongs to kind edge");
        if (!isEdge && (listener.AllowTls12 || listener.Protocols.Count > 0))
            Error(listener.AllowTls12 ? $"{path}.tls12" : $"{path}.alpn", "is of no use here: it belongs to kind edge");
        if (listener.Original == OriginalDestination.Proxy && listener.ProxyFrom.Count + listener.ProxyFromIdentities.Count == 0)
            Error($"{path}.proxy_from", "is missing: original: proxy needs to know whose headers to believe");
        if (listener.ProxyFromIdentities.Count > 0 && listener.Kind != ListenerKind.Inbound)
            Error($"{path}.proxy_from", "names identities, which only clients of kind inbound have: give addresses");
        for (int i = 0; i < listener.Certificates.Count; i++)
        {
            CheckFile($"{path}.certificates[{i}].certificate", listener.Certificates[i].Certificate, "the file with the certificate");
            CheckFile($"{path}.certificates[{i}].key", listener.Certificates[i].Key, "the file with its key");
        }

        for (int i = 0; i < listener.Routes.Count; i++)
            CheckRoute(listener, i, path);
        if (listener.Routes.Count == 0 && !listener.IsOfMesh)
            Error($"{path}.to", "is missing: where connections go is needed");
    }

    private void CheckRoute(ListenerSpec listener, int index, string listenerPath)
    {
        // The route of a listener that names its destination itself has no name of its own.
        RouteSpec route = listener.Routes[index];
        string path = route.Name.Length == 0 && IsForAll(route) ? listenerPath : $"{listenerPath}.routes[{index.ToString(CultureInfo.InvariantCulture)}]";
        if (path != listenerPath)
            CheckName(path, route.Name, listener.Routes.Take(index).Select(other => other.Name));
        if (listener.Routes.Take(index).Any(IsForAll))
            Error(path, "is never reached: a route before it takes everything");
        if (route.Endpoints.Count == 0 && !listener.IsOfMesh)
            Error($"{path}.to", "is missing: where connections go is needed");
        if (route.Endpoints.Any(endpoint => endpoint.Address is null) && listener.Original == OriginalDestination.None)
            Error($"{path}.to", "is original, which is not known here: say with original: redirect or original: proxy where it is learned");
        if (route.ServerNames.Count > 0 && listener.Kind == ListenerKind.Outbound)
            Error($"{path}.server_names", "is of no use here: plain connections name no server");
        if (route.Connect != UpstreamKind.Plain && listener.Kind == ListenerKind.Passthrough)
            Error($"{path}.connect", "is of no use here: what is passed through is TLS already", RelayKeys.Connects.NameOf(route.Connect));
        if (route.Connect == UpstreamKind.Mutual && _spec.Identity is null)
            Error($"{path}.connect", "needs an identity: add one at the top of the file", "mutual");
        if (route.Connect == UpstreamKind.Mutual && route.Peers.Count == 0)
            Error($"{path}.peer", "is missing: who the peer must be is needed, such as spiffe://example.org/ns/shop/sa/web; else anyone in the mesh could answer");
        if (route.Connect != UpstreamKind.Mutual && route.Peers.Count > 0)
            Error($"{path}.peer", "is of no use here: it belongs to connect: mutual");
        if (route.Connect == UpstreamKind.Tls && route.ServerName.Length == 0)
            Error($"{path}.server_name", "is missing: the name that the destination's certificate must have is needed");
        if (route.Connect == UpstreamKind.Plain && route.ServerName.Length > 0)
            Error($"{path}.server_name", "is of no use here: it belongs to connect: tls and mutual", route.ServerName);
        if (route.Connect != UpstreamKind.Tls && route.Authorities.Length > 0)
            Error($"{path}.ca", "is of no use here: it belongs to connect: tls", route.Authorities);
    }

    private void CheckPolicy(PolicySpec policy, int index)
    {
        string path = ConfigPath.Index("authorization.policies", index);
        CheckName(path, policy.Name, _spec.Authorization.Policies.Take(index).Select(other => other.Name));
        string[] names = [.. _spec.Listeners.Select(listener => listener.Name)];
        for (int i = 0; i < policy.Listeners.Count; i++)
        {
            // The listeners of a mesh are known once its services are.
            if (!names.Contains(policy.Listeners[i]) && _spec.Mesh is null)
            {
                Error($"{path}.listeners[{i.ToString(CultureInfo.InvariantCulture)}]",
                    $"is not the name of a listener ({string.Join(", ", names)}){WordList.DidYouMean(policy.Listeners[i], names)}", policy.Listeners[i]);
            }
        }
    }

    private void CheckLimits(RelayLimits limits)
    {
        if (limits.Connections is < 1 or > 1_000_000)
            Error("limits.connections", "is not a number of connections from 1 to 1000000", limits.Connections.ToString(CultureInfo.InvariantCulture));
        if (limits.HandshakeTimeout < TimeSpan.FromMilliseconds(10))
            Error("limits.handshake_timeout", "is too short for any handshake: 10ms at least are needed");
        if (limits.ConnectTimeout < TimeSpan.FromMilliseconds(10))
            Error("limits.connect_timeout", "is too short for any connection: 10ms at least are needed");
    }

    private void CheckName(string path, string name, IEnumerable<string> earlier)
    {
        if (!SpecNames.IsName(name))
            Error($"{path}.name", name.Length == 0 ? "is missing" : SpecNames.NameProblem, name.Length == 0 ? null : name);
        else if (earlier.Contains(name))
            Error($"{path}.name", "is there twice: names must differ", name);
    }

    private void CheckFile(string path, string file, string what)
    {
        if (file.Length is 0 or > 4095 || file.Contains('\0', StringComparison.Ordinal))
            Error(path, file.Length == 0 ? $"is missing: {what} is needed" : "is not usable as the path of a file", file.Length == 0 ? null : file);
    }

    private static bool IsForAll(RouteSpec route) => route.ServerNames.Count + route.Destinations.Count + route.Ports.Count == 0;

    private void Error(string path, string message, string? value = null) => _errors.Add(new ConfigurationError(path, message, value));
}
