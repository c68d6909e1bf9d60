namespace Dataplane.Routing;

/// <summary>What a route says about a destination.</summary>
internal enum RouteKind : byte
{
    Forward = 0,
    Local,
    Broadcast,
    Blackhole,
    Unreachable,
    Prohibited,

    /// <summary>The subnet of a network: who of its endpoints has the address is looked up there.</summary>
    Network,
}

/// <summary>What routes lead to: a kind, and for forwarding the group of next hops. Immutable; any number of routes share one.</summary>
internal sealed class RouteEntry
{
    /// <summary>Slots of a group of several next hops: shares are exact to one in 256.</summary>
    public const int GroupSlots = 256;

    public required RouteKind Kind { get; init; }

    /// <summary>Who is in the group, each next hop once; empty unless packets are forwarded.</summary>
    public GroupMember[] Members { get; init; } = [];

    /// <summary>Next hops by slot: a flow's hash chooses the slot. One element for a single next hop.</summary>
    public int[] Slots { get; init; } = [];

    /// <summary>The next hop for a flow.</summary>
    public int Select(uint hash)
    {
        int[] slots = Slots;
        return slots[(int)(((ulong)hash * (uint)slots.Length) >> 32)];
    }

    /// <summary>An entry that takes another's place: flows move only as far as the members make it necessary (see <see cref="ResilientSlots"/>).</summary>
    /// <param name="members">Who is in it from now on, at least one.</param>
    /// <param name="before">What stood there before; null for nothing.</param>
    /// <param name="hopNow">Gives each next hop of <paramref name="before"/> its number now, -1 when it is gone.</param>
    public static RouteEntry Forward(GroupMember[] members, RouteEntry? before, Func<int, int> hopNow)
    {
        if (members.Length == 1)
        {
            return new RouteEntry { Kind = RouteKind.Forward, Members = members, Slots = [members[0].Hop] };
        }

        int[] slots = new int[GroupSlots];
        GroupMember[] old = [];
        slots.AsSpan().Fill(-1);
        if (before is { Kind: RouteKind.Forward })
        {
            old = [.. before.Members.Select(member => member with { Hop = hopNow(member.Hop) }).Where(member => member.Hop >= 0)];
            for (int slot = 0; slot < slots.Length; slot++)
            {
                slots[slot] = hopNow(before.Slots[slot * before.Slots.Length / slots.Length]);
            }
        }

        return new RouteEntry { Kind = RouteKind.Forward, Members = members, Slots = ResilientSlots.Divide(slots, old, members) };
    }
}
