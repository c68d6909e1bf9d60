namespace Dataplane.Names;

/// <summary>A part of the name space that a name server answers for, with all its records. Immutable.</summary>
public sealed record ZoneSpec
{
    /// <summary>Name at the top, such as <c>mesh.example</c>; records have this name or one below it.</summary>
    public required string Name { get; init; }

    /// <summary>The records, in any order. Of more than 4,000 records of one name and type the first 4,000 are served: more fit no message.</summary>
    public IReadOnlyList<NameRecord> Records { get; init; } = [];

    /// <summary>How long others may keep records that say nothing themselves, in seconds, 0 to 2147483647.</summary>
    public int TtlSeconds { get; init; } = 30;

    /// <summary>How long others may remember that there is no such name or record, in seconds (RFC 2308), 0 to 2147483647.</summary>
    public int NegativeTtlSeconds { get; init; } = 5;

    /// <summary>Whether the zone has gaps for others to fill: names that are not in it are asked upstream instead of denied. For reverse zones, of which
    /// one knows a few addresses only.</summary>
    public bool IsPartial { get; init; }
}
