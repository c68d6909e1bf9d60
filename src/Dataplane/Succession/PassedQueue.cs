using System.Globalization;
using Dataplane.Native;
using Dataplane.Ports;

namespace Dataplane.Succession;

/// <summary>A queue of a port that another process can go on with.</summary>
/// <param name="Port">Name of the port.</param>
/// <param name="Identity">What it is, in words that are the same in both processes when the one can go on where the other stopped.</param>
/// <param name="Queue">The queue.</param>
/// <param name="Worker">Who runs it.</param>
internal sealed record PassedQueue(string Port, string Identity, IPassedPort Queue, int Worker)
{
    /// <summary>The queues of all ports that can be passed, in the order of the configuration.</summary>
    public static IReadOnlyList<PassedQueue> Of(PortSet ports)
    {
        var result = new List<PassedQueue>();
        foreach ((int id, PortSpec spec, IPort port) in ports.Entries)
        {
            IReadOnlyList<IPort> queues = port is QueuedPort several ? several.Queues : [port];
            if (!CanPass(spec) || !queues.All(queue => queue is IPassedPort))
            {
                continue;
            }

            int[] workers = ports.WorkersOf(id);
            result.AddRange(queues.Select((queue, number) => new PassedQueue(spec.Name, IdentityOf(spec, number), (IPassedPort)queue, workers[number])));
        }

        return result;
    }

    /// <summary>What the queues of a configured port are called, if its kind can be passed.</summary>
    public static IReadOnlyList<string> IdentitiesOf(PortSpec spec) => CanPass(spec) ? [.. Enumerable.Range(0, spec.Queues).Select(queue => IdentityOf(spec, queue))] : [];

    // Another factory is the user's code, and a descriptor left open by a parent is left open for the successor as well.
    private static bool CanPass(PortSpec spec) => spec is { Kind: PortKind.AfPacket or PortKind.Tap, Factory: null, Descriptor: null };

    private static string IdentityOf(PortSpec spec, int queue)
    {
        var ring = new AfPacketReceiveOptions();
        string shape = spec.Kind == PortKind.AfPacket ? string.Create(CultureInfo.InvariantCulture, $"{ring.Ring} {ring.BlockCount}x{ring.BlockBytes}") : "";

        // Names of interfaces mean something in a network namespace only; of one that the port names, in that.
        string home = new FileInfo("/proc/self/ns/net").LinkTarget ?? "";
        return string.Create(CultureInfo.InvariantCulture,
            $"{spec.Name}\n{spec.Kind}\n{spec.Interface}\n{home}\n{spec.NetworkNamespace}\n{spec.Offload}\n{spec.Mtu}\n{queue}/{spec.Queues}\n{shape}");
    }
}
