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
    /// <param name="underlay">The interface that has the local address; null with links.</param>
    /// <param name="device">The port.</param>
    /// <param name="links">By link of the specification: its port.</param>
    public Overlay(OverlaySpec spec, Station trunk, L3Interface? underlay, OverlayPort? device, ushort[] links)
    {
        Spec = spec;
        Trunk = trunk;
        Underlay = underlay;
        Device = device;
        Links = links;
        IsLinked = links.Length > 0;
        Peers = IsLinked ? [.. spec.Links.Select(link => link.Peer)] : [.. spec.Peers];
        Templates = [.. Peers.Select(peer => IsLinked ? Vxlan.Header(spec.Vni) : Vxlan.Template(spec.Local, peer, spec.UdpPort, spec.Vni))];
        OuterBytes = IsLinked ? Vxlan.HeaderBytes : Vxlan.LinkBytes + Vxlan.OverheadBytes(spec.Local);
        _peers = new OverlayMap(Peers.Length);
        for (int index = 0; index < Peers.Length; index++)
        {
            _peers.Add(Peers[index].High, Peers[index].Low, index);
        }
    }

    public OverlaySpec Spec { get; }

    public Bridge Network => Trunk.Network;

    public Station Trunk { get; }

    /// <summary>The interface that has the local address; null with links.</summary>
    public L3Interface? Underlay { get; }

    /// <summary>Whether frames go by a port for each peer, and not in packets.</summary>
    public bool IsLinked { get; }

    /// <summary>By peer: the port that leads there; empty without links.</summary>
    public ushort[] Links { get; }

    /// <summary>The port, which counts; null where another kind stands for it (explaining without ports).</summary>
    public OverlayPort? Device { get; }

    /// <summary>Whether frames to other hosts may be put into outer super-frames: not by links, nor where a way out has a smaller MTU than the one counted with, for only whole packets can be fragmented.</summary>
    public bool TakesSuperFrames { get; init; }

    /// <summary>Whether TCP segments from other hosts are joined: a port of the network takes super-frames.</summary>
    public bool JoinsSegments { get; init; }

    public IpAddress[] Peers { get; }

    /// <summary>By peer: what stands before a frame, and is the same in all.</summary>
    public byte[][] Templates { get; }

    /// <summary>Bytes that the outer headers put before a frame.</summary>
    public int OuterBytes { get; }

    /// <summary>The number of a peer, or -1.</summary>
    public int FindPeer(ulong high, ulong low) => _peers.Find(high, low);

    public override string ToString() => $"{Network.Spec.Name}, VNI {Spec.Vni}";
}
