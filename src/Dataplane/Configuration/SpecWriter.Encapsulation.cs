using Dataplane.Packets;
using Dataplane.Tunnels;

namespace Dataplane.Configuration;

/// <content>Packets inside packets.</content>
public static partial class SpecWriter
{
    private static MappingWriter Encapsulation(EncapsulationSpec spec)
    {
        var map = new MappingWriter();
        map.Values("sources", spec.Sources);
        map.Number("gue_port", spec.GuePort, EncapsulationSpec.DefaultGuePort);
        map.List("decapsulate", spec.Decapsulate, Decapsulation);
        return map;
    }

    private static ConfigNode Decapsulation(DecapsulationSpec taken)
    {
        var map = new MappingWriter();
        map.Value("address", taken.Address);
        if (taken.Kinds != new DecapsulationSpec { Address = default }.Kinds)
        {
            map.Add("kinds", ConfigNode.Sequence([.. SpecNames.Encapsulations.Names
                .Where(name => SpecNames.Encapsulations.TryRead(name, out TunnelKinds kind) && (taken.Kinds & kind) != 0).Select(name => ConfigNode.Scalar(name))]));
        }

        map.Values("from", taken.From);
        return map.ToNode();
    }
}
