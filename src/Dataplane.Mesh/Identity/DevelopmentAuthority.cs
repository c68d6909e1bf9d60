using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Dataplane.Mesh.Identity;

/// <summary>
/// A certificate authority in a directory, for development, tests and small installations: ECDSA P-256, short lives, X.509-SVIDs with their SPIFFE
/// identity as only URI. Its key lies there unencrypted, readable by its owner; production takes SPIRE or another issuer of SVIDs. One caller at a time.
/// </summary>
public sealed class DevelopmentAuthority
{
    private const string CertificateFile = "ca.pem", KeyFile = "ca.key", BundleFile = "bundle.pem";

    /// <summary>Clocks of one cluster differ by less.</summary>
    private static readonly TimeSpan s_clockSkew = TimeSpan.FromMinutes(5);

    private readonly string _folder;
    private readonly TimeProvider _time;

    private DevelopmentAuthority(string folder, TimeProvider time)
    {
        _folder = folder;
        _time = time;
    }

    /// <summary>The file that relays take as bundle: all authorities of this directory that are valid, the one in use first.</summary>
    public string BundlePath => Path.Combine(_folder, BundleFile);

    /// <summary>Makes an authority, or, with <paramref name="rotate"/>, the next one: the bundle then holds both, so that what the last one gave out is believed to its end.</summary>
    /// <param name="folder">The directory; it is made if it is not there.</param>
    /// <param name="trustDomain">Such as <c>example.org</c>.</param>
    /// <param name="life">How long the authority is valid.</param>
    /// <param name="rotate">Whether there is one already.</param>
    /// <param name="time">The clock; the system's when left out.</param>
    /// <exception cref="IOException">There is one and <paramref name="rotate"/> is not set, or there is none and it is, or the directory cannot be written to.</exception>
    public static DevelopmentAuthority Create(string folder, string trustDomain, TimeSpan life, bool rotate = false, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(folder);
        if (!SpiffeId.IsTrustDomain(trustDomain))
            throw new IOException($"\"{trustDomain}\" is no trust domain: lower-case letters, digits, '.', '-' and '_' are allowed, such as example.org");
        var authority = new DevelopmentAuthority(folder, time ?? TimeProvider.System);
        bool exists = File.Exists(Path.Combine(folder, KeyFile));
        if (exists != rotate)
        {
            throw new IOException(exists
                ? $"{folder} holds an authority already: rotate it, or choose another directory"
                : $"{folder} holds no authority that could be rotated");
        }

        Directory.CreateDirectory(folder);
        authority.Make(trustDomain, life, rotate);
        return authority;
    }

    /// <summary>Opens the authority of a directory.</summary>
    /// <exception cref="IOException">There is none.</exception>
    public static DevelopmentAuthority Open(string folder, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(folder);
        return File.Exists(Path.Combine(folder, KeyFile))
            ? new DevelopmentAuthority(folder, time ?? TimeProvider.System)
            : throw new IOException($"{folder} holds no authority: make one with \"dataplane mesh ca init {folder}\"");
    }

    /// <summary>Gives out a certificate and writes it with its key: PEM, the certificate first and its issuer not with it, since relays have it in the bundle.</summary>
    /// <param name="id">Whom it is for; its trust domain must be the authority's.</param>
    /// <param name="certificatePath">Where the certificate goes; a file there is replaced at once.</param>
    /// <param name="keyPath">Where the key goes, readable by its owner only.</param>
    /// <param name="life">How long it is valid, counted from now; never longer than the authority.</param>
    /// <param name="dnsNames">DNS names that it has besides.</param>
    /// <exception cref="IOException">The authority is another trust domain's or has ended, or a file cannot be written.</exception>
    public void Issue(SpiffeId id, string certificatePath, string keyPath, TimeSpan life, params IReadOnlyList<string> dnsNames)
    {
        ArgumentNullException.ThrowIfNull(id);
        ArgumentNullException.ThrowIfNull(dnsNames);
        using X509Certificate2 issuer = X509Certificate2.CreateFromPemFile(Path.Combine(_folder, CertificateFile), Path.Combine(_folder, KeyFile));
        string own = $"spiffe://{id.TrustDomain}";
        if (issuer.GetNameInfo(X509NameType.UrlName, forIssuer: false) is var url && url != own)
            throw new IOException($"{id}: the authority in {_folder} is that of {url}");
        if (id.Path.Length == 0)
            throw new IOException($"{id} names a trust domain and no workload: add a path, such as {id}/ns/shop/sa/web");
        DateTimeOffset now = _time.GetUtcNow(), end = now + life;
        if (issuer.NotAfter.ToUniversalTime() <= now)
            throw new IOException($"the authority in {_folder} has ended at {issuer.NotAfter.ToUniversalTime():u}: rotate it");
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = Request($"CN={Last(id.Path)}", key, id.Text, dnsNames);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(X509Svid.ServerUse), new Oid(X509Svid.ClientUse)], false));
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(issuer, true, false));
        using X509Certificate2 made = request.Create(issuer, Later(now - s_clockSkew, issuer.NotBefore.ToUniversalTime()),
            Earlier(end, issuer.NotAfter.ToUniversalTime()), Serial());

        // The key first: a relay that looks between the two sees a pair that does not fit and looks again.
        Replace(keyPath, key.ExportPkcs8PrivateKeyPem(), isSecret: true);
        Replace(certificatePath, made.ExportCertificatePem() + "\n", isSecret: false);
    }

    /// <summary>The bundle: all authorities of this directory that are valid, as PEM.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    public string ReadBundle() => File.ReadAllText(BundlePath);

    private void Make(string trustDomain, TimeSpan life, bool keepsOld)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = Request($"CN=Development authority of {trustDomain}", key, $"spiffe://{trustDomain}", []);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, true, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        DateTimeOffset now = _time.GetUtcNow();
        using X509Certificate2 made = request.CreateSelfSigned(now - s_clockSkew, now + life);
        string certificate = made.ExportCertificatePem() + "\n";
        string bundle = certificate + (keepsOld ? StillValid(now) : "");

        // Whoever reads between the writes must find the new authority believed before anything comes from it.
        Replace(BundlePath, bundle, isSecret: false);
        Replace(Path.Combine(_folder, KeyFile), key.ExportPkcs8PrivateKeyPem(), isSecret: true);
        Replace(Path.Combine(_folder, CertificateFile), certificate, isSecret: false);
    }

    private string StillValid(DateTimeOffset now)
    {
        X509Certificate2Collection old = PemFiles.ReadAuthorities(BundlePath);
        return string.Concat(old.Where(authority => authority.NotAfter.ToUniversalTime() > now).Select(authority => authority.ExportCertificatePem() + "\n"));
    }

    private static CertificateRequest Request(string subject, ECDsa key, string uri, IReadOnlyList<string> dnsNames)
    {
        var request = new CertificateRequest(subject, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509SubjectAlternativeNameExtension(Names(uri, dnsNames)));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        return request;
    }

    /// <summary>Written here, letter by letter: the runtime's builder takes a Uri, which puts a slash behind a bare trust domain.</summary>
    private static byte[] Names(string uri, IReadOnlyList<string> dnsNames)
    {
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            writer.WriteCharacterString(UniversalTagNumber.IA5String, uri, new Asn1Tag(TagClass.ContextSpecific, 6));
            foreach (string name in dnsNames)
                writer.WriteCharacterString(UniversalTagNumber.IA5String, name, new Asn1Tag(TagClass.ContextSpecific, 2));
        }

        return writer.Encode();
    }

    /// <summary>Positive, and not to be guessed (RFC 5280, 4.1.2.2).</summary>
    private static byte[] Serial()
    {
        byte[] serial = RandomNumberGenerator.GetBytes(16);
        serial[0] = (byte)((serial[0] & 0x7F) | 0x40);
        return serial;
    }

    /// <summary>Common names are at most 64 characters long (RFC 5280, appendix A.1); nothing looks at them.</summary>
    private static string Last(string path) => path[(path.LastIndexOf('/') + 1)..] is { Length: <= 64 } last ? last : "workload";

    private static DateTimeOffset Earlier(DateTimeOffset a, DateTimeOffset b) => a < b ? a : b;

    private static DateTimeOffset Later(DateTimeOffset a, DateTimeOffset b) => a > b ? a : b;

    /// <summary>Writes beside and renames over, so that no reader sees half a file.</summary>
    private static void Replace(string path, string text, bool isSecret)
    {
        string beside = $"{path}.new";
        File.Delete(beside);
        UnixFileMode mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | (isSecret ? 0 : UnixFileMode.GroupRead | UnixFileMode.OtherRead);
        try
        {
            var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
            if (!OperatingSystem.IsWindows())
                options.UnixCreateMode = mode;
            using (var file = new StreamWriter(new FileStream(beside, options)))
                file.Write(text);
            File.Move(beside, path, overwrite: true);
        }
        catch (UnauthorizedAccessException refused)
        {
            throw new IOException($"{path} cannot be written: {refused.Message}", refused);
        }
    }
}
