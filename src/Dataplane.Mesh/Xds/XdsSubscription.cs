namespace Dataplane.Mesh.Xds;

/// <summary>What is asked of one type of resource, and what was accepted of it last: the side of the client in the state-of-the-world protocol.</summary>
/// <remarks>
/// Every answer is answered: with its version and nonce when it is good (ACK), with its nonce, the version accepted before, and the reason when it is not (NACK); a
/// NACK leaves what was accepted in force. A version is one type's; a nonce is one stream's. A subscription that changes is told with the version and nonce as they are.
/// </remarks>
/// <param name="typeUrl">The type.</param>
internal sealed class XdsSubscription(string typeUrl)
{
    /// <summary>INVALID_ARGUMENT of google.rpc.Code.</summary>
    private const ulong InvalidArgument = 3;

    private HashSet<string> _names = [];
    private string _version = "";
    private string _nonce = "";
    private bool _isAsked;

    /// <summary>The type.</summary>
    public string TypeUrl => typeUrl;

    /// <summary>What is wanted; empty: everything the server has of this type, for the types where that can be asked.</summary>
    public IReadOnlyList<string> Names { get; private set; } = [];

    /// <summary>Whether one of them is called so.</summary>
    public bool IsWanted(string name) => _names.Contains(name);

    /// <summary>A stream begins: nonces of the one before mean nothing, versions do.</summary>
    public void BeginStream() => (_nonce, _isAsked) = ("", false);

    /// <summary>Asks for the first time on a stream.</summary>
    /// <param name="names">What is wanted.</param>
    /// <param name="node">Who asks, which the first message of a stream says; null in others.</param>
    public byte[] Ask(IReadOnlyList<string> names, ProtobufWriter? node)
    {
        if (!ReferenceEquals(Names, names))
        {
            (Names, _names) = (names, names.ToHashSet(StringComparer.Ordinal));
        }

        _isAsked = true;
        return Request(_version, problem: null, node);
    }

    /// <summary>Asks for others than before.</summary>
    /// <returns>The message; null when they are the same.</returns>
    public byte[]? Change(IReadOnlyList<string> names)
    {
        if (_isAsked ? ReferenceEquals(Names, names) || Names.SequenceEqual(names, StringComparer.Ordinal) : names.Count == 0)
        {
            return null;
        }

        return Ask(names, node: null);
    }

    /// <summary>An answer was good, and is in force.</summary>
    public byte[] Accept(XdsResponse response)
    {
        (_version, _nonce) = (response.Version, response.Nonce);
        return Request(_version, problem: null, node: null);
    }

    /// <summary>An answer was wrong; nothing of it is in force.</summary>
    public byte[] Refuse(XdsResponse response, string problem)
    {
        _nonce = response.Nonce;
        return Request(_version, problem, node: null);
    }

    private byte[] Request(string version, string? problem, ProtobufWriter? node)
    {
        ProtobufWriter request = new ProtobufWriter().Text(1, version);
        if (node is not null)
        {
            request.Message(2, node);
        }

        request.Texts(3, Names).Text(4, typeUrl).Text(5, _nonce);
        if (problem is not null)
        {
            request.Message(6, new ProtobufWriter().Number(1, InvalidArgument).Text(2, problem));
        }

        return request.Written.ToArray();
    }
}
