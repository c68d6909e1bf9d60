using System.Diagnostics.CodeAnalysis;

namespace Dataplane.Mesh.Identity;

/// <summary>The name of a workload, such as <c>spiffe://example.org/ns/shop/sa/web</c> (SPIFFE-ID, section 2). Immutable; any thread.</summary>
/// <remarks>Only names that the specification allows can be made, so that two of them are the same name exactly when their texts are.</remarks>
public sealed class SpiffeId : IEquatable<SpiffeId>
{
    /// <summary>Longest text of a name, in bytes (SPIFFE-ID, 2.3).</summary>
    public const int MaxLengthBytes = 2048;

    /// <summary>Longest trust domain, in bytes (SPIFFE-ID, 2.1).</summary>
    public const int MaxTrustDomainBytes = 255;

    private const string Scheme = "spiffe://";

    private SpiffeId(string text, int pathAt)
    {
        Text = text;
        TrustDomain = text[Scheme.Length..pathAt];
        Path = text[pathAt..];
        Namespace = NamespaceOf(Path);
    }

    /// <summary>The whole name.</summary>
    public string Text { get; }

    /// <summary>The trust domain, such as <c>example.org</c>: whose authorities vouch for the name.</summary>
    public string TrustDomain { get; }

    /// <summary>The path with its leading slash; empty for the name of a trust domain itself.</summary>
    public string Path { get; }

    /// <summary>The namespace in paths of the form <c>/ns/NAMESPACE/sa/ACCOUNT</c>, as Kubernetes meshes write them; empty in all others.</summary>
    public string Namespace { get; }

    /// <summary>Reads a name.</summary>
    /// <exception cref="FormatException">It is none; the message says why.</exception>
    public static SpiffeId Parse(string text) =>
        TryParse(text, out SpiffeId? id, out string problem) ? id : throw new FormatException($"\"{text}\" {problem}");

    /// <summary>Reads a name.</summary>
    /// <param name="text">The text; a null is no name.</param>
    /// <param name="id">The name, when there is one.</param>
    public static bool TryParse(string? text, [NotNullWhen(true)] out SpiffeId? id) => TryParse(text, out id, out _);

    /// <summary>Reads a name, and says what is wrong with a text that is none.</summary>
    /// <param name="text">The text; a null is no name.</param>
    /// <param name="id">The name, when there is one.</param>
    /// <param name="problem">What is wrong, to stand behind the text; empty when nothing is.</param>
    public static bool TryParse(string? text, [NotNullWhen(true)] out SpiffeId? id, out string problem)
    {
        id = null;
        problem = ProblemOf(text, out int pathAt);
        if (problem.Length > 0)
            return false;
        id = new SpiffeId(text!, pathAt);
        return true;
    }

    /// <summary>Whether a text is the name of a trust domain.</summary>
    public static bool IsTrustDomain(string? text) => text is { Length: > 0 and <= MaxTrustDomainBytes } && text.All(IsOfTrustDomain);

    /// <inheritdoc/>
    public bool Equals(SpiffeId? other) => other is not null && Text == other.Text;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as SpiffeId);

    /// <inheritdoc/>
    public override int GetHashCode() => Text.GetHashCode(StringComparison.Ordinal);

    /// <inheritdoc/>
    public override string ToString() => Text;

    /// <summary>What is wrong with a path that is to follow a trust domain; empty when nothing is.</summary>
    internal static string PathProblemOf(ReadOnlySpan<char> path)
    {
        foreach (Range range in path[1..].Split('/'))
        {
            ReadOnlySpan<char> segment = path[1..][range];
            if (segment.IsEmpty)
                return "has an empty part in its path: no two slashes in a row, and none at the end";
            if (segment is "." or "..")
                return "has \".\" or \"..\" in its path";
            foreach (char letter in segment)
            {
                if (!char.IsAsciiLetterOrDigit(letter) && letter is not ('.' or '-' or '_'))
                    return $"has '{letter}' in its path: letters, digits, '.', '-' and '_' are allowed";
            }
        }

        return "";
    }

    private static string ProblemOf(string? text, out int pathAt)
    {
        pathAt = 0;
        if (text is null || !text.StartsWith(Scheme, StringComparison.Ordinal))
            return "is no SPIFFE id: it must begin with spiffe://, such as spiffe://example.org/ns/shop/sa/web";
        if (text.Length > MaxLengthBytes)
            return $"is longer than {MaxLengthBytes} characters";
        int slash = text.IndexOf('/', Scheme.Length);
        pathAt = slash < 0 ? text.Length : slash;
        ReadOnlySpan<char> domain = text.AsSpan(Scheme.Length, pathAt - Scheme.Length);
        if (domain.IsEmpty)
            return "has no trust domain";
        if (domain.Length > MaxTrustDomainBytes)
            return $"has a trust domain of more than {MaxTrustDomainBytes} characters";
        foreach (char letter in domain)
        {
            if (!IsOfTrustDomain(letter))
                return $"has '{letter}' in its trust domain: lower-case letters, digits, '.', '-' and '_' are allowed";
        }

        return slash < 0 ? "" : PathProblemOf(text.AsSpan(pathAt));
    }

    private static bool IsOfTrustDomain(char letter) => char.IsAsciiLetterLower(letter) || char.IsAsciiDigit(letter) || letter is '.' or '-' or '_';

    private static string NamespaceOf(string path) => path.Split('/') is ["", "ns", var name, "sa", _] ? name : "";
}
