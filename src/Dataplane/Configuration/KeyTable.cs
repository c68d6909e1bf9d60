namespace Dataplane.Configuration;

/// <summary>The keys of one kind of mapping.</summary>
/// <param name="Subject">What the mapping describes, with article, such as <c>a backend</c>.</param>
/// <param name="Keys">The known keys, in the order they are documented and written.</param>
internal sealed record KeyTable(string Subject, params string[] Keys)
{
    /// <summary>The error of a key that is not one of them.</summary>
    public string Unknown(string key) => $"is not a key of {Subject} ({string.Join(", ", Keys)}){WordList.DidYouMean(key, Keys)}";
}
