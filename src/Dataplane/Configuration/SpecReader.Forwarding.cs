using System.Globalization;
using System.Numerics;
using Dataplane.Balancing;
using Dataplane.Filtering;
using Dataplane.Nat;
using Dataplane.Packets;
using Dataplane.Routing;
using Dataplane.Tracking;

namespace Dataplane.Configuration;

/// <content>Routes, filter and services.</content>
public sealed partial class SpecReader
{
    private static readonly IntRange s_protocolNumber = new("protocol number", 0, byte.MaxValue);

    private RouteSpec ReadRoute(ConfigNode node, string path)
    {
        MappingReader map = MappingReader.Open(node, path, ConfigKeys.Route, _errors);

        // A reject that cannot be read is one nevertheless: nobody needs to hear that a gateway is missing.
        bool isRejecting = map.Value("reject") is not null && map.Value("via") is null;
        return new RouteSpec
        {
            To = map.Destination("to"),
            Via = map.Value("via") is { } via ? ReadVia(via, map.PathOf("via")) : [],
            Reject = map.Choice("reject", SpecNames.Rejects) ?? (isRejecting ? RouteReject.Blackhole : RouteReject.None),
        };
    }

    /// <summary>One gateway stands for itself, as an address or as a mapping; several stand in a list.</summary>
    private IReadOnlyList<NextHopSpec> ReadVia(ConfigNode via, string path) => via.Kind == ConfigNodeKind.Sequence
        ? [.. via.Items.Select((hop, index) => ReadNextHop(hop, ConfigPath.Index(path, index)))]
        : [ReadNextHop(via, path)];

    private NextHopSpec ReadNextHop(ConfigNode node, string path)
    {
        if (node.Kind == ConfigNodeKind.Scalar)
        {
            return new NextHopSpec { Address = TextReading.Address(node.Text, path, _errors) };
        }

        if (MappingReader.QuoteHint(node) is { Length: > 0 } hint)
        {
            _errors.Add(new ConfigurationError(path, $"is a mapping where an address is needed{hint}"));
            return new NextHopSpec();
        }

        MappingReader map = MappingReader.Open(node, path, ConfigKeys.NextHop, _errors);
        return new NextHopSpec
        {
            Address = map.OptionalAddress("address"),
            Port = map.Text("port"),
            Vlan = (int)map.Integer("vlan", SpecLimits.Vlan, 0),
            Weight = (int)map.Integer("weight", SpecLimits.HopWeight, 1),
        };
    }

    private FilterSpec ReadFilter(ConfigNode node)
    {
        MappingReader map = MappingReader.Open(node, "filter", ConfigKeys.Filter, _errors);
        return new FilterSpec
        {
            Default = map.Choice("default", SpecNames.Actions) ?? FilterAction.Allow,
            PickUp = map.Flag("pick_up"),
            Timeouts = map.Value("timeouts") is { } timeouts ? ReadTimeouts(timeouts, map.PathOf("timeouts")) : new NatTimeouts(),
            Rules = ReadElements(map, "rules", "each rule", ReadRule),
        };
    }

    private FilterRuleSpec ReadRule(ConfigNode node, string path)
    {
        MappingReader map = MappingReader.Open(node, path, ConfigKeys.FilterRule, _errors);
        return new FilterRuleSpec
        {
            Name = map.Text("name"),
            Action = map.Choice("action", SpecNames.Actions, isNeeded: true) ?? FilterAction.Allow,
            From = map.OptionalPrefix("from"),
            To = map.OptionalPrefix("to"),
            Protocol = ReadProtocol(map),
            FromPort = ReadPortRange(map, "from_port"),
            ToPort = ReadPortRange(map, "to_port"),
            TcpFlags = ReadTcpFlags(map),
            State = ReadStates(map),
            Port = map.Text("port"),
        };
    }

    private static byte? ReadProtocol(in MappingReader map)
    {
        if (map.Scalar("protocol", null, "a protocol") is not { } text)
        {
            return null;
        }

        if (SpecNames.Protocols.TryRead(text, out byte protocol))
        {
            return protocol;
        }

        if (TextReading.TryInteger(text, out BigInteger number) && number >= s_protocolNumber.Min && number <= s_protocolNumber.Max)
        {
            return (byte)number;
        }

        map.Error("protocol", SpecNames.ProtocolProblem + WordList.DidYouMean(text, SpecNames.Protocols.Names), text);
        return null;
    }

    private PortRange? ReadPortRange(in MappingReader map, string key) =>
        map.Scalar(key, null, "a port or a range of ports") is { } text ? TextReading.Ports(text, map.PathOf(key), _errors) : null;

    private static TcpFlagMatch? ReadTcpFlags(in MappingReader map)
    {
        if (map.Scalar("tcp_flags", null, "a text such as \"syn,!ack\"") is not { } text)
        {
            return null;
        }

        if (TcpFlagMatch.TryParse(text, out TcpFlagMatch match))
        {
            return match;
        }

        map.Error("tcp_flags", "is not a list of the flags fin, syn, rst, psh, ack, urg, ece and cwr, each at most once, with '!' before those "
            + "that must not be set, such as \"syn,!ack\"", text);
        return null;
    }

    /// <summary>One state stands for itself; several stand in a list, or in one text.</summary>
    private ConnectionStates ReadStates(in MappingReader map)
    {
        ConnectionStates states = ConnectionStates.None;
        if (map.Value("state") is { Kind: ConfigNodeKind.Sequence })
        {
            foreach ((ConfigNode node, string path) in map.Items("state", "each state"))
            {
                if (node.Kind == ConfigNodeKind.Scalar)
                {
                    states = AddState(states, node.Text, path);
                }
                else
                {
                    _errors.Add(new ConfigurationError(path, $"is {MappingReader.KindOf(node)} where a state is needed"));
                }
            }
        }
        else if (map.Scalar("state", null, "a state, or a list of states,") is { } text)
        {
            foreach (string word in text.Split(',', StringSplitOptions.TrimEntries))
            {
                states = AddState(states, word, map.PathOf("state"));
            }
        }

        return states;
    }

    private ConnectionStates AddState(ConnectionStates states, string word, string path)
    {
        if (!SpecNames.States.TryRead(word, out ConnectionStates state))
        {
            _errors.Add(new ConfigurationError(path, SpecNames.States.Problem + WordList.DidYouMean(word, SpecNames.States.Names), word));
        }
        else if ((states & state) != 0)
        {
            _errors.Add(new ConfigurationError(path, "is there already", word));
        }

        return states | state;
    }

    private ServiceSpec ReadService(ConfigNode node, string path)
    {
        MappingReader map = MappingReader.Open(node, path, ConfigKeys.Service, _errors);
        string name = map.Text("name", "a name");
        IpPrefix addresses = map.AddressOrPrefix("address");
        PortRange ports = ReadServicePorts(map);
        var service = new ServiceSpec
        {
            Name = name,
            Address = addresses.Address,
            PrefixLength = addresses.Address.IsNone || addresses.Length == addresses.Address.BitLength ? null : addresses.Length,
            Port = ports.First,
            LastPort = ports.First == ports.Last ? (ushort)0 : ports.Last,
            Balance = map.Choice("balance", SpecNames.Policies) ?? BalancePolicy.Maglev,
            Hash = map.Choice("hash", SpecNames.HashFields) ?? HashFields.Flow,
            HashSeed = map.OptionalUnsigned("hash_seed") ?? 0,
            MaxLoad = ReadMaxLoad(map),
            Forward = map.Choice("forward", SpecNames.ForwardModes) ?? ForwardMode.Nat,
            Affinity = ReadDuration(map, "affinity", SpecLimits.Affinity),
            Timeouts = map.Value("timeouts") is { } timeouts ? ReadTimeouts(timeouts, map.PathOf("timeouts")) : new NatTimeouts(),
            OnRemove = map.Choice("on_remove", SpecNames.RemovePolicies) ?? RemovePolicy.Move,
            NoBackend = map.Choice("no_backend", SpecNames.NoBackendPolicies) ?? NoBackendPolicy.Drop,
            Steer = [.. map.Items("steer", "each rule").Select(item => ReadSteer(item.Node, item.Path))],
            Quic = map.Value("quic") is { } quic ? ReadQuic(quic, map.PathOf("quic")) : null,
            Health = map.Value("health") is { } health ? ReadHealth(health, map.PathOf("health")) : null,
            Backends = [.. map.Items("backends", "each backend").Select(item => ReadBackend(item.Node, item.Path, needsPort: ports.First == ports.Last))],
        };
        return service with
        {
            Protocol = ReadServiceProtocol(map) ?? service.Protocol,
            TableSize = (int)map.Integer("table_size", SpecLimits.TableSize, service.TableSize),
        };
    }

    private static double? ReadMaxLoad(in MappingReader map)
    {
        if (map.Scalar("max_load", null, "a factor") is not { } text)
        {
            return null;
        }

        if (double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double factor) && ServiceChecks.IsMaxLoad(factor))
        {
            return factor;
        }

        map.Error("max_load", SpecLimits.MaxLoadProblem, text);
        return null;
    }

    private static PortRange ReadServicePorts(in MappingReader map)
    {
        string? text = map.Scalar("port", "a port", "a port");
        if (text == "any")
        {
            return PortRange.All;
        }

        // As numbers are written everywhere: without leading zeros.
        if (PortRange.TryParse(text, out PortRange range) && range.First > 0 && range.ToString() == text)
        {
            return range;
        }

        if (text is not null)
        {
            map.Error("port", SpecLimits.ServicePortProblem, text);
        }

        return default;
    }

    private static byte? ReadServiceProtocol(in MappingReader map)
    {
        string? text = map.Scalar("protocol", null, "tcp or udp");
        if (text is not (null or "tcp" or "udp"))
        {
            map.Error("protocol", "is not tcp or udp, the protocols that can be balanced", text);
        }

        return text switch { "tcp" => IpProtocols.Tcp, "udp" => IpProtocols.Udp, _ => null };
    }

    private BackendSpec ReadBackend(ConfigNode node, string path, bool needsPort)
    {
        MappingReader map = MappingReader.Open(node, path, ConfigKeys.Backend, _errors);
        return new BackendSpec
        {
            Address = map.Address("address"),
            Port = (ushort)(needsPort ? map.RequiredInteger("port", SpecLimits.TransportPort) : map.Integer("port", SpecLimits.TransportPort, 0)),
            Weight = (int)map.Integer("weight", SpecLimits.BackendWeight, 1),
            Group = map.Text("group"),
            ServerIds = ReadTexts(map, "server_id", "a server ID"),
            Drain = map.Flag("drain"),
            DrainDeadline = ReadDuration(map, "drain_deadline", SpecLimits.DrainDeadline),
        };
    }
}
