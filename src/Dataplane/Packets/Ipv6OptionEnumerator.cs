namespace Dataplane.Packets;

/// <summary>Walks the options of a hop-by-hop or destination options header, padding left out; for <c>foreach</c>.</summary>
public ref struct Ipv6OptionEnumerator
{
    private ReadOnlySpan<byte> _rest;
    private ReadOnlySpan<byte> _option;
    private bool _malformed;

    internal Ipv6OptionEnumerator(ReadOnlySpan<byte> options) => _rest = options;

    /// <summary>The option reached; valid after <see cref="MoveNext"/> returned true.</summary>
    public readonly Ipv6Option Current => new(_option[0], _option[2..]);

    /// <summary>Whether the walk ended at an option that does not fit its header.</summary>
    public readonly bool IsMalformed => _malformed;

    /// <summary>This walker.</summary>
    public readonly Ipv6OptionEnumerator GetEnumerator() => this;

    /// <summary>Goes to the next option; false at the end of the header or at a malformed option.</summary>
    public bool MoveNext()
    {
        while (!_rest.IsEmpty)
        {
            if (_rest[0] == Ipv6OptionKinds.Pad1)
            {
                _rest = _rest[1..];
                continue;
            }

            if (_rest.Length < 2 || _rest[1] + 2 > _rest.Length)
            {
                _malformed = true;
                _rest = default;
                return false;
            }

            _option = _rest[..(_rest[1] + 2)];
            _rest = _rest[_option.Length..];
            if (_option[0] != Ipv6OptionKinds.PadN)
            {
                return true;
            }
        }

        return false;
    }
}
