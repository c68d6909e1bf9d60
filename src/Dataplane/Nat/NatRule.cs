using Dataplane.Balancing;
using Dataplane.Nat64;
using Dataplane.Packets;

namespace Dataplane.Nat;

/// <summary>One rule of source translation in force, for one interface of its outside port. Immutable.</summary>
internal sealed class NatRule
{
    public required NatSpec Spec { get; init; }

    /// <summary>Port that packets come by; -1 when it is a network.</summary>
    public required int Inside { get; init; }

    /// <summary>Number of the network that packets come from; -1 when it is a port.</summary>
    public required int InsideNetwork { get; init; }

    /// <summary>Index of the interface that they leave by.</summary>
    public required short Outside { get; init; }

    /// <summary>Addresses to take. Each has a slot like a backend's: flows end when it is taken from the rule.</summary>
    public required BackendRuntime[] V4 { get; init; }

    /// <inheritdoc cref="V4"/>
    public required BackendRuntime[] V6 { get; init; }

    /// <summary>All of them, to look up.</summary>
    public required HashSet<IpAddress> Own { get; init; }

    /// <summary>Whether ports are mapped towards everybody.</summary>
    public bool IsMapped => Spec.Mapping == NatMapping.EndpointIndependent;

    /// <summary>The prefix behind which IPv4 addresses are reached, if the rule translates between the families.</summary>
    public IpPrefix? Nat64 => Spec.Nat64;

    /// <summary>Whether packets with this source are to be translated: those that have been already are not.</summary>
    public bool Covers(IpAddress source) => Nat64 is not null
        ? source.IsIpv6 && V4.Length > 0 && (Spec.From is not { } inside || inside.Contains(source))
        : (source.IsIpv4 ? V4 : V6).Length > 0 && (Spec.From is not { } from || from.Contains(source)) && !Own.Contains(source);

    /// <summary>The address for an inside host: always the same one (RFC 4787 REQ-2).</summary>
    public BackendRuntime AddressFor(IpAddress source)
    {
        BackendRuntime[] addresses = source.IsIpv4 || Nat64 is not null ? V4 : V6;
        ulong mixed = (source.High ^ source.Low) * 0x9E37_79B9_7F4A_7C15;
        return addresses[(int)((mixed >> 32) % (uint)addresses.Length)];
    }

    /// <summary>The remote end that a packet from inside names, as it is outside.</summary>
    public IpAddress RemoteOf(IpAddress destination) => Nat64 is { } prefix ? EmbeddedAddress.Extract(prefix, destination) : destination;
}
