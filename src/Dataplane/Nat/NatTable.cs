using Dataplane.Balancing;
using Dataplane.Flows;
using Dataplane.Packets;
using Dataplane.Switching;

namespace Dataplane.Nat;

/// <summary>The rules of source translation, first match by order. Immutable.</summary>
internal sealed class NatTable(NatRule[] rules, BridgeTable bridges)
{
    private readonly HashSet<IpAddress> _addresses = [.. rules.SelectMany(rule => rule.V4.Concat(rule.V6)).Select(address => address.Address)];

    private readonly Dictionary<IpAddress, NatStatic> _statics = Statics(rules);

    private readonly HashSet<IpAddress> _mapped = [.. rules.Where(rule => rule.IsMapped).SelectMany(rule => rule.Own)];

    private readonly NatSpec?[] _specBySlot = BySlot(rules, rule => rule.Spec);

    private readonly NatIndex _index = new([.. rules.Where(rule => rule.Nat64 is null)], bridges);

    private readonly NatRule[] _nat64 = [.. rules.Where(rule => rule.Nat64 is not null)];

    private readonly HashSet<IpAddress> _nat64Addresses = [.. rules.Where(rule => rule.Nat64 is not null).SelectMany(rule => rule.V4).Select(address => address.Address)];

    public NatRule[] Rules => rules;

    /// <summary>Whether any port may be mapped towards everybody.</summary>
    public bool HasMappings => _mapped.Count > 0;

    /// <summary>Whether ports of an address are mapped towards everybody.</summary>
    public bool IsMapped(IpAddress address) => _mapped.Contains(address);

    /// <summary>What was said of a slot's address.</summary>
    public NatSpec SpecOf(int slot) => _specBySlot[slot]!;

    /// <summary>Whether any address stands for one inside host.</summary>
    public bool HasStatics => _statics.Count > 0;

    /// <summary>Finds the inside host that an outside address stands for.</summary>
    public bool FindStatic(IpAddress address, out NatStatic target) => _statics.TryGetValue(address, out target);

    /// <summary>Idle times of the flows of each address' slot.</summary>
    public FlowTimeouts?[] TimeoutsBySlot { get; } = BySlot(rules, rule => FlowTimeouts.Of(rule.Spec.Timeouts));

    public bool IsEmpty => rules.Length == 0;

    /// <summary>The rule for a packet, or null.</summary>
    /// <param name="port">Port it came by.</param>
    /// <param name="way">Index of the interface it leaves by.</param>
    /// <param name="source">Where it comes from.</param>
    public NatRule? Find(ushort port, short way, IpAddress source) => _index.Find(port, source, way);

    /// <summary>Whether any rule translates between the families.</summary>
    public bool HasNat64 => _nat64.Length > 0;

    /// <summary>Whether IPv6 hosts have an address as theirs outside.</summary>
    public bool IsNat64Address(IpAddress address) => _nat64Addresses.Contains(address);

    /// <summary>The first rule that takes a packet from inside to the IPv4 address in its destination, or null.</summary>
    /// <param name="port">Port it came by.</param>
    /// <param name="key">Its addresses.</param>
    /// <param name="way">Index of the interface it leaves by; below 0: any.</param>
    public NatRule? FindNat64(ushort port, in FlowKey key, short way = -1)
    {
        if (_nat64.Length == 0 || key.Family != 6)
        {
            return null;
        }

        int network = bridges.OfPort(port)?.Network.Index ?? -1;
        foreach (NatRule rule in _nat64)
        {
            if (rule.Nat64!.Value.Contains(key.Destination) && (way < 0 || rule.Outside == way) && (rule.Inside == port || (network >= 0 && rule.InsideNetwork == network))
                && rule.Covers(key.Source))
            {
                return rule;
            }
        }

        return null;
    }

    /// <summary>Whether sources are translated to an address.</summary>
    public bool HasAddress(IpAddress address) => _addresses.Contains(address);

    /// <summary>Whether a rule covers a source, wherever its packets leave.</summary>
    public bool MayTranslate(ushort port, IpAddress source) => FindInside(port, source) is not null;

    /// <summary>The first rule that covers a source, wherever its packets leave, or null.</summary>
    public NatRule? FindInside(ushort port, IpAddress source) => _index.Find(port, source, way: -1);

    private static Dictionary<IpAddress, NatStatic> Statics(NatRule[] rules)
    {
        var statics = new Dictionary<IpAddress, NatStatic>();
        foreach (NatRule rule in rules.Where(rule => rule.Spec.Static))
        {
            foreach (BackendRuntime address in rule.V4.Concat(rule.V6))
            {
                statics.TryAdd(address.Address, new NatStatic(address, rule.Spec.From!.Value.Address));
            }
        }

        return statics;
    }

    private static T?[] BySlot<T>(NatRule[] rules, Func<NatRule, T> read)
        where T : class
    {
        var result = new T?[rules.SelectMany(rule => rule.V4.Concat(rule.V6)).Select(address => address.Slot + 1).DefaultIfEmpty(0).Max()];
        foreach (NatRule rule in rules)
        {
            foreach (BackendRuntime address in rule.V4.Concat(rule.V6))
            {
                result[address.Slot] = read(rule);
            }
        }

        return result;
    }
}
