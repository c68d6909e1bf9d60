using Dataplane.Balancing;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Routing;
using Dataplane.Switching;

namespace Dataplane.Nat;

/// <summary>Compiles rules of source translation. Control side.</summary>
internal static class NatCompiler
{
    /// <summary>The slots that the rules need; those of others may be given back.</summary>
    public static IEnumerable<BackendSlots.Identity> Identities(IReadOnlyList<NatSpec> specs, L3Interface[] interfaces) =>
        specs.SelectMany(spec => Outside(spec, interfaces).SelectMany(way => Addresses(spec, way)).Select(address => IdentityOf(spec, address)));

    public static NatTable Compile(IReadOnlyList<NatSpec> specs, L3Interface[] interfaces, PortSet ports, BackendSlots slots, BridgeTable bridges)
    {
        var rules = new List<NatRule>();
        foreach (NatSpec spec in specs)
        {
            foreach (L3Interface way in Outside(spec, interfaces))
            {
                BackendRuntime[] addresses = [.. Addresses(spec, way).Select(address => Compile(spec, address, slots))];
                rules.Add(new NatRule
                {
                    Spec = spec,
                    Inside = ports.Find(spec.Inside),
                    InsideNetwork = bridges.IndexOf(spec.Inside),
                    Outside = way.Index,
                    Own = [.. addresses.Select(entry => entry.Address)],
                    V4 = [.. addresses.Where(entry => entry.Address.IsIpv4)],
                    V6 = [.. addresses.Where(entry => entry.Address.IsIpv6)],
                });
            }
        }

        return new NatTable([.. rules], bridges);
    }

    private static IEnumerable<L3Interface> Outside(NatSpec spec, L3Interface[] interfaces) => interfaces.Where(entry => entry.PortName == spec.Outside);

    private static IEnumerable<IpAddress> Addresses(NatSpec spec, L3Interface way) =>
        spec.Pool.Count > 0 ? spec.Pool.Distinct() : new[] { way.V4, spec.Nat64 is null ? way.V6 : default }.Where(address => !address.IsNone);

    private static BackendRuntime Compile(NatSpec spec, IpAddress address, BackendSlots slots)
    {
        BackendSlot slot = slots.Acquire(IdentityOf(spec, address));
        return new BackendRuntime { Slot = slot.Number, Generation = slot.Generation, Counter = slot.Counter, Address = address, Port = 0, Weight = 1 };
    }

    private static BackendSlots.Identity IdentityOf(NatSpec spec, IpAddress address) =>
        new(default, 0, 0, address, 0, $"{spec.Inside} > {spec.Outside} {spec.From?.ToString()}{(spec.Mapping == NatMapping.EndpointIndependent ? " mapped" : "")}{(spec.Nat64 is { } prefix ? $" by {prefix}" : "")}");
}
