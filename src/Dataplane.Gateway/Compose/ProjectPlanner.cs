using Dataplane.Gateway.Networks;

namespace Dataplane.Gateway.Compose;

/// <summary>Compares what a project is to be with what is there: which steps lead from one to the other. Asks nobody, changes nothing.</summary>
/// <remarks>
/// Ports move before anything is stopped, so that one that somebody else has is found out while all still runs. Replicas of a changed service are replaced one after another; only those whose network,
/// address or hardware address must be free for something else go first.
/// </remarks>
internal sealed class ProjectPlanner
{
    private const string Unfinished = "unfinished";
    private const string Lost = "lost its network";

    private readonly ProjectShape _wanted;
    private readonly RunningProject _there;
    private readonly ProjectSight _sight;
    private readonly bool _removeOrphans;
    private readonly Dictionary<string, ReplicaShape> _shapes;

    /// <summary>Networks that are there and are not as they should be, or are missing.</summary>
    private readonly HashSet<string> _changed;

    /// <summary>Networks of the project that its file has no use for any more.</summary>
    private readonly HashSet<string> _unused;
    private readonly Dictionary<string, IReadOnlyList<string>> _reasons = [];
    private readonly List<string> _obstacles = [];

    private ProjectPlanner(ProjectShape wanted, RunningProject there, ProjectSight sight, bool removeOrphans)
    {
        (_wanted, _there, _sight, _removeOrphans) = (wanted, there, sight, removeOrphans);
        _shapes = wanted.Replicas.ToDictionary(shape => shape.Name);
        Dictionary<string, string> networks = wanted.Networks.ToDictionary(network => network.Name, network => network.Definition);
        _changed = [.. there.Networks.Where(name => networks.TryGetValue(name, out string? definition)
            && (!sight.Networks.Contains(name) || there.NetworkDefinitions.GetValueOrDefault(name) != definition))];
        _unused = [.. there.Networks.Where(name => !networks.ContainsKey(name))];
        foreach (Replica replica in there.Replicas.Where(replica => _shapes.ContainsKey(replica.Name)))
        {
            _reasons[replica.Name] = ReasonsOf(replica, _shapes[replica.Name]);
        }
    }

    /// <summary>The steps from what is there to what is wanted.</summary>
    /// <param name="wanted">What is to be.</param>
    /// <param name="there">What there is, as it was written down.</param>
    /// <param name="sight">What was seen of it.</param>
    /// <param name="removeOrphans">Whether replicas of services that are not in the file any more go.</param>
    public static ProjectPlan Compare(ProjectShape wanted, RunningProject there, ProjectSight sight, bool removeOrphans) =>
        new ProjectPlanner(wanted, there, sight, removeOrphans).Plan();

    private ProjectPlan Plan()
    {
        Replica[] orphans = [.. _there.Replicas.Where(replica => !IsOfFile(replica) && !_removeOrphans)];
        Replica[] going = [.. _there.Replicas.Where(replica => !_shapes.ContainsKey(replica.Name) && !orphans.Contains(replica))];
        Replica[] first = [.. _there.Replicas.Where(GoesFirst)];
        string[] needed = [.. orphans.SelectMany(NetworksOf)];
        string[] left = [.. _unused.Where(_sight.Strangers.ContainsKey)];
        FindObstacles(orphans);

        List<PlanStep> steps = [.. PortSteps(going, first)];
        steps.AddRange(going.Reverse().Select(replica => new PlanStep(PlanStepKind.Remove, replica.Name)));
        steps.AddRange(first.Reverse().Select(replica => new PlanStep(PlanStepKind.Stop, replica.Name) { Reasons = _reasons[replica.Name] }));
        steps.AddRange(_there.Networks.Where(name => _sight.Networks.Contains(name) && (_changed.Contains(name) || (_unused.Contains(name) && !needed.Contains(name) && !left.Contains(name))))
            .Select(name => new PlanStep(PlanStepKind.RemoveNetwork, name) { Reasons = _changed.Contains(name) ? ["changed"] : [] }));
        steps.AddRange(_wanted.Networks.Where(network => _changed.Contains(network.Name) || !_there.Networks.Contains(network.Name))
            .Select(network => new PlanStep(PlanStepKind.CreateNetwork, network.Name)));

        // All that is new has its names and addresses before the first command asks for one; addresses of the file are taken before others are chosen.
        HashSet<string> stopped = [.. first.Select(replica => replica.Name)];
        ReplicaShape[] made = [.. _wanted.Replicas.Where(shape => !_reasons.ContainsKey(shape.Name) || stopped.Contains(shape.Name))];
        steps.AddRange(made.OrderBy(shape => shape.Claims.Count == 0).Select(shape => new PlanStep(PlanStepKind.Create, shape.Name) { Reasons = _reasons.GetValueOrDefault(shape.Name) ?? [] }));
        steps.AddRange(_wanted.Replicas.Select(shape => new PlanStep(
            made.Contains(shape) ? PlanStepKind.Start
            : _reasons[shape.Name].Count > 0 ? PlanStepKind.Recreate
            : _sight.Running.Contains(shape.Name) ? PlanStepKind.Keep : PlanStepKind.Start, shape.Name)
        {
            Reasons = _reasons.GetValueOrDefault(shape.Name) ?? [],
        }));
        return new ProjectPlan(_obstacles.Count > 0 ? [] : steps)
        {
            Orphans = [.. orphans.Select(replica => replica.Name)],
            Left = left,
            Obstacles = _obstacles,
        };
    }

    private bool IsOfFile(Replica replica) => _wanted.Services.Contains(replica.Service);

    private static IEnumerable<string> NetworksOf(Replica replica) => replica.Attachments.Select(attachment => attachment.Network);

    /// <summary>What nobody else can have now; who has lost his namespace has nothing, whatever is written down.</summary>
    private IEnumerable<AddressClaim> HoldingsOf(Replica replica) => !_sight.Attached.Contains(replica.Name) ? [] : replica.Attachments.SelectMany(attachment =>
        attachment.Addresses.Append(attachment.Mac).Where(address => address.Length > 0).Select(address => new AddressClaim(attachment.Network, address)));

    private IReadOnlyList<PublishedPort> PortsOf(Replica replica) => _sight.Attached.Contains(replica.Name) ? [.. replica.Ports.Select(PortText.Parse)] : [];

    /// <summary>Why a replica has to be made anew, by the keys of the file; nothing when it may stay.</summary>
    private List<string> ReasonsOf(Replica replica, ReplicaShape shape)
    {
        if (replica.Definition.Count == 0)
        {
            return [Unfinished];
        }

        List<string> reasons = [.. shape.Definition.Where(pair => replica.Definition.GetValueOrDefault(pair.Key) != pair.Value).Select(pair => pair.Key)];
        reasons.AddRange(replica.Definition.Keys.Where(key => !shape.Definition.ContainsKey(key)));
        reasons.AddRange(NetworksOf(replica).Where(_changed.Contains).Select(name => $"network {name}"));
        if (reasons.Count == 0 && !_sight.Attached.Contains(replica.Name))
        {
            reasons.Add(Lost);
        }

        return reasons;
    }

    /// <summary>Whether a replica that is made anew goes before anything is made: its network goes, somebody else is to have what it has, or it is to have what others could be given.</summary>
    private bool GoesFirst(Replica replica)
    {
        if (!_reasons.TryGetValue(replica.Name, out IReadOnlyList<string>? reasons) || reasons.Count == 0)
        {
            return false;
        }

        HashSet<AddressClaim> holdings = [.. HoldingsOf(replica)];
        return NetworksOf(replica).Any(name => _changed.Contains(name) || _unused.Contains(name))
            || _shapes[replica.Name].Networks.Any(_changed.Contains)
            || _wanted.Replicas.Any(other => other.Name != replica.Name && other.Claims.Any(holdings.Contains))
            || _shapes[replica.Name].Claims.Any(claim => !holdings.Contains(claim));
    }

    /// <summary>What is given up closes before somebody else opens it; what nobody else wants closes and opens in one step.</summary>
    private IEnumerable<PlanStep> PortSteps(Replica[] going, Replica[] first)
    {
        var held = _there.Replicas.ToDictionary(replica => replica.Name, PortsOf);
        foreach (Replica replica in _there.Replicas.Where(replica => _shapes.ContainsKey(replica.Name) || going.Contains(replica)))
        {
            IReadOnlyList<PublishedPort> own = _shapes.GetValueOrDefault(replica.Name)?.Ports ?? [];
            // Who goes before anything is made is in the way of those only who go on.
            IEnumerable<ReplicaShape> others = _wanted.Replicas.Where(other => other.Name != replica.Name
                && (!(going.Contains(replica) || first.Contains(replica)) || (_reasons.ContainsKey(other.Name) && !first.Any(stopped => stopped.Name == other.Name))));
            PublishedPort[] stays = [.. held[replica.Name].Where(port => own.Contains(port) || !others.Any(other => other.Ports.Any(wanted => NetworkRequests.MeetAtHost(wanted, port))))];
            if (stays.Length < held[replica.Name].Count)
            {
                held[replica.Name] = stays;
                yield return new PlanStep(PlanStepKind.SetPorts, replica.Name) { Ports = stays };
            }
        }

        foreach (Replica replica in _there.Replicas.Where(replica => _shapes.ContainsKey(replica.Name) && _sight.Attached.Contains(replica.Name) && !first.Contains(replica)))
        {
            // A replica that comes to other networks has its ports at another interface, and opens them there.
            ReplicaShape shape = _shapes[replica.Name];
            if (!shape.Ports.ToHashSet().SetEquals(held[replica.Name]) && replica.Attachments.Any(attachment => attachment.IsDefault) && HasSameNetworks(replica, shape))
            {
                yield return new PlanStep(PlanStepKind.SetPorts, replica.Name) { Ports = shape.Ports };
            }
        }
    }

    private static bool HasSameNetworks(Replica replica, ReplicaShape shape) =>
        replica.Definition.GetValueOrDefault(ShapeReader.NetworksKey) == shape.Definition.GetValueOrDefault(ShapeReader.NetworksKey);

    /// <summary>What stays and is in the way of what is to be made.</summary>
    private void FindObstacles(Replica[] orphans)
    {
        foreach (string network in _changed.Where(_sight.Strangers.ContainsKey))
        {
            _obstacles.Add($"Network {network} has changed and would have to be made anew, but {_sight.Strangers[network]}, which is not of this project, is attached to it: detach it first.");
        }

        foreach (Replica orphan in orphans)
        {
            const string Remedy = "--remove-orphans removes it.";
            string who = $"{orphan.Name} of service {orphan.Service}, which is not in the file any more";
            _obstacles.AddRange(NetworksOf(orphan).Where(_changed.Contains).Select(name => $"Network {name} has changed and would have to be made anew, but {who}, is attached to it; {Remedy}"));
            _obstacles.AddRange(from port in PortsOf(orphan)
                                from shape in _wanted.Replicas
                                where shape.Ports.Any(wanted => NetworkRequests.MeetAtHost(wanted, port))
                                select $"{shape.Name} publishes a port that is held ({NetworkRequests.Describe(port)}) by {who}; {Remedy}");
        }

        foreach (Replica replica in _there.Replicas.Where(replica => orphans.Contains(replica) || (_reasons.TryGetValue(replica.Name, out IReadOnlyList<string>? reasons) && reasons.Count == 0)))
        {
            string remedy = orphans.Contains(replica) ? "--remove-orphans removes it." : "give it another.";
            _obstacles.AddRange(from claim in HoldingsOf(replica)
                                from shape in _wanted.Replicas
                                where shape.Name != replica.Name && shape.Claims.Contains(claim)
                                select $"{shape.Name} is to have {claim.Address} of network {claim.Network}, which {replica.Name} has; {remedy}");
        }
    }
}
