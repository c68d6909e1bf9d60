using System.Diagnostics.CodeAnalysis;

namespace Dataplane.Mesh.Identity;

/// <summary>
/// Which identities are meant: one (<c>spiffe://example.org/ns/shop/sa/web</c>), all below a path (<c>spiffe://example.org/ns/shop/*</c>) or all of
/// a trust domain (<c>spiffe://example.org</c>). Immutable; any thread.
/// </summary>
/// <remarks>A prefix ends at a slash, so that <c>/ns/shop/*</c> never means <c>/ns/shopping</c>.</remarks>
public sealed class SpiffePattern
{
    private const string AnyBelow = "/*";
    private readonly string _trustDomain;

    /// <summary>The path that must be the whole one, or, for a prefix, begin it; null for a whole trust domain.</summary>
    private readonly string? _path;
    private readonly bool _isPrefix;

    private SpiffePattern(string text, SpiffeId id, bool isPrefix)
    {
        Text = text;
        _trustDomain = id.TrustDomain;
        _isPrefix = isPrefix;
        _path = id.Path.Length == 0 ? null : isPrefix ? id.Path + "/" : id.Path;
    }

    /// <summary>The pattern as it was written.</summary>
    public string Text { get; }

    /// <summary>Reads a pattern.</summary>
    /// <exception cref="FormatException">It is none; the message says why.</exception>
    public static SpiffePattern Parse(string text) =>
        TryParse(text, out SpiffePattern? pattern, out string problem) ? pattern : throw new FormatException($"\"{text}\" {problem}");

    /// <summary>Reads a pattern, and says what is wrong with a text that is none.</summary>
    /// <param name="text">The text; a null is no pattern.</param>
    /// <param name="pattern">The pattern, when there is one.</param>
    /// <param name="problem">What is wrong, to stand behind the text; empty when nothing is.</param>
    public static bool TryParse(string? text, [NotNullWhen(true)] out SpiffePattern? pattern, out string problem)
    {
        pattern = null;
        bool isPrefix = text is not null && text.EndsWith(AnyBelow, StringComparison.Ordinal);
        if (!SpiffeId.TryParse(isPrefix ? text![..^AnyBelow.Length] : text, out SpiffeId? id, out problem))
        {
            if (text is not null && text.Contains('*', StringComparison.Ordinal))
                problem += "; a '*' may stand only behind the last slash";
            return false;
        }

        pattern = new SpiffePattern(text!, id, isPrefix);
        return true;
    }

    /// <summary>Whether an identity is meant.</summary>
    public bool Matches(SpiffeId id)
    {
        ArgumentNullException.ThrowIfNull(id);
        if (id.TrustDomain != _trustDomain)
            return false;
        return _path is null || (_isPrefix ? id.Path.StartsWith(_path, StringComparison.Ordinal) : id.Path == _path);
    }

    /// <inheritdoc/>
    public override string ToString() => Text;
}
