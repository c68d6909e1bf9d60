using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Routing;

/// <summary>Brings the neighbour table in line with new tables: neighbours of the configuration in, those of vanished ports and settings out.</summary>
internal static class ConfiguredNeighbours
{
    /// <summary>Called by the worker when it takes over tables; does not allocate.</summary>
    public static void Apply(WorkerContext context)
    {
        ForwardingTables tables = context.Tables;
        NeighbourTable neighbours = context.Neighbours;
        for (int index = 0; index < neighbours.Capacity; index++)
        {
            ref NeighbourEntry entry = ref neighbours[index];
            if (entry.State == NeighbourState.Free)
            {
                continue;
            }

            bool portGone = tables.InterfaceMap.Find(entry.Port, entry.Vlan) < 0;
            if (portGone || (entry.State == NeighbourState.Static && !tables.StaticNeighbours.Contains((entry.Port, entry.Vlan, entry.Address))))
            {
                NeighbourStage.Remove(context, index, DropReason.Stopped);
            }
        }

        foreach ((ushort port, NeighbourSpec spec) in tables.Neighbours)
        {
            Set(context, port, spec);
        }
    }

    private static void Set(WorkerContext context, ushort port, NeighbourSpec spec)
    {
        int found = context.Tables.InterfaceMap.Find(port, (ushort)spec.Vlan);
        if (found < 0)
        {
            return;
        }

        L3Interface entry = context.Tables.Interfaces[found];
        NeighbourStage.Learn(context, entry, spec.Address, spec.Mac.Bits, solicited: true, create: true);
        int index = context.Neighbours.Find(port, entry.Vlan, spec.Address);
        if (index >= 0)
        {
            ref NeighbourEntry neighbour = ref context.Neighbours[index];
            neighbour.Mac = spec.Mac.Bits;
            context.Neighbours.Turn(index, spec.Learned ? NeighbourState.Reachable : NeighbourState.Static);
            neighbour.DeadlineNs = context.NowNs + NeighbourStage.ReachableNs;
        }
    }
}
