using System.Globalization;
using Dataplane.Balancing;

namespace Dataplane.Configuration;

/// <content>Connection IDs of QUIC.</content>
public sealed partial class SpecReader
{
    private QuicSpec ReadQuic(ConfigNode node, string path)
    {
        MappingReader map = MappingReader.Open(node, path, ConfigKeys.Quic, _errors);
        return new QuicSpec
        {
            ConnectionIds = map.Choice("connection_ids", SpecNames.ConnectionIdFormats, isNeeded: true) ?? ConnectionIdFormat.QuicLb,
            Configs = [.. map.Items("configs", "each configuration").Select(item => ReadQuicLb(item.Node, item.Path))],
        };
    }

    private QuicLbSpec ReadQuicLb(ConfigNode node, string path)
    {
        MappingReader map = MappingReader.Open(node, path, ConfigKeys.QuicLb, _errors);
        return new QuicLbSpec
        {
            Id = (int)map.RequiredInteger("id", SpecLimits.QuicConfig),
            ServerIdBytes = (int)map.RequiredInteger("server_id_length", SpecLimits.ServerIdBytes),
            NonceBytes = (int)map.RequiredInteger("nonce_length", SpecLimits.NonceBytes),
            Key = map.Scalar("key", null, "a key"),
            EncodesLength = map.Flag("encodes_length"),
        };
    }

    /// <summary>One server ID stands for itself; several stand in a list.</summary>
    private string ReadServerIds(in MappingReader map)
    {
        if (map.Value("server_id") is not { Kind: ConfigNodeKind.Sequence })
        {
            return map.Text("server_id");
        }

        var ids = new List<string>();
        foreach ((ConfigNode node, string path) in map.Items("server_id", "each server ID"))
        {
            if (node.Kind == ConfigNodeKind.Scalar)
            {
                ids.Add(node.Text);
            }
            else
            {
                _errors.Add(new ConfigurationError(path, string.Create(CultureInfo.InvariantCulture, $"is {MappingReader.KindOf(node)} where a server ID is needed")));
            }
        }

        return string.Join(',', ids);
    }
}
