using Dataplane.Packets;
using Dataplane.Tunnels;

namespace Dataplane.Configuration;

/// <content>Packets inside packets.</content>
public sealed partial class SpecReader
{
    private EncapsulationSpec ReadEncapsulation(ConfigNode node)
    {
        MappingReader map = MappingReader.Open(node, "encapsulation", ConfigKeys.Encapsulation, _errors);
        return new EncapsulationSpec
        {
            Sources = [.. map.Items("sources", "each source").Select(item => ReadListedPrefix(item.Node, item.Path))],
            GuePort = (ushort)map.Integer("gue_port", SpecLimits.TransportPort, EncapsulationSpec.DefaultGuePort),
            Decapsulate = [.. map.Items("decapsulate", "each entry").Select(item => ReadDecapsulation(item.Node, item.Path))],
        };
    }

    private DecapsulationSpec ReadDecapsulation(ConfigNode node, string path)
    {
        MappingReader map = MappingReader.Open(node, path, ConfigKeys.Decapsulation, _errors);
        TunnelKinds kinds = TunnelKinds.None;
        foreach ((ConfigNode kind, string at) in map.Items("kinds", "each kind"))
        {
            string word = ReadListedText(kind, at, "a kind");
            if (!SpecNames.Encapsulations.TryRead(word, out TunnelKinds read))
            {
                _errors.Add(new ConfigurationError(at, SpecNames.Encapsulations.Problem + WordList.DidYouMean(word, SpecNames.Encapsulations.Names), word));
            }
            else if ((kinds & read) != 0)
            {
                _errors.Add(new ConfigurationError(at, "is there already", word));
            }

            kinds |= read;
        }

        var taken = new DecapsulationSpec
        {
            Address = map.Address("address"),
            From = [.. map.Items("from", "each prefix").Select(item => ReadListedPrefix(item.Node, item.Path))],
        };
        return map.Value("kinds") is null ? taken : taken with { Kinds = kinds };
    }

    private IpPrefix ReadListedPrefix(ConfigNode node, string path) =>
        ReadListedText(node, path, "an address or a prefix") is { Length: > 0 } text ? TextReading.PrefixOrAddress(text, path, _errors) : default;
}
