using Dataplane.Nat;
using Dataplane.Packets;

namespace Dataplane.Configuration;

/// <summary>What rules of source translation say about mapped ports, and that they agree where they have to.</summary>
internal static class NatMappingChecks
{
    public static void Check(Checks checks, DataplaneSpec spec, NatSpec rule, string path)
    {
        checks.Known($"{path}.mapping", rule.Mapping, SpecNames.NatMappings);
        checks.Known($"{path}.filtering", rule.Filtering, SpecNames.NatFilterings);
        if (rule.Mapping == NatMapping.EndpointIndependent && rule.Static)
        {
            checks.Error($"{path}.mapping", "has no meaning where static is set: that host has all ports of the address towards everybody; leave it out",
                SpecNames.NatMappings.NameOf(rule.Mapping));
        }
        else if (rule.Mapping == NatMapping.AddressAndPortDependent)
        {
            if (rule.Filtering != NatFiltering.AddressAndPortDependent)
            {
                checks.Error($"{path}.filtering", "needs mapping: endpoint_independent; other ports outside are good for one remote address and port only",
                    SpecNames.NatFilterings.NameOf(rule.Filtering));
            }

            if (rule.RefreshInbound)
            {
                checks.Error($"{path}.refresh_inbound", "needs mapping: endpoint_independent; other flows live by what either side sends", "true");
            }
        }

        CheckOthers(checks, spec, rule, path);
    }

    private static void CheckOthers(Checks checks, DataplaneSpec spec, NatSpec rule, string path)
    {
        string? word = SpecNames.NatMappings.NameOf(rule.Mapping);
        foreach ((NatSpec other, int index) in (spec.Nat ?? []).Select((entry, index) => (entry, index)).TakeWhile(entry => !ReferenceEquals(entry.entry, rule)))
        {
            if (other is null || other.Mapping == rule.Mapping)
            {
                continue;
            }

            IpAddress shared = AddressesOf(spec, rule).Intersect(AddressesOf(spec, other)).FirstOrDefault(address => !address.IsNone);
            if (!shared.IsNone)
            {
                checks.Error($"{path}.mapping", $"differs from that of nat[{index}], which has the address {shared} too; an address has ports of one kind, so let both say the same "
                    + "or give one of them another pool", word);
                return;
            }

            if (other.Inside == rule.Inside && other.Outside != rule.Outside && Overlap(other.From, rule.From))
            {
                checks.Error($"{path}.mapping", $"differs from that of nat[{index}], which covers the same sources on their way to {other.Outside}; who a flow belongs to "
                    + "depends on it, so let both say the same or keep their sources apart by from", word);
                return;
            }
        }
    }

    private static bool Overlap(IpPrefix? one, IpPrefix? other) => one is not { } left || other is not { } right || left.Overlaps(right);

    /// <summary>What sources become by a rule.</summary>
    private static IEnumerable<IpAddress> AddressesOf(DataplaneSpec spec, NatSpec rule) => rule.Pool is { Count: > 0 } pool
        ? pool
        : (spec.Interfaces ?? []).Where(entry => entry is not null && entry.Port == rule.Outside && (rule.Nat64 is null || entry.Address.Address.IsIpv4) && !(entry.Address.Address.IsIpv6 && entry.Address.Address.IsLinkLocal))
            .GroupBy(entry => (entry.Vlan, entry.Address.Address.Family), entry => entry.Address.Address).Select(group => group.First());
}
