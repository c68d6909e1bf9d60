using System.Numerics;
using Dataplane.Nat;

namespace Dataplane.Configuration;

/// <content>Source address translation.</content>
public sealed partial class SpecReader
{
    private NatSpec ReadNat(ConfigNode node, string path)
    {
        MappingReader map = MappingReader.Open(node, path, ConfigKeys.Nat, _errors);
        return new NatSpec
        {
            Inside = map.Text("inside", "the name of a port or network"),
            Outside = map.Text("outside", "the name of a port"),
            From = map.OptionalPrefix("from"),
            Nat64 = map.OptionalPrefix("nat64"),
            Pool = [.. map.Items("pool", "each address").Select(item => ReadListedAddress(item.Node, item.Path))],
            Static = map.Flag("static"),
            Mapping = map.Choice("mapping", SpecNames.NatMappings) ?? NatMapping.AddressAndPortDependent,
            Filtering = map.Choice("filtering", SpecNames.NatFilterings) ?? NatFiltering.AddressAndPortDependent,
            RefreshInbound = map.Flag("refresh_inbound"),
            Timeouts = map.Value("timeouts") is { } timeouts ? ReadTimeouts(timeouts, map.PathOf("timeouts")) : new NatTimeouts(),
        };
    }

    private NatTimeouts ReadTimeouts(ConfigNode node, string path)
    {
        MappingReader map = MappingReader.Open(node, path, ConfigKeys.NatTimeouts, _errors);
        var defaults = new NatTimeouts();
        return new NatTimeouts
        {
            Udp = ReadTimeout(map, "udp") ?? defaults.Udp,
            TcpEstablished = ReadTimeout(map, "tcp_established") ?? defaults.TcpEstablished,
            TcpTransitory = ReadTimeout(map, "tcp_transitory") ?? defaults.TcpTransitory,
            TcpClosing = ReadTimeout(map, "tcp_closing") ?? defaults.TcpClosing,
            Icmp = ReadTimeout(map, "icmp") ?? defaults.Icmp,
        };
    }

    private static TimeSpan? ReadTimeout(in MappingReader map, string key)
    {
        if (map.Scalar(key, null, "a duration") is not { } text)
        {
            return null;
        }

        if (!DurationText.TryRead(text, out BigInteger nanoseconds))
        {
            map.Error(key, DurationText.Problem, text);
        }
        else if (!SpecLimits.IsNatTimeout(nanoseconds))
        {
            map.Error(key, SpecLimits.NatTimeoutProblem, text);
        }
        else
        {
            return TimeSpan.FromMilliseconds((long)(nanoseconds / 1_000_000));
        }

        return null;
    }
}
