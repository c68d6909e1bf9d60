using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Routing;

namespace Dataplane.Snapshots;

/// <summary>The neighbours that one process knows, for its successor: without them every first packet would wait for an answer. At quiescent points of the worker.</summary>
internal static class NeighbourSnapshots
{
    /// <summary>Writes those that are known and not configured; ports by name.</summary>
    public static void Write(WorkerContext context, BinaryWriter target)
    {
        for (int index = 0; index < context.Neighbours.Capacity; index++)
        {
            ref readonly NeighbourEntry entry = ref context.Neighbours[index];
            int found = entry.State is NeighbourState.Reachable or NeighbourState.Stale or NeighbourState.Probe ? context.Tables.InterfaceMap.Find(entry.Port, entry.Vlan) : -1;
            if (found >= 0)
            {
                target.Write(context.Tables.Interfaces[found].PortName);
                target.Write(entry.Vlan);
                target.Write((byte)entry.Address.Family);
                target.Write(entry.Address.High);
                target.Write(entry.Address.Low);
                target.Write(entry.Mac);
                target.Write(entry.State == NeighbourState.Reachable);
            }
        }
    }

    /// <summary>Reads what <see cref="Write"/> has written; what has no interface here is left out.</summary>
    /// <returns>How many are known now.</returns>
    /// <exception cref="EndOfStreamException">It ends too early.</exception>
    public static int Read(WorkerContext context, BinaryReader source)
    {
        int count = 0;
        while (source.BaseStream.Position < source.BaseStream.Length)
        {
            string port = source.ReadString();
            ushort vlan = source.ReadUInt16();
            byte family = source.ReadByte();
            ulong high = source.ReadUInt64(), low = source.ReadUInt64(), mac = source.ReadUInt64();
            bool isReachable = source.ReadBoolean();
            IpAddress address = family == 4 ? IpAddress.FromV4((uint)low) : IpAddress.FromV6(high, low);
            if (context.Tables.Interfaces.FirstOrDefault(entry => entry.PortName == port && entry.Vlan == vlan) is { } home)
            {
                NeighbourStage.Learn(context, home, address, mac, solicited: false, create: true);
                if (isReachable)
                {
                    // A second time: what has just been added would otherwise be asked for by the first packet.
                    NeighbourStage.Learn(context, home, address, mac, solicited: true, create: false);
                }

                count++;
            }
        }

        return count;
    }
}
