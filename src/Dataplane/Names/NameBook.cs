using System.Security.Cryptography;
using Dataplane.Configuration;
using Dataplane.Packets;

namespace Dataplane.Names;

/// <summary>All that is known of one name server, from which its tables are made: each out of what has changed since the one before. Control side, one thread at a time.</summary>
/// <remarks>
/// Names are compiled again whose records have changed, whose zone has, and whose answers repeat records of such names. A table made of changes answers like one that is
/// made anew. Records and zones are compared by reference, so whoever changes a specification keeps the objects of what stays.
/// </remarks>
internal sealed class NameBook
{
    /// <summary>Names that are gone, or were compiled again, may take as much memory as those there are, and this many more.</summary>
    private const int MinDeadNames = 1000;

    private readonly Dictionary<string, NameNode> _nodes = new(StringComparer.Ordinal);
    private readonly Dictionary<string, NameZone> _zones = new(StringComparer.Ordinal);

    /// <summary>The names whose answers repeat records of a name, there or not.</summary>
    private readonly Dictionary<string, HashSet<NameNode>> _watchers = new(StringComparer.Ordinal);

    /// <summary>Names to which several zones add records.</summary>
    private readonly HashSet<NameNode> _shared = [];

    private readonly HashSet<string> _touched = new(StringComparer.Ordinal);
    private readonly HashSet<string> _changedTops = new(StringComparer.Ordinal);
    private readonly int[] _zonesOfDepth = new int[DomainName.MaxWireBytes];
    private NameArena _arena = null!;
    private NameSlots _slots = null!;
    private NameCompiler _compiler = null!;
    private IReadOnlyList<IpAddress> _addresses = [];
    private NameServerSpec? _spec;

    /// <summary>How many names have been compiled so far, each time counted.</summary>
    public long NamesCompiled { get; private set; }

    /// <summary>Makes the table of a specification without errors.</summary>
    public NameTable Compile(NameServerSpec spec)
    {
        NameServerSpec? before = _spec;

        // If memory runs out in the middle, the next table is made anew.
        _spec = null;
        if (before is null || !before.Addresses.SequenceEqual(spec.Addresses) || !Dns64.AreSame(before.Dns64, spec.Dns64) || IsFull(spec))
        {
            Clear(spec);
            before = null;
        }

        _touched.Clear();
        _changedTops.Clear();
        IReadOnlyList<ZoneSpec> zones = Dns64.ZonesOf(spec);
        bool haveZonesChanged = ChangeZones(before is null ? [] : Dns64.ZonesOf(before), zones);
        if (before is not null)
        {
            TouchOthers(haveZonesChanged);
            PutInOrder(zones);
        }

        CompileTouched();
        _spec = spec;
        int[] depths = [.. Enumerable.Range(0, _zonesOfDepth.Length).Where(depth => _zonesOfDepth[depth] > 0).Reverse()];
        return new NameTable(_arena, _slots, depths, spec.Upstreams.Count > 0);
    }

    /// <summary>Whether most of the memory is of names that are gone, or the numbers of zones run out.</summary>
    private bool IsFull(NameServerSpec spec) =>
        _arena.EntryCount > (2 * _nodes.Count) + MinDeadNames || _arena.ZoneCount + Dns64.ZonesOf(spec).Count > ushort.MaxValue;

    private void Clear(NameServerSpec spec)
    {
        _nodes.Clear();
        _zones.Clear();
        _watchers.Clear();
        _shared.Clear();
        Array.Clear(_zonesOfDepth);
        _addresses = spec.Addresses;
        _arena = new NameArena();
        _slots = new NameSlots(_arena, BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8)));
        _compiler = new NameCompiler(_arena, Find, ZoneOf, name => _addresses.Select(address => NameRecord.Of(name, address)), spec.Dns64);
    }

    /// <summary>Whether zones came, went or have other settings.</summary>
    private bool ChangeZones(IReadOnlyList<ZoneSpec> before, IReadOnlyList<ZoneSpec> after)
    {
        ListDifference difference = ListDifference.Of(before, after);
        var coming = new Dictionary<string, ZoneSpec>(StringComparer.Ordinal);
        foreach (int at in difference.Added)
        {
            coming[DomainName.Normalise(after[at].Name)] = after[at];
        }

        foreach (int at in difference.Removed)
        {
            NameZone zone = _zones[DomainName.Normalise(before[at].Name)];
            if (coming.TryGetValue(zone.Top, out ZoneSpec? next) && NameZone.HaveSameSettings(zone.Spec, next))
            {
                coming.Remove(zone.Top);
                ChangeRecords(zone, next);
            }
            else
            {
                RemoveZone(zone);
            }
        }

        foreach (int at in difference.Added)
        {
            string top = DomainName.Normalise(after[at].Name);
            if (coming.ContainsKey(top))
            {
                AddZone(top, after[at]);
            }
        }

        // The order of zones is that of the records of names which several of them have.
        _touched.UnionWith(difference.IsEmpty ? [] : _shared.Select(node => node.Name));
        return _changedTops.Count > 0;
    }

    private void ChangeRecords(NameZone zone, ZoneSpec next)
    {
        IReadOnlyList<NameRecord> before = zone.Spec.Records;
        ListDifference difference = ListDifference.Of(before, next.Records);
        zone.Spec = next;
        foreach (int at in difference.Removed)
        {
            RemoveRecord(zone, before[at]);
        }

        foreach (int at in difference.Added)
        {
            AddRecord(zone, next.Records[at]);
        }
    }

    private void AddZone(string top, ZoneSpec spec)
    {
        var zone = new NameZone(top, spec, _compiler.AddZone(top, spec));
        _zones[top] = zone;
        _changedTops.Add(top);
        if (!spec.IsPartial)
        {
            _zonesOfDepth[DomainName.LabelsOf(top)]++;
            Use(top).Apex = zone;
        }

        if (zone.ServerName is { } server)
        {
            Use($"dns.{top}");
            Use(server).IsServer = true;
        }

        foreach (NameRecord record in spec.Records)
        {
            AddRecord(zone, record);
        }
    }

    private void RemoveZone(NameZone zone)
    {
        _zones.Remove(zone.Top);
        _changedTops.Add(zone.Top);
        if (!zone.Spec.IsPartial)
        {
            _zonesOfDepth[DomainName.LabelsOf(zone.Top)]--;
            Leave(zone.Top).Apex = null;
        }

        if (zone.ServerName is { } server)
        {
            Leave($"dns.{zone.Top}");
            Leave(server).IsServer = false;
        }

        foreach (NameRecord record in zone.Spec.Records)
        {
            RemoveRecord(zone, record);
        }
    }

    private void AddRecord(NameZone zone, NameRecord record)
    {
        string name = DomainName.Normalise(record.Name);
        Use(name).Add(zone, record);

        // Names between a record and the top are there, though empty (RFC 8020): to deny them would deny what is below.
        for (string? above = Above(zone, name); above is not null; above = Above(zone, above))
        {
            Use(above);
        }
    }

    private void RemoveRecord(NameZone zone, NameRecord record)
    {
        string name = DomainName.Normalise(record.Name);
        Leave(name).Remove(zone, record);
        for (string? above = Above(zone, name); above is not null; above = Above(zone, above))
        {
            Leave(above);
        }
    }

    /// <summary>The name above another that is there for its sake; null at the top. A partial zone does not say what is not there.</summary>
    private static string? Above(NameZone zone, string name) =>
        !zone.Spec.IsPartial && DomainName.ParentOf(name) is { } above && above.Length > zone.Top.Length ? above : null;

    private NameNode Use(string name)
    {
        if (!_nodes.TryGetValue(name, out NameNode? node))
        {
            _nodes[name] = node = new NameNode(name);
        }

        node.Uses++;
        _touched.Add(name);
        return node;
    }

    private NameNode Leave(string name)
    {
        NameNode node = _nodes[name];
        node.Uses--;
        _touched.Add(name);
        return node;
    }

    private NameZone? ZoneOf(string name)
    {
        for (string? above = name; above is not null; above = DomainName.ParentOf(above))
        {
            if (_zones.TryGetValue(above, out NameZone? zone))
            {
                return zone;
            }
        }

        return null;
    }

    /// <summary>Adds names whose answers are others for the sake of those that have changed.</summary>
    private void TouchOthers(bool haveZonesChanged)
    {
        // Names of a zone around one that came or went may be in another zone now.
        if (_changedTops.Any(top => DomainName.ParentOf(top) is { } above && ZoneOf(above) is not null))
        {
            _touched.UnionWith(_nodes.Keys.Where(IsUnderChanged).ToArray());
        }

        foreach (string name in _touched.ToArray())
        {
            if (_watchers.TryGetValue(name, out HashSet<NameNode>? watchers))
            {
                _touched.UnionWith(watchers.Select(node => node.Name));
            }
        }

        if (haveZonesChanged)
        {
            // An alias into what was a matter of others may lead into a zone now.
            _touched.UnionWith(_watchers.Values.SelectMany(watchers => watchers).Select(node => node.Name).ToArray());
        }
    }

    private bool IsUnderChanged(string name)
    {
        for (string? above = name; above is not null; above = DomainName.ParentOf(above))
        {
            if (_changedTops.Contains(above))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Records of one name and type are served in the order in which the zones list them.</summary>
    private void PutInOrder(IReadOnlyList<ZoneSpec> zones)
    {
        var ordered = new Dictionary<string, NameNode>(StringComparer.Ordinal);
        var of = new HashSet<ZoneSpec>(ReferenceEqualityComparer.Instance);
        foreach (NameNode node in Touched().Where(node => node.HasOrder))
        {
            ordered[node.Name] = node;
            of.UnionWith(node.Records.Select(entry => entry.Zone.Spec));
            node.Records.Clear();
        }

        foreach (ZoneSpec spec in ordered.Count == 0 ? [] : zones.Where(of.Contains))
        {
            NameZone zone = _zones[DomainName.Normalise(spec.Name)];
            foreach (NameRecord record in spec.Records)
            {
                if (ordered.TryGetValue(DomainName.Normalise(record.Name), out NameNode? node))
                {
                    node.Add(zone, record);
                }
            }
        }
    }

    private void CompileTouched()
    {
        _slots.Begin(Math.Max(_nodes.Count, _slots.Count));
        NameNode[] nodes = [.. Touched()];
        foreach (NameNode node in nodes)
        {
            Watch(node, isWatching: false);
            if (node.Uses == 0)
            {
                Forget(node);
            }
        }

        foreach (NameNode node in nodes.Where(node => node.Uses > 0))
        {
            int before = node.Entry;
            _compiler.Compile(node);
            NamesCompiled++;
            Watch(node, isWatching: true);
            _ = node.IsShared ? _shared.Add(node) : _shared.Remove(node);
            if (before < 0)
            {
                _slots.Add(node.Entry);
            }
            else
            {
                _slots.Replace(before, node.Entry);
            }
        }
    }

    private void Forget(NameNode node)
    {
        _nodes.Remove(node.Name);
        _shared.Remove(node);
        if (node.Entry >= 0)
        {
            _slots.Remove(node.Entry);
        }
    }

    private NameNode? Find(string name) => _nodes.GetValueOrDefault(name);

    private IEnumerable<NameNode> Touched()
    {
        foreach (string name in _touched)
        {
            if (Find(name) is { } node)
            {
                yield return node;
            }
        }
    }

    private void Watch(NameNode node, bool isWatching)
    {
        foreach (string name in node.Watched)
        {
            if (isWatching)
            {
                if (!_watchers.TryGetValue(name, out HashSet<NameNode>? watchers))
                {
                    _watchers[name] = watchers = [];
                }

                watchers.Add(node);
            }
            else if (_watchers.TryGetValue(name, out HashSet<NameNode>? watchers) && watchers.Remove(node) && watchers.Count == 0)
            {
                _watchers.Remove(name);
            }
        }
    }
}
