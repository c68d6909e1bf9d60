using Dataplane.Balancing;
using Dataplane.Configuration;
using Dataplane.Filtering;
using Dataplane.Pipeline;
using Dataplane.Routing;
using Dataplane.Succession;

namespace Dataplane;

/// <summary>What a successor is told beside flows and neighbours.</summary>
public sealed partial class DataplaneEngine
{
    /// <summary>What is known now. Under the update lock, which keeps routes and health as they are until the successor has taken over.</summary>
    /// <param name="isLast">Only what packets change: clients.</param>
    private byte[] KnowledgeBytes(bool isLast)
    {
        var known = new Knowledge { Seed = _seed!.Value };
        if (!isLast)
        {
            known.Routes.AddRange(_learnt.ReachableBy(Spec.Interfaces));
        }

        foreach (ServiceRuntime service in _workers!.Tables!.Services.Services)
        {
            List<BackendSlots.Identity> backends = [.. service.Spec.Backends.Select(backend => ServiceCompiler.IdentityOf(service.Spec, backend))];
            if (!isLast)
            {
                known.Down.AddRange(backends.Select(_slots.Find).Where(slot => slot is { IsDown: true }).Select(slot => (slot!.Identity, slot.Reason)));
            }

            if (service.Affinity is { } table && backends.Count > 0)
            {
                Dictionary<int, int> numbers = [];
                for (int number = 0; number < backends.Count; number++)
                {
                    numbers[_slots.Find(backends[number])?.Number ?? -1] = number;
                }

                int timeout = (int)service.Spec.Affinity!.Value.TotalSeconds;
                known.Affinities.Add((Knowledge.ServiceOf(backends[0]), backends,
                    [.. table.Read(NowNs / 1_000_000_000, timeout).Where(client => numbers.ContainsKey(client.Slot)).Select(client => client with { Slot = numbers[client.Slot] })]));
            }
        }

        return known.ToBytes();
    }

    /// <summary>Takes over what the process before knew. Before forwarding begins.</summary>
    private void Learn(Knowledge known)
    {
        bool isNews = known.Routes.Count > 0;
        _learnt.Restore(Fitting(known.Routes));
        foreach ((BackendSlots.Identity identity, string reason) in known.Down)
        {
            isNews |= _slots.Find(identity) is { } slot && SetHealth(slot, isUp: false, reason);
        }

        if (isNews)
        {
            Adopt(TableCompiler.Compile(Spec, _ports, _slots, _workers!.Tables, _learnt.ReachableBy(Spec.Interfaces), _periods, NowNs));
        }

        // Whose client a word is for is a matter of the hash.
        foreach ((BackendSlots.Identity service, List<BackendSlots.Identity> backends, List<AffinityEntry> clients) in known.Seed == _seed ? known.Affinities : [])
        {
            ServiceRuntime? here = _workers!.Tables!.Services.Services.FirstOrDefault(candidate => candidate.Affinity is not null && candidate.Spec.Backends.Count > 0
                && Knowledge.ServiceOf(ServiceCompiler.IdentityOf(candidate.Spec, candidate.Spec.Backends[0])) == service);
            int[] slots = [.. backends.Select(backend => _slots.Find(backend)?.Number ?? -1)];
            here?.Affinity!.Restore(clients.Where(client => slots[client.Slot] >= 0).Select(client => client with { Slot = slots[client.Slot] }), NowNs / 1_000_000_000);
        }
    }

    /// <summary>Puts tables in force while no worker runs.</summary>
    private void Adopt(CompiledTables compiled)
    {
        ForwardingTables before = _workers!.Tables!;
        _workers.Publish(compiled.Tables, _ports);
        for (int worker = 0; worker < _workers.Count; worker++)
        {
            AtQuiescentPoint(worker, static _ => { });
        }

        _workers.DisposeLeft();
        if (!ReferenceEquals(before.Routes.Table, compiled.Tables.Routes.Table))
        {
            before.Routes.Table.Dispose();
        }

        Volatile.Write(ref _dueNs, compiled.NextDueNs);
    }

    /// <summary>A learnt route of another configuration need not be one of this.</summary>
    private IEnumerable<RouteSpec> Fitting(List<RouteSpec> routes)
    {
        IReadOnlyList<ConfigurationError> errors = routes.Count == 0 ? []
            : SpecValidator.Validate(Spec with { Routes = routes, Services = [], Filter = new FilterSpec(), Neighbours = [] });
        return errors.Count == 0 ? routes : routes.Where((_, number) => !errors.Any(error => error.Path.StartsWith(ConfigPath.Index("routes", number), StringComparison.Ordinal)));
    }
}
