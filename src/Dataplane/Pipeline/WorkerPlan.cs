using Dataplane.Flows;
using Dataplane.Native;
using Dataplane.Ports;
using Dataplane.Telemetry;

namespace Dataplane.Pipeline;

/// <summary>What a worker runs on until the next one is published: tables, and the descriptors it sleeps on. Made by the control side.</summary>
internal sealed class WorkerPlan : IDisposable
{
    private readonly ushort[] _polledIds;

    public WorkerPlan(ForwardingTables tables, EventDescriptor wake)
    {
        Tables = tables;
        Ids = [.. Enumerable.Range(0, tables.Ports.Length).Where(id => tables.Ports[id] is not (null or RemotePort)).Select(id => (ushort)id)];
        (ushort Id, FileDescriptor Descriptor)[] polled =
            [.. tables.Ports.SelectMany((port, id) => (port?.PollDescriptors ?? []).Select(descriptor => ((ushort)id, descriptor)))];
        _polledIds = [.. polled.Select(entry => entry.Id)];
        Poller = new Poller([.. polled.Select(entry => entry.Descriptor)], wake);
        Activities = [.. tables.Ports.Select(port => port is null or RemotePort ? null : PortActivity.Of(port))];
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

    /// <summary>By identifier: how often the port was asked; null where it is no port of this worker.</summary>
    public PortActivity?[] Activities { get; }

    /// <summary>The first port that the last wait found to have frames; -1 for none.</summary>
    public int ReadyPort()
    {
        for (int i = 0; i < _polledIds.Length; i++)
        {
            if (Poller.IsReadable(i))
            {
                return _polledIds[i];
            }
        }

        return -1;
    }

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
