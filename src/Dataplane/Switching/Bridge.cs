namespace Dataplane.Switching;

/// <summary>A network in force. Immutable.</summary>
internal sealed class Bridge
{
    private readonly bool[] _reaches;

    private readonly (uint First, uint Last)[] _v4;

    /// <param name="spec">The network.</param>
    /// <param name="index">Its number.</param>
    /// <param name="settings">What endpoints are told of it.</param>
    /// <param name="reaches">By number of another network: whether they reach each other.</param>
    public Bridge(NetworkSpec spec, int index, LinkSettings settings, bool[] reaches)
    {
        Spec = spec;
        Index = index;
        Settings = settings;
        _v4 = [.. spec.Subnets.Where(subnet => subnet.Address.IsIpv4).Select(subnet => ((uint)subnet.First.Low, (uint)subnet.Last.Low))];
        Mac = spec.GatewayMac.Bits;
        _reaches = reaches;
    }

    public NetworkSpec Spec { get; }

    /// <summary>Its place in the configuration.</summary>
    public int Index { get; }

    /// <summary>What endpoints are told of it.</summary>
    public LinkSettings Settings { get; }

    /// <summary>The gateway's hardware address.</summary>
    public ulong Mac { get; }

    /// <summary>Whether a packet may pass from one side to another. Null stands for everything outside.</summary>
    /// <param name="from">Where it came by.</param>
    /// <param name="to">Where it is to leave by.</param>
    /// <param name="isTranslated">Whether it belongs to a flow of a service or a translation, which is an opening made on purpose.</param>
    public static bool Allows(Station? from, Station? to, bool isTranslated)
    {
        if (from is { IsTrunk: true } && ReferenceEquals(from, to))
        {
            // What came from one host is not for another: its sender knows the way, and hosts that disagree would send it round in a circle.
            return false;
        }

        Bridge? source = from?.Network, target = to?.Network;
        if (ReferenceEquals(source, target))
        {
            return source is null || !source.Spec.Isolate || isTranslated || ReferenceEquals(from, to);
        }

        if (source is not null && target is not null && source._reaches[target.Index])
        {
            return true;
        }

        bool isInternal = source is { Spec.Internal: true } || target is { Spec.Internal: true };
        return !isInternal && (isTranslated || source is null || target is null);
    }

    /// <summary>Whether an address means all of a subnet, or its first, which some mean by it (RFC 1122 3.3.6).</summary>
    public bool IsDirectedBroadcast(uint address)
    {
        foreach ((uint first, uint last) in _v4)
        {
            if (address == first || address == last)
            {
                return true;
            }
        }

        return false;
    }

    public override string ToString() => Spec.Name;
}
