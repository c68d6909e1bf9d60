using System.Text;
using Dataplane.Mesh.Identity;
using Dataplane.Mesh.Kubernetes;
using Dataplane.Mesh.Tests.Support;

namespace Dataplane.Mesh.Tests.Kubernetes;

/// <summary>The file of kubectl: what is taken from it, and what is said of what is missing.</summary>
public sealed class KubeConfigTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly TrustDomain _domain = new();

    public void Dispose()
    {
        _folder.Dispose();
        _domain.Dispose();
    }

    private ClusterAccess Read(string text, string context = "")
    {
        File.WriteAllText(_folder["config"], text);
        return KubeConfig.Read(_folder["config"], context);
    }

    private static string Config(string cluster = "server: https://h:6443", string user = "token: t", string rest = "current-context: a") => $$"""
        {{rest}}
        contexts: [ { name: a, context: { cluster: c, user: u } }, { name: b, context: { cluster: d } } ]
        clusters: [ { name: c, cluster: { {{cluster}} } }, { name: d, cluster: { server: "http://[::1]:8080" } } ]
        users: [ { name: u, user: { {{user}} } } ]
        """;

    [Fact]
    public void Read_DataInTheFile_IsUsed()
    {
        IdentitySpec own = _domain.Issue("ns/a/sa/b");
        static string Data(string path) => Convert.ToBase64String(Encoding.ASCII.GetBytes(File.ReadAllText(path)));
        ClusterAccess access = Read(Config($"server: https://h:6443, certificate-authority-data: {Data(_domain.Authority.BundlePath)}, insecure-skip-tls-verify: false",
            $"client-certificate-data: {Data(own.Certificate)}, client-key-data: {Data(own.Key)}, token: word"));
        Assert.Equal(("https://h:6443/", "word", 1), (access.Server.AbsoluteUri, access.ReadToken(), access.Authorities!.Count));
        Assert.True(access.Certificate!.TargetCertificate.HasPrivateKey);
        Assert.NotNull(access.ToTls().CertificateChainPolicy);
    }

    [Fact]
    public void Read_AnotherContext_IsThatClusterWithoutCredentials()
    {
        ClusterAccess access = Read(Config(), "b");
        Assert.Equal(("http://[::1]:8080/", "", null), (access.Server.AbsoluteUri, access.ReadToken(), access.Certificate));
    }

    [Theory]
    [InlineData("clusters: [", "config: ")]
    [InlineData("kind: Config", "has no current-context")]
    [InlineData("current-context: x", "there is no \"x\" among its contexts")]
    public void Read_Wrong_IsSaid(string text, string problem) => Assert.Contains(problem, Assert.Throws<IOException>(() => Read(text)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("server: here", "token: t", "is no address such as https://10.0.0.1:6443")]
    [InlineData("server: https://h, certificate-authority: missing.pem", "token: t", "missing.pem")]
    [InlineData("server: https://h, certificate-authority-data: '*'", "token: t", "config: ")]
    [InlineData("server: https://h, insecure-skip-tls-verify: true", "token: t", "asks for insecure-skip-tls-verify")]
    [InlineData("server: https://h", "client-key: k", "client-certificate and client-key are needed both")]
    [InlineData("server: https://h", "exec: { command: get-token }", "gets credentials from a program (exec)")]
    public void Read_WrongPart_IsSaid(string cluster, string user, string problem)
    {
        File.WriteAllText(_folder["k"], "");
        Assert.Contains(problem, Assert.Throws<IOException>(() => Read(Config(cluster, user))).Message, StringComparison.Ordinal);
    }
}
