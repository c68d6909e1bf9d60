namespace Dataplane.Ports;

/// <summary>Gives ports to workers: where the configuration says, else to the worker with the fewest; a port stays where it is. Control side.</summary>
internal sealed class PortPlacement(int workers)
{
    private readonly int[] _ports = new int[workers];
    private readonly Dictionary<int, int> _workerOf = [];

    /// <summary>By identifier: the worker.</summary>
    public IReadOnlyDictionary<int, int> Workers => _workerOf;

    /// <summary>Notes a port and its worker.</summary>
    public void Set(int id, int worker)
    {
        _workerOf[id] = worker;
        _ports[worker]++;
    }

    /// <summary>Places ports that have no worker yet.</summary>
    public void Place(IReadOnlyList<(int Id, PortSpec Spec)> ports)
    {
        // Those that must be somewhere come first: the others make up for them.
        foreach ((int id, PortSpec spec) in ports.Where(port => port.Spec.Worker is not null))
        {
            Set(id, Math.Min(spec.Worker!.Value, workers - 1));
        }

        foreach ((int id, PortSpec _) in ports.Where(port => port.Spec.Worker is null))
        {
            Set(id, Array.IndexOf(_ports, _ports.Min()));
        }
    }
}
