namespace Dataplane.Ports;

/// <summary>Gives ports to workers: where the configuration says, else to the worker with the fewest; a port stays where it is. Control side.</summary>
/// <remarks>The queues of a port go to its worker and those that follow. So queues of the same number of two ports mostly meet at one worker.</remarks>
internal sealed class PortPlacement(int workers)
{
    private readonly int[] _queues = new int[workers];
    private readonly Dictionary<int, int[]> _workersOf = [];

    /// <summary>By identifier: the worker of each queue.</summary>
    public IReadOnlyDictionary<int, int[]> Workers => _workersOf;

    /// <summary>Notes a port and the workers of its queues.</summary>
    public void Set(int id, int[] ofQueues)
    {
        _workersOf[id] = ofQueues;
        foreach (int worker in ofQueues)
        {
            _queues[worker]++;
        }
    }

    /// <summary>Places ports that have no worker yet.</summary>
    public void Place(IReadOnlyList<(int Id, PortSpec Spec)> ports)
    {
        // Those that must be somewhere come first: the others make up for them.
        foreach ((int id, PortSpec spec) in ports.Where(port => port.Spec.Worker is not null))
        {
            Set(id, From(Math.Min(spec.Worker!.Value, workers - 1), spec.Queues));
        }

        foreach ((int id, PortSpec spec) in ports.Where(port => port.Spec.Worker is null))
        {
            Set(id, From(Array.IndexOf(_queues, _queues.Min()), spec.Queues));
        }
    }

    private int[] From(int first, int queues) => [.. Enumerable.Range(first, queues).Select(number => number % workers)];
}
