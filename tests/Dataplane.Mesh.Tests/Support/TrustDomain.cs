using Dataplane.Mesh.Identity;

namespace Dataplane.Mesh.Tests.Support;

/// <summary>A trust domain with its authority, and the files of the workloads in it.</summary>
internal sealed class TrustDomain : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly string _name;
    private int _files;

    internal TrustDomain(string name = "example.org")
    {
        _name = name;
        Authority = DevelopmentAuthority.Create(_folder["ca"], name, TimeSpan.FromDays(1));
    }

    internal DevelopmentAuthority Authority { get; private set; }

    internal string NewPath(string name) => _folder[$"{Interlocked.Increment(ref _files)}-{name}"];

    /// <summary>Gives out an identity, such as <c>ns/shop/sa/web</c>, and says where its files are.</summary>
    internal IdentitySpec Issue(string path, TimeSpan? life = null)
    {
        var spec = new IdentitySpec
        {
            Certificate = NewPath("svid.pem"),
            Key = NewPath("svid.key"),
            Bundles = new Dictionary<string, string> { [_name] = Authority.BundlePath },
        };
        Reissue(spec, path, life);
        return spec;
    }

    /// <summary>Replaces the files of an identity by new ones.</summary>
    internal void Reissue(IdentitySpec spec, string path, TimeSpan? life = null) =>
        Authority.Issue(SpiffeId.Parse($"spiffe://{_name}/{path}"), spec.Certificate, spec.Key, life ?? TimeSpan.FromHours(1), "web.test");

    internal void Rotate() => Authority = DevelopmentAuthority.Create(_folder["ca"], _name, TimeSpan.FromDays(1), rotate: true);

    public void Dispose() => _folder.Dispose();
}
