namespace Dataplane.Packets;

/// <summary>Walks the options of an IPv4 header, padding left out; for <c>foreach</c>.</summary>
public ref struct Ipv4OptionEnumerator
{
    private ReadOnlySpan<byte> _rest;
    private ReadOnlySpan<byte> _option;
    private bool _malformed;

    internal Ipv4OptionEnumerator(ReadOnlySpan<byte> options) => _rest = options;

    /// <summary>The option reached; valid after <see cref="MoveNext"/> returned true.</summary>
    public readonly Ipv4Option Current => new(_option);

    /// <summary>Whether the walk ended at an option whose length is impossible.</summary>
    public readonly bool IsMalformed => _malformed;

    /// <summary>This walker.</summary>
    public readonly Ipv4OptionEnumerator GetEnumerator() => this;

    /// <summary>Goes to the next option; false at the end of the list or at a malformed option.</summary>
    public bool MoveNext() => KindLengthOptions.TryNext(ref _rest, out _option, ref _malformed);
}
