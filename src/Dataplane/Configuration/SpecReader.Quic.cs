using System.Globalization;
using Dataplane.Balancing;

namespace Dataplane.Configuration;

/// <content>Connection IDs of QUIC, and steering by source prefix.</content>
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

    private SteerSpec ReadSteer(ConfigNode node, string path)
    {
        MappingReader map = MappingReader.Open(node, path, ConfigKeys.Steer, _errors);
        return new SteerSpec { From = map.Destination("from"), To = ReadTexts(map, "to", "a group of backends", isNeeded: true) };
    }

    /// <summary>One text stands for itself; several stand in a list, and are divided by commas then.</summary>
    private string ReadTexts(in MappingReader map, string key, string what, bool isNeeded = false)
    {
        if (map.Value(key) is not { Kind: ConfigNodeKind.Sequence })
        {
            return map.Text(key, isNeeded ? what : null);
        }

        var texts = new List<string>();
        foreach ((ConfigNode node, string path) in map.Items(key, "each of them"))
        {
            if (node.Kind == ConfigNodeKind.Scalar)
            {
                texts.Add(node.Text);
            }
            else
            {
                _errors.Add(new ConfigurationError(path, string.Create(CultureInfo.InvariantCulture, $"is {MappingReader.KindOf(node)} where {what} is needed")));
            }
        }

        return string.Join(',', texts);
    }
}
