using Dataplane.Native;
using Dataplane.Ports;

namespace Dataplane.Pipeline;

/// <summary>What a worker runs on until the next one is published: tables, and the descriptors it sleeps on. Made by the control side.</summary>
internal sealed class WorkerPlan : IDisposable
{
    public WorkerPlan(ForwardingTables tables, EventDescriptor wake)
    {
        Tables = tables;
        Ids = [.. Enumerable.Range(0, tables.Ports.Length).Where(id => tables.Ports[id] is not (null or RemotePort)).Select(id => (byte)id)];
        FileDescriptor[] descriptors = [.. tables.Ports.Select(port => port?.PollDescriptor).OfType<FileDescriptor>()];
        Poller = new Poller(descriptors, wake);
    }

    public ForwardingTables Tables { get; }

    /// <summary>Identifiers of the open ports of this worker.</summary>
    public byte[] Ids { get; }

    public Poller Poller { get; }

    /// <summary>The worker is about to look at its ports once more, then sleep.</summary>
    public void PrepareSleep()
    {
        foreach (byte id in Ids)
        {
            Tables.Ports[id]!.PrepareSleep();
        }
    }

    public void Dispose() => Poller.Dispose();
}
