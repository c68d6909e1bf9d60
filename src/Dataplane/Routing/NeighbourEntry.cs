using Dataplane.Packets;

namespace Dataplane.Routing;

/// <summary>One neighbour on a port and VLAN.</summary>
internal struct NeighbourEntry
{
    public IpAddress Address;
    public ulong Mac;
    public long DeadlineNs;
    public long LastChangeNs;
    public uint Generation;
    public int NextInBucket;
    public int HeldFirst;
    public int HeldLast;

    /// <summary>Its place among those of its state, where the table keeps them in order.</summary>
    public int EarlierOfState, LaterOfState;
    public ushort Vlan;
    public ushort HeldCount;
    public ushort Port;
    public byte Asked;

    /// <summary>Changed by <see cref="NeighbourTable.Turn"/> alone.</summary>
    public NeighbourState State;

    /// <summary>True when its hardware address may be used.</summary>
    public readonly bool IsUsable => State >= NeighbourState.Reachable;
}
