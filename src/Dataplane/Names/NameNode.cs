namespace Dataplane.Names;

/// <summary>A name that is there: for records, for names below it (RFC 8020), or as the top of a zone. Control side.</summary>
internal sealed class NameNode(string name)
{
    private static readonly List<(NameZone, NameRecord)> s_none = [];

    /// <summary>The name, normalised.</summary>
    public string Name => name;

    /// <summary>For how many reasons it is there; with none it goes.</summary>
    public int Uses { get; set; }

    /// <summary>The zone that begins here; null for partial zones, and elsewhere.</summary>
    public NameZone? Apex { get; set; }

    /// <summary>Whether it is the name of the server itself, which has the server's addresses unless a zone gives it records.</summary>
    public bool IsServer { get; set; }

    /// <summary>Its records, each with the zone it stands in.</summary>
    public List<(NameZone Zone, NameRecord Record)> Records { get; private set; } = s_none;

    /// <summary>Other names that its answers depend on.</summary>
    public IReadOnlyList<string> Watched { get; set; } = [];

    /// <summary>Number of its entry in the arena; -1 before it is compiled.</summary>
    public int Entry { get; set; } = -1;

    public void Add(NameZone zone, NameRecord record)
    {
        // Names without records are as many as those with.
        Records = ReferenceEquals(Records, s_none) ? new(1) : Records;
        Records.Add((zone, record));
    }

    public void Remove(NameZone zone, NameRecord record) => Records.RemoveAt(Records.FindIndex(entry => ReferenceEquals(entry.Zone, zone) && ReferenceEquals(entry.Record, record)));

    /// <summary>Whether two records are of one type, so that it matters which comes first.</summary>
    public bool HasOrder => Records.Count > 1 && Records.DistinctBy(entry => entry.Record.Type).Count() < Records.Count;

    /// <summary>Whether several zones have records for it.</summary>
    public bool IsShared => Records.Count > 1 && Records.Exists(entry => entry.Zone != Records[0].Zone);
}
