using Dataplane.Configuration;
using Dataplane.Mesh.Names;
using Dataplane.Mesh.Sources;

namespace Dataplane.Mesh.Services;

/// <summary>Services that come and go among thousands: they are worked out alone, where nothing of another depends on them.</summary>
internal sealed partial class MeshCompiler
{
    /// <summary>With more changes than this, working out everything is no more work.</summary>
    private const int MostChanged = 64;

    /// <summary>Works out the services that have come, takes out those that have gone, and looks at no other but those whose endpoints have changed.</summary>
    /// <returns>Null when another service may have other addresses, names or ports for their sake.</returns>
    private MeshTables? CompileChanged(IReadOnlySet<int> affected, IReadOnlyList<(string Name, SourceSnapshot Snapshot)> sources, MeshTables last,
        IReadOnlyList<(string Name, SourceSnapshot Snapshot)> before)
    {
        if (last.TakePlan() is not { HasHidden: false } plan)
        {
            return null;
        }

        (List<(MeshServiceSpec Service, string Source)> gone, List<(MeshServiceSpec Service, string Source)> come) = Differences(before, sources);
        if (gone.Count + come.Count > MostChanged || !TryTakeOut(gone, last, plan, out SortedSet<int> places) || !TryFit(come, last, plan, places))
        {
            return null;
        }

        var endpoints = new EndpointIndex([last.Configured, .. sources.Select(source => source.Snapshot.Endpoints)], _own);
        HashSet<string> comeKeys = [.. come.Select(one => one.Service.Key)];
        bool IsService(string key) => comeKeys.Contains(key) || (last.Find(key) is >= 0 and int at && !places.Contains(at));
        (_relayPorts, _zone) = (last.RelayPorts, new MeshZone(_mesh, IsService, aliases: []));
        _parts.AddRange(last.Parts);
        if (!TryWorkAffected(affected.Where(at => !places.Contains(at)).ToHashSet(), endpoints, last, plan, out bool haveNamesChanged))
        {
            return null;
        }

        // What those that stay have taken is theirs; from here on it counts who comes to it.
        _taken = plan.Taken;
        foreach (int at in places.Reverse())
        {
            _parts.RemoveAt(at);
        }

        foreach ((MeshServiceSpec service, string source) in come)
        {
            string key = service.Key;
            MeshPart? former = last.Find(key) is >= 0 and int was ? last.Parts[was] : null;
            MeshPart part = Work(key, service, source, EndpointSelection.Of(service, endpoints), plan.Addresses.Of(service, key), plan.Outside.Of(service, key), former);
            if (part.IsHindered || MeetsAlias(last, part))
            {
                return null;
            }

            plan.ChangeReverse(null, part);
            _parts.Insert(~MeshTables.Find(_parts, key), part);
        }

        haveNamesChanged |= places.Any(at => !ReferenceEquals(last.Parts[at].Names, _parts.ElementAtOrDefault(MeshTables.Find(_parts, last.Parts[at].Key))?.Names))
            || come.Exists(one => last.Find(one.Service.Key) < 0);
        return Join(last.Configured, plan, last, haveNamesChanged, isSame: false);
    }

    /// <summary>Services that a source does not name any more, and those that it has not named before.</summary>
    private static (List<(MeshServiceSpec Service, string Source)> Gone, List<(MeshServiceSpec Service, string Source)> Come) Differences(
        IReadOnlyList<(string Name, SourceSnapshot Snapshot)> before, IReadOnlyList<(string Name, SourceSnapshot Snapshot)> now)
    {
        var gone = new List<(MeshServiceSpec, string)>();
        var come = new List<(MeshServiceSpec, string)>();
        foreach (((string name, SourceSnapshot old), (_, SourceSnapshot current)) in before.Zip(now))
        {
            ListDifference difference = ListDifference.Of(old.Services, current.Services);
            gone.AddRange(difference.Removed.Select(at => (old.Services[at], name)));
            come.AddRange(difference.Added.Select(at => (current.Services[at], name)));
        }

        return (gone, come);
    }

    /// <summary>Gives back what services that go have taken.</summary>
    private static bool TryTakeOut(List<(MeshServiceSpec Service, string Source)> gone, MeshTables last, MeshPlan plan, out SortedSet<int> places)
    {
        places = [];
        foreach ((MeshServiceSpec service, string source) in gone)
        {
            string key = service.Key;
            if (last.Find(key) is not (>= 0 and int at) || !ReferenceEquals(last.Parts[at].Wanted, service) || last.Parts[at].Source != source || !places.Add(at)
                || MattersToOthers(service) || !plan.Addresses.TryRemove(service, key) || !plan.Outside.TryRemove(service, key))
            {
                return false;
            }

            foreach (Balancing.ServiceSpec taken in last.Parts[at].Services)
            {
                plan.Taken.Remove((taken.Address, taken.Port, taken.Protocol));
            }

            plan.ChangeReverse(last.Parts[at], null);
        }

        return true;
    }

    /// <summary>Finds places for services that come.</summary>
    private static bool TryFit(List<(MeshServiceSpec Service, string Source)> come, MeshTables last, MeshPlan plan, SortedSet<int> free)
    {
        var keys = new HashSet<string>(StringComparer.Ordinal);
        foreach ((MeshServiceSpec service, string _) in come)
        {
            plan.Aliases.UnionWith(MeshPlan.AliasesOf(service));
        }

        foreach ((MeshServiceSpec service, string _) in come)
        {
            string key = service.Key;
            if (!keys.Add(key) || (last.Find(key) is >= 0 and int at && !free.Contains(at)) || plan.Aliases.Contains(key) || MattersToOthers(service)
                || !plan.Addresses.TryAdd(service, key) || !plan.Outside.TryAdd(service, key))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Whether other services depend on one by more than addresses and ports: an alias of others' names keeps names from them, one that relays carry ports of the relay.</summary>
    private static bool MattersToOthers(MeshServiceSpec service) => service.Kind == MeshServiceKind.ExternalName || IsCarried(service);
}
