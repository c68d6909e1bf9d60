using Dataplane.Packets;

namespace Dataplane.Networks;

/// <summary>What an interface of the kernel is set up with, in whatever namespace it is.</summary>
public sealed record InterfaceSettings
{
    /// <summary>Addresses with their prefix lengths; the host bits are the address.</summary>
    public IReadOnlyList<IpPrefix> Addresses { get; init; } = [];

    /// <summary>Routes by the interface, beside those that its addresses bring.</summary>
    public IReadOnlyList<InterfaceRoute> Routes { get; init; } = [];

    /// <summary>Whether the interface listens to router advertisements; where everything is set from outside they would only add to it.</summary>
    public bool AcceptRouterAdvertisements { get; init; }
}
