using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Routing;

/// <summary>Learning, asking and ageing (RFC 4861 7.3 and 10; ARP alike).</summary>
internal static partial class NeighbourStage
{
    /// <summary>REACHABLE_TIME.</summary>
    public const long ReachableNs = 30_000_000_000;

    /// <summary>RETRANS_TIMER.</summary>
    private const long RetransmitNs = 1_000_000_000;

    /// <summary>MAX_MULTICAST_SOLICIT and MAX_UNICAST_SOLICIT.</summary>
    private const int MaxAsked = 3;

    /// <summary>How long a neighbour that nobody uses is remembered.</summary>
    private const long StaleNs = 600_000_000_000;

    /// <summary>True when an address is in a prefix of the interface, or link-local.</summary>
    public static bool IsOnLink(L3Interface entry, IpAddress address)
    {
        foreach (IpPrefix prefix in entry.Addresses)
        {
            if (prefix.Contains(address))
            {
                return true;
            }
        }

        return address.IsIpv6 && address.IsLinkLocal;
    }

    /// <summary>The sender for a question about an address: the interface's own in the same prefix.</summary>
    public static IpAddress SenderFor(L3Interface entry, IpAddress target)
    {
        foreach (IpPrefix prefix in entry.Addresses)
        {
            if (prefix.Contains(target))
            {
                return prefix.Address;
            }
        }

        return entry.SourceFor(target);
    }

    /// <summary>Takes in what a neighbour said of itself.</summary>
    /// <param name="context">The worker.</param>
    /// <param name="entry">Interface it was heard on.</param>
    /// <param name="address">Its address.</param>
    /// <param name="mac">Its hardware address.</param>
    /// <param name="solicited">True when it answered us: it is reachable both ways.</param>
    /// <param name="create">True when it may be added if not known yet.</param>
    public static void Learn(WorkerContext context, L3Interface entry, IpAddress address, ulong mac, bool solicited, bool create)
    {
        NeighbourTable neighbours = context.Neighbours;
        int index = neighbours.Find(entry.Port, entry.Vlan, address);
        if (index < 0)
        {
            if (create)
            {
                AddOrReplace(context, entry, address, NeighbourState.Stale, mac);
            }

            return;
        }

        ref NeighbourEntry known = ref neighbours[index];
        if (known.State == NeighbourState.Static)
        {
            return;
        }

        bool wasWaiting = known.State == NeighbourState.Incomplete;
        if (known.Mac != mac || wasWaiting)
        {
            known.Mac = mac;
            known.LastChangeNs = context.NowNs;
            context.Flows.Offloaded?.RecallTo(index);
            neighbours.Turn(index, NeighbourState.Stale);
        }

        if (solicited || wasWaiting)
        {
            neighbours.Turn(index, NeighbourState.Reachable);
            known.DeadlineNs = context.NowNs + ReachableNs;
            known.Asked = 0;
        }

        if (wasWaiting)
        {
            context.Held.Release(ref known.HeldFirst, ref known.HeldLast);
            known.HeldCount = 0;
        }
    }

    /// <summary>Asks again, gives up, and ages. Called several times a second.</summary>
    public static void Tick(WorkerContext context)
    {
        NeighbourTable neighbours = context.Neighbours;
        if (neighbours.Count == 0)
        {
            return;
        }

        // Entries are taken from the front: behind the last of those there are, nothing has to be looked at.
        long now = context.NowNs;
        for (int index = 0, left = neighbours.Count; left > 0; index++)
        {
            ref NeighbourEntry entry = ref neighbours[index];
            left -= entry.State == NeighbourState.Free ? 0 : 1;
            switch (entry.State)
            {
                case NeighbourState.Reachable when now >= entry.DeadlineNs:
                    neighbours.Turn(index, NeighbourState.Stale);
                    entry.LastChangeNs = now;
                    break;
                case NeighbourState.Stale when now - entry.LastChangeNs >= StaleNs:
                    neighbours.Remove(index);
                    break;
                case NeighbourState.Incomplete or NeighbourState.Probe when now >= entry.DeadlineNs:
                    AskAgain(context, index);
                    break;
            }
        }
    }

    /// <summary>Drops what an entry holds and frees it.</summary>
    public static void Remove(WorkerContext context, int index, DropReason reason)
    {
        ref NeighbourEntry entry = ref context.Neighbours[index];
        while (context.Held.TryDiscard(ref entry.HeldFirst, ref entry.HeldLast, out Span<byte> frame, out ushort port, out PacketMarks marks))
        {
            context.Counters.CountHeldDropped(reason);
            context.Tap?.GiveUp(context, frame, port, marks, reason);
            if (reason == DropReason.NeighbourUnresolved)
            {
                // RFC 1812 5.2.7.1: host unreachable; RFC 4443 3.1: address unreachable.
                IcmpErrors.SendAboutHeld(context, frame, port, marks);
            }
        }

        context.Neighbours.Remove(index);
    }

    private static void AskAgain(WorkerContext context, int index)
    {
        ref NeighbourEntry entry = ref context.Neighbours[index];
        int found = context.Tables.InterfaceMap.Find(entry.Port, entry.Vlan);
        if (entry.Asked >= MaxAsked || found < 0)
        {
            Remove(context, index, DropReason.NeighbourUnresolved);
            return;
        }

        entry.Asked++;
        entry.DeadlineNs = context.NowNs + RetransmitNs;
        Ask(context, context.Tables.Interfaces[found], entry.Address, entry.State == NeighbourState.Probe ? entry.Mac : 0);
    }

    private static void StartProbe(WorkerContext context, int index, L3Interface via)
    {
        ref NeighbourEntry entry = ref context.Neighbours[index];
        context.Neighbours.Turn(index, NeighbourState.Probe);
        entry.Asked = 1;
        entry.DeadlineNs = context.NowNs + RetransmitNs;
        Ask(context, via, entry.Address, entry.Mac);
    }

    private static void Ask(WorkerContext context, L3Interface entry, IpAddress address, ulong knownMac)
    {
        if (address.IsIpv4)
        {
            ArpMessages.Ask(context, entry, address, knownMac);
        }
        else
        {
            NeighbourDiscovery.Ask(context, entry, address, knownMac);
        }
    }

    private static int AddOrReplace(WorkerContext context, L3Interface entry, IpAddress address, NeighbourState state, ulong mac)
    {
        NeighbourTable neighbours = context.Neighbours;
        int index = neighbours.Add(entry.Port, entry.Vlan, address, state, mac, context.NowNs);
        if (index >= 0)
        {
            return index;
        }

        int victim = neighbours.FindVictim();
        if (victim < 0)
        {
            return -1;
        }

        Remove(context, victim, DropReason.NeighbourTableFull);
        return neighbours.Add(entry.Port, entry.Vlan, address, state, mac, context.NowNs);
    }
}
