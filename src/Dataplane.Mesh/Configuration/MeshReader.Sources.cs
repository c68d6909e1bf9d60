using System.Net;
using Dataplane.Configuration;
using Dataplane.Mesh.Sources;
using Dataplane.Names;

namespace Dataplane.Mesh.Configuration;

/// <summary>Sources.</summary>
internal sealed partial class MeshReader
{
    private MeshSourceSpec ReadSource(ConfigNode node, string path)
    {
        MappingReader map = MappingReader.Open(node, path, MeshKeys.Source, _errors);
        MeshSourceKind? kind = map.Choice("kind", MeshKeys.SourceKinds, isNeeded: true);
        string folder = node.File is { } file ? Path.GetDirectoryName(Path.GetFullPath(file)) ?? "/" : Directory.GetCurrentDirectory();
        string InFolder(string text) => text.Length > 0 ? Path.GetFullPath(text, folder) : "";
        IReadOnlyList<string> members = Texts(map, "members", (text, _) => text);
        var source = new MeshSourceSpec
        {
            Kind = kind ?? default,
            Files = [.. Texts(map, "files", (text, _) => InFolder(text))],
            Api = map.Text("api"),
            Kubeconfig = InFolder(map.Text("kubeconfig")),
            Context = map.Text("context"),
            CertificateAuthority = InFolder(map.Text("ca")),
            Namespaces = Texts(map, "namespaces", (text, _) => text),
            Endpoints = [.. map.Text("listen") is { Length: > 0 } listen ? [listen] : Array.Empty<string>(), .. kind == MeshSourceKind.Registration ? [] : members],
            Registries = kind == MeshSourceKind.Registration ? members : [],
            Prefix = map.Text("prefix") is { Length: > 0 } prefix ? prefix : "/dataplane/mesh/",
            TokenFile = InFolder(map.Text("token_file")),
            Servers = [.. Texts(map, "servers", ReadUpstream).Where(server => server is not null).Select(server => server!)],
            Clusters = Texts(map, "clusters", (text, _) => text),
            Node = map.Text("node"),
            NodeCluster = map.Text("node_cluster"),
            Certificate = InFolder(map.Text("certificate")),
            Key = InFolder(map.Text("key")),
            File = InFolder(map.Text("file")),
            Project = map.Text("project"),
            Projects = InFolder(map.Text("projects")),
            Lookups = [.. map.Items("lookups", "each lookup").Select(item => ReadLookup(item.Node, item.Path))],
        };
        foreach ((MeshSourceKind owner, string word, string[] keys) in new[] { (MeshSourceKind.Xds, "xds", MeshKeys.XdsOnly), (MeshSourceKind.Compose, "compose", MeshKeys.ComposeOnly) })
        {
            foreach (string key in kind is null || kind == owner ? [] : keys)
            {
                if (map.Value(key) is not null)
                {
                    map.Error(key, $"has no meaning here: it goes with kind: {word}; take it out", null);
                }
            }
        }

        switch (kind)
        {
            case MeshSourceKind.Dns when source.Lookups.Count == 0:
                map.Error("lookups", "is missing: a list is needed, such as [ { name: db.example.org, service: db, port: 5432 } ]", null);
                break;
            case MeshSourceKind.Compose when source.File.Length == 0:
                map.Error("file", "is missing: a compose file is needed, such as compose.yaml", null);
                break;
            case MeshSourceKind.Kubernetes:
                CheckKubernetes(in map, source);
                break;
            case MeshSourceKind.Xds:
                CheckXds(in map, source);
                break;
            case MeshSourceKind.Registration:
                CheckRegistration(in map, source);
                break;
            case MeshSourceKind.Etcd when !source.Endpoints.Any(IsHttp):
                map.Error("members", "has no address of a member, such as http://127.0.0.1:2379", source.Endpoints.Count > 0 ? source.Endpoints[0] : null);
                break;
        }

        return source;
    }

    private static void CheckRegistration(in MappingReader map, MeshSourceSpec source)
    {
        if (source.Endpoints.Count > 0 ? !IPEndPoint.TryParse(source.Endpoints[0], out _) : source.Registries.Count == 0)
        {
            map.Error("listen", "is not an address with a port to listen at, such as 127.0.0.1:7070; or members says which registry to follow", source.Endpoints is [var given, ..] ? given : null);
        }

        foreach (string member in source.Registries.Where(text => !IsHttp(text)))
        {
            map.Error("members", "is not the address of a registry, such as http://10.1.0.1:7070", member);
        }
    }

    private static void CheckXds(in MappingReader map, MeshSourceSpec source)
    {
        if (source.Endpoints.Count == 0)
        {
            map.Error("members", "is missing: addresses of discovery servers are needed, such as [ http://127.0.0.1:18000 ]", null);
        }

        foreach (string member in source.Endpoints.Where(text => !IsHttp(text)))
        {
            map.Error("members", "is not the address of a discovery server, such as http://127.0.0.1:18000", member);
        }

        bool isTls = source.Endpoints.Any(text => text.StartsWith("https:", StringComparison.OrdinalIgnoreCase));
        foreach ((string key, string value) in new[] { ("ca", source.CertificateAuthority), ("certificate", source.Certificate) })
        {
            if (value.Length > 0 && !isTls)
            {
                map.Error(key, "has no meaning here: no server in members is asked by https", value);
            }
        }

        if (source.Certificate.Length > 0 != source.Key.Length > 0)
        {
            map.Error(source.Key.Length > 0 ? "certificate" : "key", "is missing: a certificate and its key go together", null);
        }

        foreach (string name in source.Clusters.Where(name => !Xds.ClusterName.TryParse(name, out _)))
        {
            map.Error("clusters", "means no service: SERVICE, NAMESPACE/SERVICE, both with :PORT behind, or outbound|PORT||SERVICE.NAMESPACE.svc.DOMAIN is understood", name);
        }
    }

    private MeshLookupSpec ReadLookup(ConfigNode node, string path)
    {
        MappingReader map = MappingReader.Open(node, path, MeshKeys.Lookup, _errors);
        string name = DomainName.Normalise(map.Text("name", "a name such as db.example.org"));
        if (name.Length > 0 && DomainName.ProblemOf(name) is { } problem)
        {
            map.Error("name", problem, name);
        }

        return new MeshLookupSpec
        {
            Name = name,
            Service = Label(map, "service", isNeeded: true),
            Namespace = Label(map, "namespace", isNeeded: false) is { Length: > 0 } space ? space : "default",
            Port = (ushort)map.Integer("port", s_port, 0),
            TargetPort = (ushort)map.Integer("target_port", s_port, 0),
            Protocol = map.Choice("protocol", MeshKeys.Protocols) ?? 6,
        };
    }

    private static bool IsHttp(string text) => Uri.TryCreate(text, UriKind.Absolute, out Uri? uri) && uri.Scheme is "http" or "https";

    private static void CheckKubernetes(in MappingReader map, MeshSourceSpec source)
    {
        int ways = (source.Files.Count > 0 ? 1 : 0) + (source.Api.Length > 0 ? 1 : 0) + (source.Kubeconfig.Length > 0 ? 1 : 0);
        if (ways == 0)
        {
            map.Error("files", "is missing: files with manifests are needed, such as [ manifests/*.yaml ], or an API server by api or kubeconfig", null);
        }
        else if (ways > 1)
        {
            map.Error(source.Api.Length > 0 ? "api" : "kubeconfig", "is there with another place to read from; one of files, api and kubeconfig makes a source", null);
        }

        if (source.Api.Length > 0 && source.Api != MeshSourceSpec.InCluster && !IsHttp(source.Api))
        {
            map.Error("api", $"is neither {MeshSourceSpec.InCluster} nor the address of an API server, such as https://10.0.0.1:6443", source.Api);
        }

        foreach ((string key, bool isThere, bool isFitting) in new[]
        {
            ("context", source.Context.Length > 0, source.Kubeconfig.Length > 0),
            ("ca", source.CertificateAuthority.Length > 0, IsHttp(source.Api)),
            ("token_file", source.TokenFile.Length > 0, IsHttp(source.Api)),
            ("namespaces", source.Namespaces.Count > 0, source.Files.Count == 0),
        })
        {
            if (isThere && !isFitting)
            {
                map.Error(key, $"has no meaning here: it goes with {(key == "context" ? "kubeconfig" : key == "namespaces" ? "api or kubeconfig" : "the address of an API server in api")}; take it out", null);
            }
        }

        foreach (string name in source.Namespaces)
        {
            if (DomainName.ProblemOfLabel(name) is { } problem)
            {
                map.Error("namespaces", problem, name);
            }
        }
    }
}
