using Dataplane.Names;

namespace Dataplane.Gateway.Networks;

/// <summary>The zones of a network's name server. What endpoints add and take away changes the zones that it is in; all others stay the same objects, which are known to be valid and compiled.</summary>
internal sealed class NetworkZones
{
    private readonly Dictionary<string, Zone> _zones = new(StringComparer.OrdinalIgnoreCase);
    private readonly List<ZoneSpec> _specs = [];
    private readonly HashSet<Zone> _changed = [];

    private sealed class Zone(string name)
    {
        public string Name => name;

        /// <summary>Records, and how many endpoints add the same.</summary>
        public Dictionary<NameRecord, int> Uses { get; } = [];

        public List<NameRecord> Records { get; } = [];

        public ZoneSpec? Spec { get; set; }
    }

    /// <summary>How many zones were made so far.</summary>
    public int ZonesMade { get; private set; }

    public void Add(string zone, NameRecord record)
    {
        if (!_zones.TryGetValue(zone, out Zone? of))
        {
            _zones[zone] = of = new Zone(zone);
        }

        int uses = of.Uses[record] = of.Uses.GetValueOrDefault(record) + 1;
        if (uses == 1)
        {
            of.Records.Add(record);
            _changed.Add(of);
        }
    }

    public void Remove(string zone, NameRecord record)
    {
        Zone of = _zones[zone];
        if (--of.Uses[record] == 0)
        {
            of.Uses.Remove(record);
            of.Records.Remove(record);
            _changed.Add(of);
        }
    }

    /// <summary>The zones as they are now.</summary>
    public IReadOnlyList<ZoneSpec> ToSpecs()
    {
        foreach (Zone zone in _changed)
        {
            int at = zone.Spec is null ? -1 : _specs.FindIndex(spec => ReferenceEquals(spec, zone.Spec));
            zone.Spec = zone.Records.Count == 0 ? null : new ZoneSpec { Name = zone.Name, Records = [.. zone.Records] };
            ZonesMade++;
            if (zone.Spec is null)
            {
                _zones.Remove(zone.Name);
            }

            Put(at, zone.Spec);
        }

        _changed.Clear();
        return [.. _specs];
    }

    private void Put(int at, ZoneSpec? spec)
    {
        if (at < 0 && spec is not null)
        {
            _specs.Add(spec);
        }
        else if (spec is not null)
        {
            _specs[at] = spec;
        }
        else if (at >= 0)
        {
            _specs.RemoveAt(at);
        }
    }
}
