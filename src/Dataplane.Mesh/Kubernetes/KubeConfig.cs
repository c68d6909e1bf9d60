using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Dataplane.Mesh.Identity;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Dataplane.Mesh.Kubernetes;

/// <summary>Reads the file in which kubectl keeps clusters and credentials: contexts, authorities, certificates and tokens, in files or in the file itself.</summary>
/// <remarks>Credentials that a program must be asked for (<c>exec</c>, <c>auth-provider</c>) are refused: a gateway starts no programs that a file names.</remarks>
internal sealed class KubeConfig(string path)
{
    private readonly string _folder = Path.GetDirectoryName(Path.GetFullPath(path)) ?? "/";

    /// <summary>Reads a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="context">Name of the context; empty: the current one.</param>
    /// <exception cref="IOException">It cannot be read, or something that is needed is not in it; the message says what.</exception>
    public static ClusterAccess Read(string path, string context)
    {
        try
        {
            return new KubeConfig(path).Read(context);
        }
        catch (Exception error) when (error is YamlException or FormatException or CryptographicException or UnauthorizedAccessException or ArgumentException or UriFormatException)
        {
            throw new IOException($"{path}: {error.Message}", error);
        }
    }

    private ClusterAccess Read(string contextName)
    {
        var stream = new YamlStream();
        stream.Load(new StringReader(File.ReadAllText(path)));
        ObjectNode root = stream.Documents.Count > 0 ? new ObjectNode(stream.Documents[0].RootNode) : default;
        string name = contextName.Length > 0 ? contextName : root.Text("current-context");
        if (name.Length == 0)
        {
            throw new IOException($"{path}: has no current-context; name one with the key context");
        }

        ObjectNode context = Named(root, "contexts", name)["context"];
        ObjectNode cluster = Named(root, "clusters", context.Text("cluster"))["cluster"];
        ObjectNode user = context.Text("user") is { Length: > 0 } userName ? Named(root, "users", userName)["user"] : default;
        foreach (string program in new[] { "exec", "auth-provider" })
        {
            if (user.Has(program))
            {
                throw new IOException($"{path}: user {context.Text("user")} gets credentials from a program ({program}); write a token, a token file or a certificate there");
            }
        }

        if (cluster.Text("insecure-skip-tls-verify") == "true")
        {
            throw new IOException($"{path}: cluster {context.Text("cluster")} asks for insecure-skip-tls-verify, which would show the token to anybody; write certificate-authority in its place");
        }

        string server = cluster.Text("server");
        return new ClusterAccess
        {
            Server = Uri.TryCreate(server, UriKind.Absolute, out Uri? uri) && uri.Scheme is "http" or "https" ? uri
                : throw new IOException($"{path}: server \"{server}\" of cluster {context.Text("cluster")} is no address such as https://10.0.0.1:6443"),
            Authorities = Authorities(cluster),
            ServerName = cluster.Text("tls-server-name"),
            Certificate = Certificate(user),
            Token = user.Text("token"),
            TokenFile = user.Text("tokenFile") is { Length: > 0 } file && user.Text("token").Length == 0 ? Path.GetFullPath(file, _folder) : "",
        };
    }

    private ObjectNode Named(ObjectNode root, string list, string name)
    {
        foreach (ObjectNode item in root.Items(list))
        {
            if (item.Text("name") == name)
            {
                return item;
            }
        }

        throw new IOException($"{path}: there is no \"{name}\" among its {list}");
    }

    private X509Certificate2Collection? Authorities(ObjectNode cluster)
    {
        if (cluster.Text("certificate-authority-data") is { Length: > 0 } data)
        {
            var authorities = new X509Certificate2Collection();
            authorities.ImportFromPem(Encoding.ASCII.GetString(Convert.FromBase64String(data)));
            return authorities.Count > 0 ? authorities : throw new IOException($"{path}: there is no certificate in certificate-authority-data");
        }

        return cluster.Text("certificate-authority") is { Length: > 0 } file ? PemFiles.ReadAuthorities(Path.GetFullPath(file, _folder)) : null;
    }

    private SslStreamCertificateContext? Certificate(ObjectNode user)
    {
        string? certificate = Pem(user, "client-certificate"), key = Pem(user, "client-key");
        if (certificate is null || key is null)
        {
            return certificate is null && key is null ? null : throw new IOException($"{path}: client-certificate and client-key are needed both");
        }

        var intermediates = new X509Certificate2Collection();
        intermediates.ImportFromPem(certificate);
        intermediates.RemoveAt(0);
        return SslStreamCertificateContext.Create(X509Certificate2.CreateFromPem(certificate, key), intermediates, offline: true);
    }

    private string? Pem(ObjectNode user, string key) => user.Text($"{key}-data") is { Length: > 0 } data ? Encoding.ASCII.GetString(Convert.FromBase64String(data))
        : user.Text(key) is { Length: > 0 } file ? File.ReadAllText(Path.GetFullPath(file, _folder)) : null;
}
