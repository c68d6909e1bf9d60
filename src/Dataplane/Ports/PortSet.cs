namespace Dataplane.Ports;

/// <summary>The open ports by identifier and name. Immutable; a reload makes a new one in which names keep their identifiers.</summary>
internal sealed class PortSet
{
    private static readonly int[] s_first = [0];

    private readonly Dictionary<string, int> _ids;
    private readonly IReadOnlyDictionary<int, int[]>? _workers;

    /// <param name="ports">The ports in the order of the configuration.</param>
    /// <param name="workers">By identifier: the worker that runs each queue of the port; null when one runs all.</param>
    public PortSet(IReadOnlyList<(int Id, PortSpec Spec, IPort Port)> ports, IReadOnlyDictionary<int, int[]>? workers = null)
    {
        _workers = workers;
        Entries = ports;
        ById = new IPort?[ports.Count == 0 ? 0 : ports.Max(entry => entry.Id) + 1];
        _ids = [];
        NamesById = new string[ById.Length];
        Array.Fill(NamesById, "");
        foreach ((int id, PortSpec spec, IPort port) in ports)
        {
            ById[id] = port;
            _ids[spec.Name] = id;
            NamesById[id] = spec.Name;
        }
    }

    public static PortSet Empty { get; } = new([]);

    public IReadOnlyList<(int Id, PortSpec Spec, IPort Port)> Entries { get; }

    public IPort?[] ById { get; }

    /// <summary>Names by identifier; empty for identifiers not in use.</summary>
    public string[] NamesById { get; }

    /// <summary>The same without some of the ports.</summary>
    public PortSet Without(IReadOnlyCollection<IPort> ports) => new([.. Entries.Where(entry => !ports.Contains(entry.Port))], _workers);

    /// <summary>The worker that runs a port, or its first queue.</summary>
    public int WorkerOf(int id) => WorkersOf(id)[0];

    /// <summary>By queue of a port: the worker that runs it.</summary>
    public int[] WorkersOf(int id) => _workers?.GetValueOrDefault(id) ?? s_first;

    /// <summary>Identifier of a port that is known to exist.</summary>
    public int IdOf(string name) => _ids[name];

    /// <summary>Identifier of a port, or -1.</summary>
    public int Find(string name) => _ids.TryGetValue(name, out int id) ? id : -1;
}
