namespace Dataplane.Mesh.Registration;

/// <summary>Which parts of a registry have changed lately, by revision: who has fallen asleep for a while is told what he missed and not everything. Under the registry's lock.</summary>
internal sealed class RegistryLog
{
    /// <summary>With more changes than that everything is told.</summary>
    private const int MaxKept = 20_000;

    private readonly List<Entry> _entries = [];
    private long _begin = 1;

    /// <summary>A service, or with an id an endpoint of it.</summary>
    internal readonly record struct Part(string Namespace, string Service, string? Id);

    private readonly record struct Entry(long Revision, Part Part);

    /// <summary>Notes a change; revisions only grow.</summary>
    public void Add(long revision, Part part)
    {
        if (_entries.Count == MaxKept)
        {
            _begin = _entries[(MaxKept / 2) - 1].Revision;
            _entries.RemoveRange(0, MaxKept / 2);
        }

        _entries.Add(new Entry(revision, part));
    }

    /// <summary>What has changed after a revision, each part once; null when that is not known any more, or never was.</summary>
    public IReadOnlyCollection<Part>? Since(long revision, long now)
    {
        if (revision < _begin || revision > now)
        {
            return null;
        }

        var parts = new HashSet<Part>();
        for (int i = _entries.Count - 1; i >= 0 && _entries[i].Revision > revision; i--)
        {
            parts.Add(_entries[i].Part);
        }

        return parts;
    }
}
