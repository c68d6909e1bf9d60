using Dataplane.Names;

namespace Dataplane.Mesh.Names;

/// <summary>Which names are taken, and by what: a name that is an alias has nothing else. For meshes with aliases of others' names; without, nothing can meet.</summary>
internal sealed class NameConflicts
{
    private readonly HashSet<string> _aliases = new(StringComparer.Ordinal);
    private readonly HashSet<string> _others = new(StringComparer.Ordinal);

    /// <summary>Whether a record may stand beside those that were taken down.</summary>
    public bool IsFree(NameRecord record)
    {
        string name = DomainName.Normalise(record.Name);
        return !_aliases.Contains(name) && (record.Type != NameRecordType.Cname || !_others.Contains(name));
    }

    /// <summary>Takes a record down.</summary>
    public void Take(NameRecord record) => (record.Type == NameRecordType.Cname ? _aliases : _others).Add(DomainName.Normalise(record.Name));
}
