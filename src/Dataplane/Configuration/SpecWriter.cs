using System.Globalization;
using Dataplane.Balancing;
using Dataplane.Filtering;
using Dataplane.Nat;
using Dataplane.Native;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Routing;
using Dataplane.Tracking;
using Dataplane.Tunnels;

namespace Dataplane.Configuration;

/// <summary>Writes a specification as a configuration tree or file: what <see cref="SpecReader"/> reads back as the same values.</summary>
/// <remarks>Values that a key has when left out are left out. Port factories are code and cannot be written: such ports become <c>kind: memory</c>.</remarks>
public static partial class SpecWriter
{
    /// <summary>The specification as YAML text, with the keys in the order they are documented.</summary>
    public static string ToYaml(DataplaneSpec spec) => YamlText.Write(ToNode(spec));

    /// <summary>The specification as a tree.</summary>
    public static ConfigNode ToNode(DataplaneSpec spec)
    {
        ArgumentNullException.ThrowIfNull(spec);
        var ports = new MappingWriter();
        foreach (PortSpec port in (spec.Ports ?? []).Where(port => port is not null))
        {
            ports.Add(port.Name, Port(port));
        }

        FilterSpec filter = spec.Filter ?? new FilterSpec();
        var rules = new MappingWriter();
        rules.Word("default", filter.Default, SpecNames.Actions, FilterAction.Allow);
        rules.Flag("pick_up", filter.PickUp);
        rules.Part("timeouts", Timeouts(filter.Timeouts));
        rules.List("rules", filter.Rules, Rule);

        var top = new MappingWriter();
        top.Part("ports", ports);
        top.List("interfaces", spec.Interfaces, Interface);
        top.List("neighbours", spec.Neighbours, Neighbour);
        top.List("routes", spec.Routes, Route);
        top.Part("filter", rules);
        top.List("nat", spec.Nat, Nat);
        if (spec.Siit is { } siit)
        {
            top.Add("siit", Siit(siit));
        }

        top.List("services", spec.Services, Service);
        top.Part("encapsulation", Encapsulation(spec.Encapsulation ?? new EncapsulationSpec()));
        top.List("networks", spec.Networks, Network);
        top.List("bridges", spec.Bridges, Bridge);
        top.Part("workers", Workers(spec.Workers ?? new WorkerSpec()));
        return top.ToNode();
    }

    private static ConfigNode Port(PortSpec port)
    {
        var map = new MappingWriter();
        map.Word("kind", port.Kind, SpecNames.Kinds);
        map.Text("interface", port.Interface);
        map.Text("input", port.Input);
        map.Text("output", port.Output);
        map.Text("socket", port.Socket);
        map.Text("endpoint", port.Endpoint);
        map.Number("id", port.Id, 0);
        map.Word("role", port.Role, SpecNames.Roles, PortRole.Client);
        if (port.Tls is { } tls)
        {
            map.Add("tls", Tls(tls));
        }

        map.Optional("mac", port.Mac);
        map.Optional("mtu", port.Mtu);
        map.Optional("worker", port.Worker);
        map.Number("queues", port.Queues, 1);
        map.List("take", port.Take, Traffic);
        map.List("leave", port.Leave, Traffic);
        map.Text("netns", port.NetworkNamespace);
        map.Optional("fd", port.Descriptor);
        map.Word("offload", port.Offload, SpecNames.Offloads, PortOffload.Auto);
        map.Word("ring", port.Ring, SpecNames.Rings, AfPacketRing.Slots);
        return map.ToNode();
    }

    private static ConfigNode Tls(StreamTls tls)
    {
        var map = new MappingWriter();
        map.Text("certificate", tls.Certificate);
        map.Text("key", tls.Key);
        map.Text("ca", tls.Ca);
        map.Text("peer", tls.Peer);
        return map.ToNode();
    }

    private static ConfigNode Traffic(TrafficRule rule)
    {
        var map = new MappingWriter();
        map.Optional("to", rule.To);
        map.Text("protocol", rule.Protocol is { } protocol ? SpecNames.ProtocolName(protocol) : "");
        map.Optional("to_port", rule.ToPort);
        return map.ToNode();
    }

    private static ConfigNode Interface(InterfaceSpec entry)
    {
        var map = new MappingWriter();
        map.Text("port", entry.Port);
        map.Value("address", entry.Address);
        map.Optional("mac", entry.Mac);
        map.Number("vlan", entry.Vlan, 0);
        return map.ToNode();
    }

    private static ConfigNode Neighbour(NeighbourSpec neighbour)
    {
        var map = new MappingWriter();
        map.Text("port", neighbour.Port);
        map.Value("address", neighbour.Address);
        map.Value("mac", neighbour.Mac);
        map.Flag("learned", neighbour.Learned);
        map.Number("vlan", neighbour.Vlan, 0);
        return map.ToNode();
    }

    private static ConfigNode Route(RouteSpec route)
    {
        var map = new MappingWriter();
        map.Value("to", route.To);
        if (route.Via is [{ Address: { } gateway, Port: "", Vlan: 0, Weight: 1 }])
        {
            map.Value("via", gateway);
        }
        else
        {
            map.List("via", route.Via, NextHop);
        }

        map.Word("reject", route.Reject, SpecNames.Rejects, RouteReject.None);
        return map.ToNode();
    }

    private static ConfigNode NextHop(NextHopSpec hop)
    {
        var map = new MappingWriter();
        map.Optional("address", hop.Address);
        map.Text("port", hop.Port);
        map.Number("vlan", hop.Vlan, 0);
        map.Number("weight", hop.Weight, 1);
        return map.ToNode();
    }

    private static ConfigNode Rule(FilterRuleSpec rule)
    {
        var map = new MappingWriter();
        map.Text("name", rule.Name);
        map.Word("action", rule.Action, SpecNames.Actions);
        map.Optional("from", rule.From);
        map.Optional("to", rule.To);
        map.Text("protocol", rule.Protocol is { } protocol ? SpecNames.ProtocolName(protocol) : "");
        map.Optional("from_port", rule.FromPort);
        map.Optional("to_port", rule.ToPort);
        map.Text("tcp_flags", rule.TcpFlags?.ToString());
        if (rule.State != ConnectionStates.None)
        {
            map.Add("state", ConfigNode.Sequence([.. SpecNames.States.Names
                .Where(name => SpecNames.States.TryRead(name, out ConnectionStates state) && (rule.State & state) != 0).Select(name => ConfigNode.Scalar(name))]));
        }

        map.Text("port", rule.Port);
        return map.ToNode();
    }

    private static ConfigNode Nat(NatSpec rule)
    {
        var defaults = new NatSpec { Inside = "", Outside = "" };
        var map = new MappingWriter();
        map.Text("inside", rule.Inside);
        map.Text("outside", rule.Outside);
        map.Optional("from", rule.From);
        map.Optional("nat64", rule.Nat64);
        map.Values("pool", rule.Pool);
        map.Flag("static", rule.Static);
        map.Word("mapping", rule.Mapping, SpecNames.NatMappings, defaults.Mapping);
        map.Word("filtering", rule.Filtering, SpecNames.NatFilterings, defaults.Filtering);
        map.Flag("refresh_inbound", rule.RefreshInbound);
        map.Part("timeouts", Timeouts(rule.Timeouts));
        return map.ToNode();
    }

    private static MappingWriter Timeouts(NatTimeouts? set)
    {
        NatTimeouts given = set ?? new NatTimeouts(), defaults = new();
        var timeouts = new MappingWriter();
        timeouts.Duration("udp", given.Udp, defaults.Udp);
        timeouts.Duration("tcp_established", given.TcpEstablished, defaults.TcpEstablished);
        timeouts.Duration("tcp_transitory", given.TcpTransitory, defaults.TcpTransitory);
        timeouts.Duration("tcp_closing", given.TcpClosing, defaults.TcpClosing);
        timeouts.Duration("icmp", given.Icmp, defaults.Icmp);
        return timeouts;
    }

    private static ConfigNode Service(ServiceSpec service)
    {
        var defaults = new ServiceSpec { Name = "", Address = default, Port = 0 };
        var map = new MappingWriter();
        map.Text("name", service.Name);
        if (service.IsOneAddress)
        {
            map.Value("address", service.Address);
        }
        else
        {
            map.Text("address", SpecNames.ServiceAddresses(service));
        }

        map.Text("port", SpecNames.ServicePorts(service));
        map.Text("protocol", SpecNames.ProtocolName(service.Protocol));
        map.Word("balance", service.Balance, SpecNames.Policies, defaults.Balance);
        map.Word("hash", service.Hash, SpecNames.HashFields, defaults.Hash);
        if (service.HashSeed != 0)
        {
            map.Value("hash_seed", service.HashSeed);
        }

        map.Optional("max_load", service.MaxLoad);
        map.Word("forward", service.Forward, SpecNames.ForwardModes, defaults.Forward);
        map.Number("table_size", service.TableSize, defaults.TableSize);
        if (service.Affinity is { } affinity)
        {
            map.Duration("affinity", affinity, default);
        }

        map.Part("timeouts", Timeouts(service.Timeouts));
        map.Word("on_remove", service.OnRemove, SpecNames.RemovePolicies, defaults.OnRemove);
        map.Word("no_backend", service.NoBackend, SpecNames.NoBackendPolicies, defaults.NoBackend);
        map.List("steer", service.Steer, Steer);
        if (service.Quic is { } quic)
        {
            map.Add("quic", Quic(quic));
        }

        if (service.Health is { } health)
        {
            map.Add("health", Health(health));
        }

        map.List("backends", service.Backends, backend => Backend(backend, needsPort: service.IsOnePort));
        return map.ToNode();
    }

    private static ConfigNode Backend(BackendSpec backend, bool needsPort)
    {
        var map = new MappingWriter();
        map.Value("address", backend.Address);
        if (needsPort || backend.Port != 0)
        {
            map.Value("port", backend.Port);
        }

        map.Number("weight", backend.Weight, 1);
        map.Text("group", backend.Group);
        map.Text("server_id", backend.ServerIds);
        map.Flag("drain", backend.Drain);
        if (backend.DrainDeadline is { } deadline)
        {
            map.Duration("drain_deadline", deadline, default);
        }

        return map.ToNode();
    }

    private static MappingWriter Workers(WorkerSpec workers)
    {
        var defaults = new WorkerSpec();
        var map = new MappingWriter();
        map.Number("count", workers.Count, defaults.Count);
        map.Optional("cpu", workers.Cpu);
        map.List("pin", workers.Pin, cpu => ConfigNode.Scalar(cpu.ToString(CultureInfo.InvariantCulture)));
        if (workers.SpinMicroseconds != defaults.SpinMicroseconds)
        {
            map.Text("spin", DurationText.FromMicroseconds(workers.SpinMicroseconds));
        }

        map.Number("flow_entries", workers.FlowEntries, defaults.FlowEntries);
        map.Number("neighbour_entries", workers.NeighbourEntries, defaults.NeighbourEntries);
        map.Optional("seed", workers.Seed);
        map.Number("icmp_errors_per_second", workers.IcmpErrorsPerSecond, defaults.IcmpErrorsPerSecond);
        return map;
    }

    /// <summary>Collects the keys of one mapping.</summary>
    private sealed partial class MappingWriter
    {
        private readonly List<ConfigEntry> _entries = [];

        public ConfigNode ToNode() => ConfigNode.Mapping(_entries);

        public void Add(string? key, ConfigNode value) => _entries.Add(new ConfigEntry(key ?? "", value));

        public void Part(string key, MappingWriter part)
        {
            if (part._entries.Count > 0)
            {
                Add(key, part.ToNode());
            }
        }

        public void List<T>(string key, IReadOnlyList<T>? items, Func<T, ConfigNode> write)
        {
            if (items is { Count: > 0 })
            {
                Add(key, ConfigNode.Sequence([.. items.Where(item => item is not null).Select(write)]));
            }
        }

        public void Values<T>(string key, IReadOnlyList<T>? values)
            where T : struct
        {
            if (values is { Count: > 0 })
            {
                Add(key, ConfigNode.Sequence([.. values.Select(value => ConfigNode.Scalar(string.Create(CultureInfo.InvariantCulture, $"{value}")))]));
            }
        }

        /// <summary>Texts are marked as quoted where they could be read as nothing.</summary>
        public void Text(string key, string? text)
        {
            if (!string.IsNullOrEmpty(text))
            {
                Add(key, ConfigNode.Scalar(text, isQuoted: ConfigNode.Scalar(text).IsNull));
            }
        }

        public void Value<T>(string key, T value)
            where T : struct =>
            Add(key, ConfigNode.Scalar(string.Create(CultureInfo.InvariantCulture, $"{value}")));

        public void Optional<T>(string key, T? value)
            where T : struct
        {
            if (value is { } given)
            {
                Value(key, given);
            }
        }

        public void Number(string key, long value, long otherwise)
        {
            if (value != otherwise)
            {
                Value(key, value);
            }
        }

        public void Duration(string key, TimeSpan value, TimeSpan otherwise)
        {
            if (value != otherwise)
            {
                Text(key, DurationText.FromMicroseconds((long)value.TotalMicroseconds));
            }
        }

        public void Flag(string key, bool value)
        {
            if (value)
            {
                Add(key, ConfigNode.Scalar("true"));
            }
        }

        public void Word<T>(string key, T value, NameTable<T> names, T? otherwise = null)
            where T : struct
        {
            if (!EqualityComparer<T?>.Default.Equals(value, otherwise))
            {
                Text(key, names.NameOf(value) ?? value.ToString());
            }
        }
    }
}
