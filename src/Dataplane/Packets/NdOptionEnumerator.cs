namespace Dataplane.Packets;

/// <summary>Walks the options of a neighbour discovery message; for <c>foreach</c>.</summary>
public ref struct NdOptionEnumerator
{
    private ReadOnlySpan<byte> _rest;
    private ReadOnlySpan<byte> _option;
    private bool _malformed;

    internal NdOptionEnumerator(ReadOnlySpan<byte> options) => _rest = options;

    /// <summary>The option reached; valid after <see cref="MoveNext"/> returned true.</summary>
    public readonly NdOption Current => new(_option);

    /// <summary>Whether the walk ended at an option of length zero or one that does not fit the message.</summary>
    public readonly bool IsMalformed => _malformed;

    /// <summary>This walker.</summary>
    public readonly NdOptionEnumerator GetEnumerator() => this;

    /// <summary>Goes to the next option; false at the end or at a malformed option.</summary>
    public bool MoveNext()
    {
        if (_rest.IsEmpty)
        {
            return false;
        }

        if (_rest.Length < NdOption.UnitBytes || _rest[1] == 0 || _rest[1] * NdOption.UnitBytes > _rest.Length)
        {
            _malformed = true;
            _rest = default;
            return false;
        }

        _option = _rest[..(_rest[1] * NdOption.UnitBytes)];
        _rest = _rest[_option.Length..];
        return true;
    }

    /// <summary>Whether all options fit: a message with one that does not must be dropped as a whole (RFC 4861, 6.1 and 7.1).</summary>
    internal static bool AreWellFormed(ReadOnlySpan<byte> options)
    {
        var walker = new NdOptionEnumerator(options);
        while (walker.MoveNext())
        {
        }

        return !walker.IsMalformed;
    }

    /// <summary>The first link-layer address of a kind.</summary>
    internal static bool TryFindLinkLayerAddress(ReadOnlySpan<byte> options, byte kind, out MacAddress address)
    {
        foreach (NdOption option in new NdOptionEnumerator(options))
        {
            if (option.Kind == kind && option.TryGetLinkLayerAddress(out address))
            {
                return true;
            }
        }

        address = default;
        return false;
    }
}
