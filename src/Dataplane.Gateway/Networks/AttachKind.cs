using Dataplane.Ports;

namespace Dataplane.Gateway.Networks;

/// <summary>How an endpoint's interface leads to the engine, in words of messages and files.</summary>
internal static class AttachKind
{
    /// <summary>A TAP device in the namespace, of which the engine holds the descriptor.</summary>
    public const string Tap = "tap";

    /// <summary>A pair of veth, of whose end here the engine has the frames by AF_PACKET.</summary>
    public const string Veth = "veth";

    /// <summary>A pair of veth, of whose end here the engine has the frames by AF_XDP: the host's network stack sees none of them.</summary>
    public const string VethXdp = "veth_xdp";

    /// <summary>Memory shared with a program in the container that speaks memif itself; the engine listens at a socket that is mounted there. Nothing is set in the namespace.</summary>
    public const string Memif = "memif";

    /// <summary>The largest packet that AF_XDP takes.</summary>
    public const int MostXdpMtu = 3822;

    /// <summary>All kinds.</summary>
    public static readonly string[] All = [Tap, Veth, VethXdp, Memif];

    /// <summary>How an endpoint is attached: as it says, else as its network says, else by TAP.</summary>
    public static string Of(NetworkRecord network, EndpointRecord endpoint) =>
        endpoint.Attach.Length > 0 ? endpoint.Attach : network.Attach.Length > 0 ? network.Attach : Tap;

    /// <summary>Whether the endpoint has an interface of the kernel's in its namespace.</summary>
    public static bool HasInterface(EndpointRecord endpoint) => endpoint.Attach != Memif;

    public static bool IsPair(string kind) => kind is Veth or VethXdp;

    /// <summary>What is wrong with a kind for a network; null when it is one, or empty.</summary>
    public static string? ProblemOf(string kind, int mtu) =>
        kind.Length > 0 && !All.Contains(kind) ? $"\"{kind}\" is no way to attach; {string.Join(", ", All)} are."
        : kind == VethXdp && mtu > MostXdpMtu ? $"{VethXdp} takes packets of {MostXdpMtu} bytes at most, and the network has an MTU of {mtu}: use {Veth} or {Tap}." : null;

    public static PortKind PortOf(string kind) => kind switch
    {
        Veth => PortKind.AfPacket,
        VethXdp => PortKind.AfXdp,
        Memif => PortKind.Memif,
        _ => PortKind.Tap,
    };
}
