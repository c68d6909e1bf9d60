using Dataplane.Native;
using Dataplane.Pipeline;
using Dataplane.Ports;

namespace Dataplane;

/// <summary>Ports that are opened, kept and given to workers.</summary>
public sealed partial class DataplaneEngine
{
    private readonly Dictionary<int, PortOpener> _openers = [];

    /// <summary>By port: the descriptors of its queues that another process has passed; only while that one's ports are taken over.</summary>
    private IReadOnlyDictionary<string, FileDescriptor[]> _passed = new Dictionary<string, FileDescriptor[]>();
    private XdpFlowMap? _flowMap;
    private XdpOffload? _offload;

    /// <summary>Opens the ports of a specification that are not open yet, under the identifiers they keep.</summary>
    private PortSet OpenPorts(DataplaneSpec spec, PortSet before, out List<IPort> opened)
    {
        opened = [];
        var known = before.Entries.ToDictionary(entry => entry.Spec.Name, entry => entry.Spec);
        bool IsOpen(PortSpec wanted) => known.TryGetValue(wanted.Name, out PortSpec? open)
            && (open == wanted || (open with { Offload = wanted.Offload } == wanted && FastPathPort.Of(before.ById[before.IdOf(wanted.Name)]) is not null));
        var free = new Queue<int>(Enumerable.Range(0, PortId.MaxPorts).Except(before.Entries.Select(entry => entry.Id)));
        (int Id, PortSpec Spec, bool IsKept)[] wanted =
            [.. spec.Ports.Select(port => IsOpen(port) ? (before.IdOf(port.Name), port, true) : (free.Dequeue(), port, false))];

        // The number of workers is that of the start, whatever the new configuration says.
        var placement = new PortPlacement(_workers?.Count ?? spec.Workers.Count);
        foreach ((int id, PortSpec _, bool _) in wanted.Where(port => port.IsKept))
        {
            placement.Set(id, before.WorkersOf(id));
        }

        placement.Place([.. wanted.Where(port => !port.IsKept).Select(port => (port.Id, port.Spec))]);
        foreach (IGrouping<int, PortSpec> ofWorker in wanted.Where(port => !port.IsKept)
            .SelectMany(port => placement.Workers[port.Id], (port, worker) => (worker, port.Spec)).GroupBy(queue => queue.worker, queue => queue.Spec))
        {
            OpenerOf(ofWorker.Key).Expect(ofWorker);
        }

        try
        {
            var entries = new List<(int, PortSpec, IPort)>();
            foreach ((int id, PortSpec port, bool isKept) in wanted)
            {
                IPort open = isKept ? before.ById[id]! : Open(port, placement.Workers[id]);
                if (!isKept)
                {
                    opened.Add(open);
                }

                entries.Add((id, port, open));
            }

            return new PortSet(entries, placement.Workers);
        }
        catch
        {
            opened.ForEach(port => port.Dispose());
            throw;
        }
    }

    private IPort Open(PortSpec port, int[] workers) => _passed.TryGetValue(port.Name, out FileDescriptor[]? passed) ? OpenerOf(workers[0]).Adopt(port, passed, workers)
        : workers.Length == 1 ? OpenerOf(workers[0]).Open(port)
        : OpenerOf(workers[0]).Open(port, workers, worker => OpenerOf(worker).Memories);

    private PortOpener OpenerOf(int worker)
    {
        if (!_openers.TryGetValue(worker, out PortOpener? opener))
        {
            _openers[worker] = opener = new PortOpener(() => _flowMap ??= new XdpFlowMap());
        }

        return opener;
    }

    /// <summary>Begins the fast path when a port asks for it. Without threads of the workers' own there is none: the caller forwards.</summary>
    private void StartOffload()
    {
        if (_offload is null && _flowMap is not null && _workers!.HasThreads)
        {
            _offload = new XdpOffload(_flowMap);
            _offload.Start(_workers, _ports);
        }
    }

    private async Task StopOffloadAsync()
    {
        if (_offload is not null)
        {
            await _offload.DisposeAsync().ConfigureAwait(false);
        }
    }

    private void SetWakers(PortSet ports, List<IPort> opened)
    {
        HashSet<IPort> wanted = [.. opened];
        foreach ((int id, PortSpec _, IPort port) in ports.Entries.Where(entry => wanted.Contains(entry.Port)))
        {
            port.SetWaker(_workers![ports.WorkerOf(id)]);
        }
    }
}
