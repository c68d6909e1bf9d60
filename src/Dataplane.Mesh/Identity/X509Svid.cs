using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Dataplane.Mesh.Identity;

/// <summary>The rules that make a certificate an X.509-SVID of a workload (X509-SVID, sections 2, 4 and 5.2).</summary>
internal static class X509Svid
{
    internal const string ServerUse = "1.3.6.1.5.5.7.3.1", ClientUse = "1.3.6.1.5.5.7.3.2";

    /// <summary>The identity that a certificate carries, if it is an SVID that a workload may show. Never throws on what is in a certificate.</summary>
    /// <param name="certificate">The certificate, whose signature is somebody else's business.</param>
    /// <param name="id">The identity.</param>
    /// <param name="problem">What keeps it from being an SVID; empty when nothing does.</param>
    internal static bool TryRead(X509Certificate2 certificate, out SpiffeId? id, out string problem)
    {
        id = null;
        try
        {
            string? uri = OnlyUri(certificate, out problem);
            if (uri is null)
                return false;
            if (!SpiffeId.TryParse(uri, out id, out problem))
                problem = $"the URI {uri} {problem}";
            else if (id.Path.Length == 0)
                problem = $"{uri} names a trust domain and no workload";
            else
                problem = UsageProblemOf(certificate);
        }
        catch (Exception broken) when (broken is AsnContentException or CryptographicException or ArgumentException)
        {
            problem = "an extension of it cannot be read";
        }

        id = problem.Length == 0 ? id : null;
        return id is not null;
    }

    private static string? OnlyUri(X509Certificate2 certificate, out string problem)
    {
        var uris = new List<string>();
        foreach (X509Extension extension in certificate.Extensions)
        {
            if (extension is X509SubjectAlternativeNameExtension)
                AddUris(extension.RawData, uris);
        }

        problem = uris.Count switch
        {
            0 => "it has no URI as subject alternative name",
            1 => "",
            _ => "it has several URIs as subject alternative names",
        };
        return uris.Count == 1 ? uris[0] : null;
    }

    private static void AddUris(byte[] alternativeNames, List<string> uris)
    {
        // GeneralName ::= CHOICE { ... uniformResourceIdentifier [6] IA5String ... } (RFC 5280, 4.2.1.6)
        var tag = new Asn1Tag(TagClass.ContextSpecific, 6);
        AsnReader names = new AsnReader(alternativeNames, AsnEncodingRules.DER).ReadSequence();
        while (names.HasData)
        {
            if (names.PeekTag().HasSameClassAndValue(tag))
                uris.Add(names.ReadCharacterString(UniversalTagNumber.IA5String, tag));
            else
                names.ReadEncodedValue();
        }
    }

    private static string UsageProblemOf(X509Certificate2 certificate)
    {
        bool hasKeyUsage = false;
        foreach (X509Extension extension in certificate.Extensions)
        {
            switch (extension)
            {
                case X509BasicConstraintsExtension { CertificateAuthority: true }:
                    return "it is the certificate of an authority";
                case X509KeyUsageExtension usage:
                    hasKeyUsage = usage.KeyUsages.HasFlag(X509KeyUsageFlags.DigitalSignature);
                    if ((usage.KeyUsages & (X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign)) != 0)
                        return "its key may sign certificates, which that of a workload may not";
                    break;
                case X509EnhancedKeyUsageExtension uses when !Has(uses, ServerUse) || !Has(uses, ClientUse):
                    return "its extended key usage is not for both TLS servers and TLS clients";
            }
        }

        return hasKeyUsage ? "" : "its key usage is not for digital signatures";
    }

    private static bool Has(X509EnhancedKeyUsageExtension uses, string use) => uses.EnhancedKeyUsages.Cast<Oid>().Any(oid => oid.Value == use);
}
