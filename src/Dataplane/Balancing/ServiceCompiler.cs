using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Balancing;

/// <summary>Compiles services: backend slots, Maglev tables, schedules. Control side.</summary>
internal static class ServiceCompiler
{
    public static (ServiceRuntime[] Services, ServiceChange[] Changes) Compile(IReadOnlyList<ServiceSpec> specs, BackendSlots slots, ForwardingTables? previous)
    {
        var changes = new List<ServiceChange>();
        var services = new ServiceRuntime[specs.Count];
        for (int i = 0; i < specs.Count; i++)
        {
            services[i] = Compile(specs[i], slots, previous, changes);
        }

        return (services, [.. changes]);
    }

    /// <summary>The slots that the services need; those of others may be given back.</summary>
    public static IEnumerable<BackendSlots.Identity> Identities(IReadOnlyList<ServiceSpec> specs) =>
        specs.SelectMany(spec => spec.Backends.Select(backend => IdentityOf(spec, backend)));

    private static ServiceRuntime Compile(ServiceSpec spec, BackendSlots slots, ForwardingTables? previous, List<ServiceChange> changes)
    {
        BackendRuntime[] all = [.. spec.Backends.Select(backend => Compile(spec, backend, slots))];
        BackendRuntime[] eligible = [.. all.Where(backend => backend.Weight > 0)];
        ServiceRuntime? before = previous?.Services.Services.FirstOrDefault(service =>
            service.Spec.Address == spec.Address && service.Spec.Port == spec.Port && service.Spec.Protocol == spec.Protocol);
        MaglevTable? table = spec.Balance == BalancePolicy.Maglev ? BuildTable(spec, eligible, before?.Table, changes) : null;
        int[] weights = [.. eligible.Select(backend => backend.Weight)];
        return new ServiceRuntime
        {
            Spec = spec,
            All = all,
            Eligible = eligible,
            Table = table,
            Schedule = spec.Balance switch
            {
                BalancePolicy.RoundRobin => WeightedSchedule.BuildEqual(weights),
                BalancePolicy.Weighted => WeightedSchedule.Build(weights),
                _ => null,
            },
            Cursor = before?.Cursor ?? 0,
        };
    }

    private static MaglevTable? BuildTable(ServiceSpec spec, BackendRuntime[] eligible, MaglevTable? before, List<ServiceChange> changes)
    {
        if (eligible.Length == 0)
        {
            return null;
        }

        MaglevMember[] members = [.. eligible.Select(backend => new MaglevMember(MaglevIdentity.Of(backend.Address, backend.Port), backend.Weight))];
        if (before is null || before.Size != spec.TableSize)
        {
            return MaglevTable.Build(members, spec.TableSize);
        }

        if (before.Members.SequenceEqual(members))
        {
            return before;
        }

        MaglevTable table = before.Change(members);
        changes.Add(new ServiceChange(spec.Name, table.Size, table.SlotsMoved, table.MinimumSlotsMoved));
        return table;
    }

    private static BackendRuntime Compile(ServiceSpec service, BackendSpec spec, BackendSlots slots)
    {
        (int slot, uint generation, BackendCounter counter) = slots.Acquire(IdentityOf(service, spec));
        return new BackendRuntime { Slot = slot, Generation = generation, Counter = counter, Address = spec.Address, Port = spec.Port, Weight = spec.Weight };
    }

    private static BackendSlots.Identity IdentityOf(ServiceSpec service, BackendSpec backend) =>
        new(service.Address, service.Port, service.Protocol, backend.Address, backend.Port);
}
