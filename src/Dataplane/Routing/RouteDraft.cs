namespace Dataplane.Routing;

/// <summary>What routes are to lead to, while tables are compiled: a kind and a group, which equal routes share.</summary>
internal readonly struct RouteDraft : IEquatable<RouteDraft>
{
    private readonly GroupMember[] _members;

    public RouteDraft(RouteKind kind, GroupMember[] members)
    {
        Kind = kind;
        _members = [.. members.OrderBy(member => member.Hop)];
    }

    public RouteKind Kind { get; }

    /// <summary>By number of the next hop.</summary>
    public GroupMember[] Members => _members ?? [];

    /// <summary>The entry that the draft becomes.</summary>
    /// <param name="before">The entry whose number it takes; null for none.</param>
    /// <param name="hopNow">Gives each next hop of <paramref name="before"/> its number now, -1 when it is gone.</param>
    public RouteEntry ToEntry(RouteEntry? before, Func<int, int> hopNow) =>
        Kind == RouteKind.Forward ? RouteEntry.Forward(Members, before, hopNow) : new RouteEntry { Kind = Kind };

    /// <summary>What a route of the configuration is.</summary>
    public static RouteKind KindOf(RouteSpec route) => route.Reject switch
    {
        RouteReject.Blackhole => RouteKind.Blackhole,
        RouteReject.Unreachable => RouteKind.Unreachable,
        RouteReject.Prohibited => RouteKind.Prohibited,
        _ => RouteKind.Forward,
    };

    public bool Equals(RouteDraft other) => Kind == other.Kind && Members.AsSpan().SequenceEqual(other.Members);

    public override bool Equals(object? obj) => obj is RouteDraft other && Equals(other);

    public override int GetHashCode()
    {
        var hash = default(HashCode);
        hash.Add(Kind);
        foreach (GroupMember member in Members)
        {
            hash.Add(member);
        }

        return hash.ToHashCode();
    }
}
