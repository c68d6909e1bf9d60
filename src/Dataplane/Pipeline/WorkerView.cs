using Dataplane.Balancing;
using Dataplane.Ports;

namespace Dataplane.Pipeline;

/// <summary>One worker's view of tables that several use: everything large is shared, everything the worker writes is its own. Control side.</summary>
internal static class WorkerView
{
    /// <summary>Makes the view of a worker.</summary>
    /// <param name="tables">The tables.</param>
    /// <param name="ports">The open ports and their workers.</param>
    /// <param name="context">The worker.</param>
    /// <param name="before">The tables before; null at the start.</param>
    /// <param name="viewBefore">The worker's view of these, from which is taken over what has not changed.</param>
    public static ForwardingTables Of(ForwardingTables tables, PortSet ports, WorkerContext context, ForwardingTables? before, ForwardingTables? viewBefore)
    {
        int worker = context.Share.Index;
        bool first = worker == 0;
        return tables with
        {
            Ports = Ports(tables.Ports, ports, context),
            Filter = first ? tables.Filter
                : ReferenceEquals(before?.Filter, tables.Filter) ? viewBefore!.Filter
                : tables.Filter.OfWorker(worker),
            Services = first ? tables.Services
                : ReferenceEquals(before?.Services, tables.Services) ? viewBefore!.Services
                : Services(tables.Services, worker, before?.Services, viewBefore?.Services),
            BackendCounters = first ? tables.BackendCounters
                : ReferenceEquals(before?.BackendCounters, tables.BackendCounters) ? viewBefore!.BackendCounters
                : Array.ConvertAll(tables.BackendCounters, counter => counter.OfWorker(worker)),
            Routes = first ? tables.Routes
                : tables.Routes with
                {
                    Hops = ReferenceEquals(before?.Routes.Hops, tables.Routes.Hops) ? viewBefore!.Routes.Hops
                        : Array.ConvertAll(tables.Routes.Hops, hop => hop.Copy()),
                },
        };
    }

    private static IPort?[] Ports(IPort?[] open, PortSet ports, WorkerContext context)
    {
        var mine = new IPort?[open.Length];
        for (int id = 0; id < open.Length; id++)
        {
            mine[id] = open[id] is { } port ? PortOf(port, ports.WorkersOf(id), context, (ushort)id) : null;
        }

        return mine;
    }

    /// <summary>What a worker uses for a port: its own part of it, else a ring to a worker that has one, so that all are made use of.</summary>
    private static IPort PortOf(IPort port, int[] owners, WorkerContext context, ushort id)
    {
        int worker = context.Share.Index;
        IPort? mine = owners.Length > 1 && port is IQueuedPort queued ? queued.PartOf(worker) : owners[0] == worker ? port : null;
        if (mine is MemifLane lane && owners[0] != worker)
        {
            lane.SendElsewhere(context.Links!.PortOf(owners[0], id));
        }

        return mine ?? context.Links!.PortOf(owners[worker % owners.Length], id);
    }

    /// <summary>A service that is the same object as before is the worker's same object too: a change of one of thousands makes one anew.</summary>
    private static ServiceTable Services(ServiceTable services, int worker, ServiceTable? before, ServiceTable? viewBefore)
    {
        ServiceRuntime[] all = services.Services, was = before?.Services ?? [], had = viewBefore?.Services ?? [];
        var mine = new ServiceRuntime[all.Length];
        Dictionary<ServiceKey, ServiceRuntime>? known = null;
        for (int i = 0; i < all.Length; i++)
        {
            if (i < was.Length && ReferenceEquals(was[i], all[i]))
            {
                mine[i] = had[i];
                continue;
            }

            var key = ServiceKey.Of(all[i].Spec);
            ServiceRuntime? same = i < had.Length && ServiceKey.Of(had[i].Spec) == key ? had[i] : null;
            if (same is null)
            {
                known ??= had.ToDictionary(service => ServiceKey.Of(service.Spec));
                same = known.GetValueOrDefault(key);
            }

            mine[i] = all[i].OfWorker(worker, same);
        }

        return new ServiceTable(mine, like: services);
    }
}
