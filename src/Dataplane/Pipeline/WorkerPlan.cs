using Dataplane.Flows;
using Dataplane.Native;
using Dataplane.Ports;

namespace Dataplane.Pipeline;

/// <summary>What a worker runs on until the next one is published: tables, and the descriptors it sleeps on. Made by the control side.</summary>
internal sealed class WorkerPlan : IDisposable
{
    public WorkerPlan(ForwardingTables tables, EventDescriptor wake)
    {
        Tables = tables;
        Ids = [.. Enumerable.Range(0, tables.Ports.Length).Where(id => tables.Ports[id] is not (null or RemotePort)).Select(id => (ushort)id)];
        FileDescriptor[] descriptors = [.. tables.Ports.SelectMany(port => port?.PollDescriptors ?? [])];
        Poller = new Poller(descriptors, wake);
        CountedFlows = new long[tables.CountedSlots.Length];
    }

    /// <summary>Flows the worker knew when it adopted the plan: one number for each of the tables' counted slots. Written before the adoption is seen.</summary>
    public long[] CountedFlows { get; }

    /// <summary>All flows the worker knew then.</summary>
    public long Flows { get; private set; }

    public ForwardingTables Tables { get; }

    /// <summary>Identifiers of the open ports of this worker.</summary>
    public ushort[] Ids { get; }

    public Poller Poller { get; }

    /// <summary>The worker is about to look at its ports once more, then sleep.</summary>
    public void PrepareSleep()
    {
        foreach (ushort id in Ids)
        {
            Tables.Ports[id]!.PrepareSleep();
        }
    }

    /// <summary>Counts flows. The worker, between its last batch by the plan before and its first by this one.</summary>
    public void Count(FlowTable flows)
    {
        Flows = flows.FlowCount;
        for (int i = 0; i < CountedFlows.Length; i++)
        {
            CountedFlows[i] = Tables.BackendCounters[Tables.CountedSlots[i]].Counts.Active;
        }
    }

    public void Dispose() => Poller.Dispose();
}
