using System.Numerics;
using Dataplane.Balancing;
using Dataplane.Filtering;
using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Routing;
using Dataplane.Tunnels;

namespace Dataplane.Configuration;

/// <summary>Reads a specification from a configuration tree: which keys there are, and what each may hold.</summary>
/// <remarks>
/// The reader looks at one value at a time; what must hold between values is for <see cref="SpecValidator"/>. It never throws on what is
/// in the tree: every wrong value is an error with its place, and stands in the specification as if left out.
/// </remarks>
public sealed partial class SpecReader
{
    private readonly List<ConfigurationError> _errors = [];

    private SpecReader()
    {
    }

    /// <summary>Reads everything there is.</summary>
    /// <param name="root">The top of the tree, a mapping; a null stands for an empty one.</param>
    /// <returns>The specification, and all errors in the order of the configuration; with errors, the specification is not for use.</returns>
    public static (DataplaneSpec Spec, IReadOnlyList<ConfigurationError> Errors) Read(ConfigNode root)
    {
        ArgumentNullException.ThrowIfNull(root);
        var reader = new SpecReader();
        DataplaneSpec spec = reader.ReadTop(root);
        return (spec, InOrder(reader._errors.Select(root.Place)));
    }

    /// <summary>Reads everything and checks what was read, each as far as the other's errors allow.</summary>
    /// <param name="root">The top of the tree, a mapping; a null stands for an empty one.</param>
    /// <param name="found">Errors found while the tree was made; they are given back with the others.</param>
    /// <param name="change">Adds to what was read, before it is checked as a whole. A <see cref="ConfigurationException"/> that it throws is given back with the others.</param>
    /// <returns>The specification, good for use when there are no errors; and all errors in the order of the configuration, each with its place.</returns>
    public static (DataplaneSpec Spec, IReadOnlyList<ConfigurationError> Errors) ReadAndValidate(
        ConfigNode root, IReadOnlyList<ConfigurationError>? found = null, Func<DataplaneSpec, DataplaneSpec>? change = null)
    {
        (DataplaneSpec spec, IReadOnlyList<ConfigurationError> errors) = Read(root);
        ConfigurationError[] placed = [.. (found ?? []).Where(error => error.Path.Length > 0)];
        ConfigurationError[] read = [.. Uncovered(errors, placed)];
        IEnumerable<ConfigurationError> invalid = Uncovered(Validate(ref spec, change).Select(root.Place), [.. placed, .. read]);
        return (spec, InOrder([.. found ?? [], .. read, .. invalid]));
    }

    private static IReadOnlyList<ConfigurationError> Validate(ref DataplaneSpec spec, Func<DataplaneSpec, DataplaneSpec>? change)
    {
        try
        {
            spec = change is null ? spec : change(spec);
            return SpecValidator.Validate(spec);
        }
        catch (ConfigurationException wrong)
        {
            return wrong.Errors;
        }
    }

    /// <summary>
    /// What could not be read stands in the tree or the specification as left out. What a later step says of it, or of what is inside it, would be noise.
    /// </summary>
    private static IEnumerable<ConfigurationError> Uncovered(IEnumerable<ConfigurationError> errors, IReadOnlyList<ConfigurationError> earlier)
    {
        var paths = earlier.Select(error => error.Path).ToHashSet(StringComparer.Ordinal);
        return errors.Where(error => !ConfigPath.IsAtOrUnder(error.Path, paths));
    }

    private static IReadOnlyList<ConfigurationError> InOrder(IEnumerable<ConfigurationError> errors) =>
        [.. errors.OrderBy(error => error.Line).ThenBy(error => error.Column)];

    private DataplaneSpec ReadTop(ConfigNode root)
    {
        MappingReader top = MappingReader.Open(root, "", ConfigKeys.Top, _errors);
        foreach (string key in ConfigKeys.NotImplemented)
        {
            if (top.Value(key) is { IsEmpty: false })
            {
                top.Error(key, "is not implemented by this version: nothing would act on it, so take it out", null);
            }
        }

        return new DataplaneSpec
        {
            Ports = ReadPorts(top),
            Interfaces = [.. top.Items("interfaces", "each interface").Select(item => ReadInterface(item.Node, item.Path))],
            Neighbours = [.. top.Items("neighbours", "each neighbour").Select(item => ReadNeighbour(item.Node, item.Path))],
            Routes = ReadElements(top, "routes", "each route", ReadRoute),
            Filter = top.Value("filter") is { } filter ? ReadFilter(filter) : new FilterSpec(),
            Nat = [.. top.Items("nat", "each rule").Select(item => ReadNat(item.Node, item.Path))],
            Siit = top.Value("siit") is { IsNull: false } siit ? ReadSiit(siit) : null,
            Services = ReadElements(top, "services", "each service", ReadService),
            Encapsulation = top.Value("encapsulation") is { } encapsulation ? ReadEncapsulation(encapsulation) : new EncapsulationSpec(),
            Mesh = top.Value("mesh") is { IsEmpty: false } mesh ? mesh : null,
            Networks = [.. top.Items("networks", "each network").Select(item => ReadNetwork(item.Node, item.Path))],
            Bridges = [.. top.Items("bridges", "each bridge").Select(item => ReadBridge(item.Node, item.Path))],
            Workers = top.Value("workers") is { } workers ? ReadWorkers(workers) : new WorkerSpec(),
        };
    }

    /// <summary>Reads the elements of a list, those apart that were read before.</summary>
    private static List<T> ReadElements<T>(in MappingReader map, string key, string element, Func<ConfigNode, string, T> read)
        where T : class
    {
        var elements = new List<T>();
        foreach ((ConfigNode node, string path) in map.Items(key, element))
        {
            if (node.Known is { } known)
            {
                known.TakeInto(elements);
            }
            else
            {
                elements.Add(read(node, path));
            }
        }

        return elements;
    }

    private List<PortSpec> ReadPorts(in MappingReader top)
    {
        ConfigNode? ports = top.Value("ports");
        if (ports is not null && ports.Kind != ConfigNodeKind.Mapping)
        {
            top.Error("ports", $"is {MappingReader.KindOf(ports)} where a mapping by name is needed, such as wan: {{ kind: af_packet, interface: eth0 }}",
                ports.Kind == ConfigNodeKind.Scalar ? ports.Text : null);
        }

        MappingReader.CheckUnique(ports ?? ConfigNode.Mapping([]), "ports", _errors);
        var read = new List<PortSpec>();
        foreach (ConfigEntry entry in ports?.Entries ?? [])
        {
            string path = ConfigPath.Key("ports", entry.Key);
            if (!SpecNames.IsName(entry.Key))
            {
                string hint = entry.Key.Contains(':', StringComparison.Ordinal) ? "; does a blank lack behind the ':'?" : "";
                _errors.Add(new ConfigurationError(path, SpecNames.NameProblem + hint, entry.Key)
                {
                    File = entry.Value.File,
                    Line = entry.Line,
                    Column = entry.Column,
                });
            }

            read.Add(ReadPort(entry.Key, entry.Value, path));
        }

        return read;
    }

    private PortSpec ReadPort(string name, ConfigNode node, string path)
    {
        MappingReader map = MappingReader.Open(node, path, ConfigKeys.Port, _errors);
        PortKind? kind = map.Choice("kind", SpecNames.Kinds, isNeeded: true);
        foreach (ConfigEntry entry in node.Entries)
        {
            if (kind is not null && !entry.Value.IsNull && ConfigKeys.MisplacedPortKey(entry.Key, kind.Value) is { } problem)
            {
                map.Error(entry.Key, problem, entry.Value.Kind == ConfigNodeKind.Scalar ? entry.Value.Text : null);
            }
        }

        var port = new PortSpec
        {
            Name = name,
            Kind = kind ?? PortKind.Memory,
            Interface = map.Text("interface"),
            Input = map.Text("input"),
            Output = map.Text("output"),
            Socket = map.Text("socket"),
            Endpoint = map.Text("endpoint"),
            Tls = map.Value("tls") is { } tls ? ReadTls(tls, map.PathOf("tls")) : null,
            Id = (uint)map.Integer("id", SpecLimits.SocketId, 0),
            Role = map.Choice("role", SpecNames.Roles) ?? PortRole.Client,
            Mac = map.OptionalMac("mac"),
            Mtu = (int?)map.OptionalInteger("mtu", SpecLimits.Mtu),
            Worker = (int?)map.OptionalInteger("worker", SpecLimits.Worker),
            Queues = (int)map.Integer("queues", SpecLimits.Queues, 1),
            Take = [.. map.Items("take", "each rule").Select(item => ReadTraffic(item.Node, item.Path))],
            Leave = [.. map.Items("leave", "each rule").Select(item => ReadTraffic(item.Node, item.Path))],
            NetworkNamespace = map.Text("netns"),
            Descriptor = (int?)map.OptionalInteger("fd", SpecLimits.Descriptor),
            Offload = map.Choice("offload", SpecNames.Offloads) ?? PortOffload.Auto,
            Ring = map.Choice("ring", SpecNames.Rings) ?? AfPacketRing.Slots,
        };

        // Without a kind nothing can be said about the keys that belong to kinds.
        return kind is not null ? port : new PortSpec { Name = name, Mac = port.Mac, Mtu = port.Mtu, Worker = port.Worker };
    }

    private TrafficRule ReadTraffic(ConfigNode node, string path)
    {
        MappingReader map = MappingReader.Open(node, path, ConfigKeys.Traffic, _errors);
        return new TrafficRule
        {
            To = map.OptionalPrefix("to"),
            Protocol = ReadProtocol(map),
            ToPort = ReadPortRange(map, "to_port"),
        };
    }

    private StreamTls ReadTls(ConfigNode node, string path)
    {
        MappingReader map = MappingReader.Open(node, path, ConfigKeys.Tls, _errors);
        return new StreamTls
        {
            Certificate = map.Text("certificate"),
            Key = map.Text("key"),
            Ca = map.Text("ca"),
            Peer = map.Text("peer"),
        };
    }

    private InterfaceSpec ReadInterface(ConfigNode node, string path)
    {
        MappingReader map = MappingReader.Open(node, path, ConfigKeys.Interface, _errors);
        return new InterfaceSpec
        {
            Port = map.Text("port", "the name of a port"),
            Address = map.Prefix("address", "an address with prefix length, such as 198.51.100.2/24,"),
            Mac = map.OptionalMac("mac"),
            Vlan = (int)map.Integer("vlan", SpecLimits.Vlan, 0),
        };
    }

    private NeighbourSpec ReadNeighbour(ConfigNode node, string path)
    {
        MappingReader map = MappingReader.Open(node, path, ConfigKeys.Neighbour, _errors);
        return new NeighbourSpec
        {
            Port = map.Text("port", "the name of a port"),
            Address = map.Address("address"),
            Mac = map.Mac("mac"),
            Learned = map.Flag("learned"),
            Vlan = (int)map.Integer("vlan", SpecLimits.Vlan, 0),
        };
    }

    private WorkerSpec ReadWorkers(ConfigNode node)
    {
        MappingReader map = MappingReader.Open(node, "workers", ConfigKeys.Workers, _errors);
        var defaults = new WorkerSpec();
        return new WorkerSpec
        {
            Count = (int)map.Integer("count", SpecLimits.WorkerCount, defaults.Count),
            Cpu = (int?)map.OptionalInteger("cpu", SpecLimits.Cpu),
            Pin = [.. map.Integers("pin", "each CPU", SpecLimits.Cpu)],
            SpinMicroseconds = ReadSpin(map) ?? defaults.SpinMicroseconds,
            FlowEntries = (int)map.Integer("flow_entries", SpecLimits.FlowEntries, defaults.FlowEntries),
            NeighbourEntries = (int)map.Integer("neighbour_entries", SpecLimits.NeighbourEntries, defaults.NeighbourEntries),
            Seed = map.OptionalUnsigned("seed"),
            IcmpErrorsPerSecond = (int)map.Integer("icmp_errors_per_second", SpecLimits.IcmpErrorsPerSecond, defaults.IcmpErrorsPerSecond),
        };
    }

    private static int? ReadSpin(in MappingReader map)
    {
        if (map.Scalar("spin", null, "a duration") is not { } text)
        {
            return null;
        }

        if (!DurationText.TryRead(text, out BigInteger nanoseconds))
        {
            map.Error("spin", DurationText.Problem, text);
        }
        else if (nanoseconds > SpecLimits.SpinMicroseconds.Max * 1000 || nanoseconds % 1000 != 0)
        {
            map.Error("spin", "is not a time from 0us to 1s in whole microseconds", text);
        }
        else
        {
            return (int)(nanoseconds / 1000);
        }

        return null;
    }
}
