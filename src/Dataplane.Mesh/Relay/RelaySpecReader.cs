using System.Net;
using Dataplane.Configuration;
using Dataplane.Mesh.Authorization;
using Dataplane.Mesh.Identity;

namespace Dataplane.Mesh.Relay;

/// <summary>Reads a relay's specification from a configuration tree. Never throws on what is in the tree.</summary>
internal sealed partial class RelaySpecReader
{
    private readonly List<ConfigurationError> _errors = [];

    private RelaySpecReader()
    {
    }

    /// <summary>Reads everything and checks what was read.</summary>
    /// <param name="root">The top of the tree, a mapping; a null stands for an empty one.</param>
    /// <param name="found">Errors found while the tree was made; they are given back with the others.</param>
    /// <returns>The specification, good for use when there are no errors; and all errors in the order of the file, each with its place.</returns>
    public static (RelaySpec Spec, IReadOnlyList<ConfigurationError> Errors) Read(ConfigNode root, IReadOnlyList<ConfigurationError>? found = null)
    {
        ArgumentNullException.ThrowIfNull(root);
        var reader = new RelaySpecReader();
        RelaySpec spec = reader.ReadTop(root);
        ConfigurationError[] read = [.. reader._errors.Select(root.Place)];

        // What could not be read stands in the specification as left out; to say that it is missing would be noise.
        var paths = read.Select(error => error.Path).ToHashSet(StringComparer.Ordinal);
        IEnumerable<ConfigurationError> wrong = RelayChecks.Check(spec).Select(root.Place).Where(error => !ConfigPath.IsAtOrUnder(error.Path, paths));
        return (spec, [.. ((IEnumerable<ConfigurationError>)[.. found ?? [], .. read, .. wrong]).OrderBy(error => error.Line).ThenBy(error => error.Column)]);
    }

    private RelaySpec ReadTop(ConfigNode root)
    {
        MappingReader top = MappingReader.Open(root, "", RelayKeys.Top, _errors);
        return new RelaySpec
        {
            Identity = top.Value("identity") is { } identity ? ReadIdentity(identity) : null,
            Mesh = top.Value("mesh") is { } mesh ? ReadMesh(mesh) : null,
            Listeners = [.. top.Items("listeners", "each listener").Select(item => ReadListener(item.Node, item.Path))],
            Authorization = top.Value("authorization") is { } authorization ? ReadAuthorization(authorization) : new AuthorizationSpec(),
            Limits = top.Value("limits") is { } limits ? ReadLimits(limits) : new RelayLimits(),
            HandOver = top.Flag("hand_over"),
        };
    }

    private IdentitySpec ReadIdentity(ConfigNode node)
    {
        MappingReader identity = MappingReader.Open(node, "identity", RelayKeys.Identity, _errors);
        var bundles = new Dictionary<string, string>();
        ConfigNode? byDomain = identity.Value("bundles");
        if (byDomain is not null && byDomain.Kind != ConfigNodeKind.Mapping)
            identity.Error("bundles", "is no mapping: the file of each trust domain is needed, such as { example.org: bundle.pem }", byDomain.Text);
        MappingReader.CheckUnique(byDomain ?? ConfigNode.Mapping([]), "identity.bundles", _errors);
        foreach (ConfigEntry entry in byDomain?.Entries ?? [])
        {
            string path = ConfigPath.Key("identity.bundles", entry.Key);
            if (!SpiffeId.IsTrustDomain(entry.Key))
                _errors.Add(new ConfigurationError(path, "is no trust domain: lower-case letters, digits, '.', '-' and '_' are allowed", entry.Key));
            if (entry.Value.Kind != ConfigNodeKind.Scalar || entry.Value.IsNull)
                _errors.Add(new ConfigurationError(path, "is no file with the authorities of the trust domain"));
            bundles.TryAdd(entry.Key, entry.Value.Text);
        }

        return new IdentitySpec
        {
            Certificate = identity.Text("certificate", "the file with the relay's own certificate"),
            Key = identity.Text("key", "the file with its key"),
            Bundles = bundles,
        };
    }

    private RelayMeshSpec ReadMesh(ConfigNode node)
    {
        MappingReader reader = MappingReader.Open(node, "mesh", RelayKeys.Mesh, _errors);
        return new RelayMeshSpec
        {
            File = reader.Text("file", "the file with the section mesh that the gateway runs with"),
            Outbound = reader.Flag("outbound"),
            Inbound = Addresses(reader, "inbound"),
            Application = Addresses(reader, "application").FirstOrDefault(),
        };
    }

    private List<IPAddress> Addresses(in MappingReader reader, string key)
    {
        var addresses = new List<IPAddress>();
        foreach ((ConfigNode item, string path) in OneOrMany(reader, key))
        {
            if (item.Kind == ConfigNodeKind.Scalar && Packets.IpAddress.TryParse(item.Text, out Packets.IpAddress address))
                addresses.Add(IPAddress.Parse(address.ToString()));
            else
                _errors.Add(new ConfigurationError(path, "is not an address such as 10.1.0.11", item.Kind == ConfigNodeKind.Scalar ? item.Text : null));
        }

        return addresses;
    }

    private ListenerSpec ReadListener(ConfigNode node, string path)
    {
        MappingReader reader = MappingReader.Open(node, path, RelayKeys.Listener, _errors);
        ListenerKind? known = reader.Choice("kind", RelayKeys.Kinds, isNeeded: true);

        // Of a kind that cannot be read, the one that is most likely meant: every further error would be noise.
        ListenerKind kind = known ?? (reader.Value("peer") is null ? ListenerKind.Inbound : ListenerKind.Outbound);
        string name = reader.Text("name", "the name of the listener");
        UpstreamKind usual = kind == ListenerKind.Outbound ? UpstreamKind.Mutual : UpstreamKind.Plain;
        var routes = reader.Items("routes", "each route").Select(item => ReadRoute(item.Node, item.Path, usual)).ToList();
        if (routes.Count == 0 || reader.Value("to") is not null)
            routes.Add(ReadTarget(reader, usual));
        (IReadOnlyList<IPNetwork> from, IReadOnlyList<SpiffePattern> identities) = ReadProxyFrom(reader);
        return new ListenerSpec
        {
            Name = name,
            Kind = kind,
            Listen = ReadEndPoint(reader, "listen", reader.Scalar("listen", "an address with a port to listen at", "an address with a port"), canBeAny: true)
                ?? new IPEndPoint(IPAddress.IPv6Any, 0),
            Original = reader.Choice("original", RelayKeys.Originals) ?? OriginalDestination.None,
            ProxyFrom = from,
            ProxyFromIdentities = identities,
            Certificates = [.. reader.Items("certificates", "each certificate").Select(item => ReadCertificate(item.Node, item.Path))],
            AllowTls12 = reader.Flag("tls12"),
            Protocols = Texts(reader, "alpn"),
            Routes = routes,
        };
    }

    private RouteSpec ReadRoute(ConfigNode node, string path, UpstreamKind usual)
    {
        MappingReader reader = MappingReader.Open(node, path, RelayKeys.Route, _errors);
        return ReadTarget(reader, usual) with
        {
            Name = reader.Text("name", "the name of the route"),
            ServerNames = Texts(reader, "server_names"),
            Destinations = Prefixes(reader, "destinations"),
            Ports = reader.Integers("ports", "each port", RelayKeys.Port),
        };
    }

    /// <summary>The keys that say where connections go; they stand in a route, or in a listener that has but one.</summary>
    private RouteSpec ReadTarget(in MappingReader reader, UpstreamKind usual)
    {
        MappingReader own = reader;
        return new RouteSpec
        {
            Endpoints = [.. OneOrMany(reader, "to").Select(item => ReadEndpoint(own, item.Node, item.Path)).OfType<EndpointSpec>()],
            Balance = reader.Choice("balance", RelayKeys.Balances) ?? EndpointBalance.RoundRobin,
            Connect = reader.Choice("connect", RelayKeys.Connects) ?? usual,
            Peers = Patterns(reader, "peer"),
            ServerName = reader.Text("server_name"),
            Authorities = reader.Text("ca"),
            SendProxy = reader.Flag("send_proxy"),
        };
    }

    private EndpointSpec? ReadEndpoint(in MappingReader owner, ConfigNode node, string path)
    {
        if (node.Kind == ConfigNodeKind.Mapping)
        {
            MappingReader reader = MappingReader.Open(node, path, RelayKeys.Endpoint, _errors);
            string text = reader.Text("address", "an address with a port");
            int weight = (int)reader.Integer("weight", new IntRange("weight", 1, 1000), 1);
            return text.Length == 0 ? null : ReadEndpoint(text, ConfigPath.Key(path, "address")) is { } read ? read with { Weight = weight } : null;
        }

        if (node.Kind == ConfigNodeKind.Scalar)
            return ReadEndpoint(node.Text, path);
        _errors.Add(new ConfigurationError(path, "is a list where an address with a port is needed"));
        return null;
    }

    private EndpointSpec? ReadEndpoint(string text, string path)
    {
        const string Original = "original";
        if (text == Original)
            return new EndpointSpec();
        if (text.StartsWith(Original + ":", StringComparison.Ordinal) && ushort.TryParse(text.AsSpan(Original.Length + 1), out ushort port) && port > 0)
            return new EndpointSpec { Port = port };
        if (ParseEndPoint(text) is { } address)
            return new EndpointSpec { Address = address };
        _errors.Add(new ConfigurationError(path,
            "is not an address with a port, such as 10.1.0.2:15008 or \"[2001:db8::2]:15008\", and not original or original:PORT", text));
        return null;
    }

    private CertificateSpec ReadCertificate(ConfigNode node, string path)
    {
        MappingReader reader = MappingReader.Open(node, path, RelayKeys.Certificate, _errors);
        return new CertificateSpec
        {
            Certificate = reader.Text("certificate", "the file with the certificate"),
            Key = reader.Text("key", "the file with its key"),
            Names = Texts(reader, "names"),
        };
    }

    private AuthorizationSpec ReadAuthorization(ConfigNode node)
    {
        MappingReader reader = MappingReader.Open(node, "authorization", RelayKeys.Authorization, _errors);
        return new AuthorizationSpec
        {
            Default = reader.Choice("default", RelayKeys.Actions) ?? PolicyAction.Allow,
            Policies = [.. reader.Items("policies", "each policy").Select(item => ReadPolicy(item.Node, item.Path))],
        };
    }

    private PolicySpec ReadPolicy(ConfigNode node, string path)
    {
        MappingReader reader = MappingReader.Open(node, path, RelayKeys.Policy, _errors);
        return new PolicySpec
        {
            Name = reader.Text("name", "the name of the policy, which refusals tell,"),
            Action = reader.Choice("action", RelayKeys.Actions, isNeeded: true) ?? PolicyAction.Deny,
            DryRun = reader.Flag("dry_run"),
            Listeners = Texts(reader, "listeners"),
            Identities = Patterns(reader, "identities"),
            Namespaces = Texts(reader, "namespaces"),
            Addresses = Prefixes(reader, "addresses"),
            Methods = Methods(reader),
            ServerNames = Texts(reader, "server_names"),
            Destinations = Prefixes(reader, "destinations"),
            Ports = reader.Integers("ports", "each port", RelayKeys.Port),
        };
    }

    private RelayLimits ReadLimits(ConfigNode node)
    {
        MappingReader reader = MappingReader.Open(node, "limits", RelayKeys.Limits, _errors);
        var usual = new RelayLimits();
        return new RelayLimits
        {
            Connections = (int)reader.Integer("connections", new IntRange("number of connections", 1, 1_000_000), usual.Connections),
            ConnectionsPerSource = (int)reader.Integer("connections_per_source", new IntRange("number of connections", 0, 1_000_000), usual.ConnectionsPerSource),
            HandshakeTimeout = Duration(reader, "handshake_timeout", usual.HandshakeTimeout),
            ConnectTimeout = Duration(reader, "connect_timeout", usual.ConnectTimeout),
            IdleTimeout = Duration(reader, "idle_timeout", usual.IdleTimeout),
            DrainTimeout = Duration(reader, "drain_timeout", usual.DrainTimeout),
            EjectAfter = (int)reader.Integer("eject_after", new IntRange("number of connections", 0, 1000), usual.EjectAfter),
            EjectFor = Duration(reader, "eject_for", usual.EjectFor),
        };
    }
}
