using Dataplane.Packets;
using Dataplane.Routing;
using Dataplane.Switching;

namespace Dataplane.Overlays;

/// <summary>The overlay of a network, in force. Immutable.</summary>
internal sealed class Overlay
{
    private readonly OverlayMap _peers;

    /// <param name="spec">What it is made of.</param>
    /// <param name="trunk">The station that stands for all endpoints elsewhere.</param>
    /// <param name="underlay">The interface that has the local address.</param>
    /// <param name="device">The port.</param>
    public Overlay(OverlaySpec spec, Station trunk, L3Interface underlay, OverlayPort? device)
    {
        Spec = spec;
        Trunk = trunk;
        Underlay = underlay;
        Device = device;
        Peers = [.. spec.Peers];
        Templates = [.. spec.Peers.Select(peer => Vxlan.Template(spec.Local, peer, spec.UdpPort, spec.Vni))];
        OuterBytes = Vxlan.LinkBytes + Vxlan.OverheadBytes(spec.Local);
        _peers = new OverlayMap(Peers.Length);
        for (int index = 0; index < Peers.Length; index++)
        {
            _peers.Add(Peers[index].High, Peers[index].Low, index);
        }
    }

    public OverlaySpec Spec { get; }

    public Bridge Network => Trunk.Network;

    public Station Trunk { get; }

    public L3Interface Underlay { get; }

    /// <summary>The port, which counts; null where another kind stands for it (explaining without ports).</summary>
    public OverlayPort? Device { get; }

    public IpAddress[] Peers { get; }

    /// <summary>By peer: the outer headers.</summary>
    public byte[][] Templates { get; }

    /// <summary>Bytes that the outer headers put before a frame.</summary>
    public int OuterBytes { get; }

    /// <summary>The number of a peer, or -1.</summary>
    public int FindPeer(ulong high, ulong low) => _peers.Find(high, low);

    public override string ToString() => $"{Network.Spec.Name}, VNI {Spec.Vni}";
}
