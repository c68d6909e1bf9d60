using Dataplane.Overlays;
using Dataplane.Ports;
using Dataplane.Tests.Pipeline;
using static Dataplane.Tests.Overlays.OverlayPlane;
using static Dataplane.Tests.Switching.NetworkPlane;

namespace Dataplane.Tests.Overlays;

/// <summary>The hosts and endpoints of <see cref="OverlayPlane"/>, which are reached by a port each, l7 and l8: blue by both, red by that to 7.</summary>
internal static class LinkPlane
{
    public static OverlaySpec Blue => new()
    {
        Port = "vx-blue",
        Vni = BlueVni,
        Links = [Link(7), Link(8)],
        Endpoints = [Remote("r", 7, 4), Remote("s", 8, 4)],
    };

    public static OverlaySpec Red => new() { Port = "vx-red", Vni = RedVni, Links = [Link(7)], Endpoints = [Remote("t", 7, 4)] };

    public static OverlayLinkSpec Link(int number) => new() { Peer = Peer(number, 4), Port = $"l{number}" };

    public static TestPlane Create() => TestPlane.Create([.. PortNames, "l7", "l8"], builder => builder
        .Port("vx-blue", PortSource.Vxlan()).Port("vx-red", PortSource.Vxlan())
        .Interface("wan", "198.51.100.1/24").Interface("wan", "2001:db8:1::1/64")
        .Neighbour("wan", "198.51.100.2", TestPlane.ClientMac.ToString()).Neighbour("wan", "2001:db8:1::2", TestPlane.ClientMac.ToString())
        .Network(Network("blue", 89, "a", "b") with { Overlay = Blue })
        .Network(Network("red", 90, "c", "d") with { Overlay = Red }));

    /// <summary>A frame as it stands in a link: the header of RFC 7348 5, byte by byte, before it.</summary>
    public static byte[] Framed(byte[] inner, int vni = BlueVni) => [8, 0, 0, 0, (byte)(vni >> 16), (byte)(vni >> 8), (byte)vni, 0, .. inner];
}
