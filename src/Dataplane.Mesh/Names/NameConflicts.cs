using Dataplane.Names;

namespace Dataplane.Mesh.Names;

/// <summary>Which names are taken, and by what: a name that is an alias has nothing else. For meshes with aliases of others' names; without, nothing can meet.</summary>
/// <param name="wanted">The names that are to be aliases: records of no other can meet any.</param>
internal sealed class NameConflicts(IEnumerable<string> wanted)
{
    private readonly HashSet<string> _wanted = new(wanted.Select(DomainName.Normalise), StringComparer.OrdinalIgnoreCase);
    private readonly HashSet<string> _aliases = new(StringComparer.Ordinal);
    private readonly HashSet<string> _others = new(StringComparer.Ordinal);

    /// <summary>Whether a record may stand beside those that were taken down.</summary>
    public bool IsFree(NameRecord record)
    {
        if (!IsWanted(record))
        {
            return true;
        }

        string name = DomainName.Normalise(record.Name);
        return !_aliases.Contains(name) && (record.Type != NameRecordType.Cname || !_others.Contains(name));
    }

    /// <summary>Takes a record down.</summary>
    public void Take(NameRecord record)
    {
        if (IsWanted(record))
        {
            (record.Type == NameRecordType.Cname ? _aliases : _others).Add(DomainName.Normalise(record.Name));
        }
    }

    private bool IsWanted(NameRecord record) => _wanted.Contains(record.Name.EndsWith('.') ? DomainName.Normalise(record.Name) : record.Name);
}
