using Dataplane.Packets;
using Dataplane.Ports;

namespace Dataplane.Overlays;

/// <summary>Opens ports of overlays.</summary>
internal sealed class OverlayPortFactory : IPortFactory
{
    /// <inheritdoc/>
    public string Kind => "vxlan";

    /// <summary>Hardware address; null: one that depends on the name alone. Nothing is sent from it: frames have the gateway's or an endpoint's.</summary>
    public MacAddress? Mac { get; init; }

    /// <summary>The largest inner layer 3 packet, as far as the network and the way to the peers allow.</summary>
    public int Mtu { get; init; } = 1500;

    /// <inheritdoc/>
    public IPort Open(string name) => new OverlayPort(Mac ?? DerivedMac.FromName(name), Mtu);
}
