using System.Globalization;
using Dataplane.Balancing;

namespace Dataplane.Configuration;

/// <content>Connection IDs of QUIC, and steering by source prefix.</content>
public static partial class SpecWriter
{
    private static ConfigNode Steer(SteerSpec rule)
    {
        var map = new MappingWriter();
        map.Value("from", rule.From);
        map.Text("to", rule.To);
        return map.ToNode();
    }

    private static ConfigNode Quic(QuicSpec quic)
    {
        var map = new MappingWriter();
        map.Text("connection_ids", SpecNames.ConnectionIdFormats.NameOf(quic.ConnectionIds) ?? "");
        map.List("configs", quic.Configs, config =>
        {
            var entry = new MappingWriter();
            entry.Value("id", config.Id);
            entry.Value("server_id_length", config.ServerIdBytes);
            entry.Value("nonce_length", config.NonceBytes);
            entry.Text("key", config.Key);
            entry.Flag("encodes_length", config.EncodesLength);
            return entry.ToNode();
        });
        return map.ToNode();
    }
}
