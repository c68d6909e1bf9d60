namespace Dataplane.Mesh.Xds;

/// <summary>An answer of a discovery server (envoy.service.discovery.v3.DiscoveryResponse).</summary>
/// <param name="Version">Version of these resources.</param>
/// <param name="TypeUrl">What they are.</param>
/// <param name="Nonce">What the answer to this answer must carry.</param>
/// <param name="Resources">The resources with the type that each says it has.</param>
internal sealed record XdsResponse(string Version, string TypeUrl, string Nonce, IReadOnlyList<(string TypeUrl, byte[] Value)> Resources)
{
    private const string WrapperType = "type.googleapis.com/envoy.service.discovery.v3.Resource";

    /// <summary>Reads one.</summary>
    /// <exception cref="InvalidDataException">It cannot be read.</exception>
    public static XdsResponse Read(ReadOnlySpan<byte> message)
    {
        string version = "", type = "", nonce = "";
        var resources = new List<(string TypeUrl, byte[] Value)>();
        var reader = new ProtobufReader(message);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    version = reader.Text();
                    break;
                case 2:
                    resources.Add(ReadAny(reader.Bytes()));
                    break;
                case 4:
                    type = reader.Text();
                    break;
                case 5:
                    nonce = reader.Text();
                    break;
            }
        }

        return new XdsResponse(version, type, nonce, resources);
    }

    /// <summary>Reads google.protobuf.Any; a resource may be inside a wrapper that has its name and version too.</summary>
    private static (string TypeUrl, byte[] Value) ReadAny(ReadOnlySpan<byte> message)
    {
        string type = "";
        ReadOnlySpan<byte> value = default;
        var reader = new ProtobufReader(message);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    type = reader.Text();
                    break;
                case 2:
                    value = reader.Bytes();
                    break;
            }
        }

        if (type != WrapperType)
        {
            return (type, value.ToArray());
        }

        var wrapper = new ProtobufReader(value);
        while (wrapper.Next())
        {
            if (wrapper.Field == 2)
            {
                return ReadAny(wrapper.Bytes());
            }
        }

        throw new InvalidDataException("a wrapped resource is empty");
    }
}
