using System.Globalization;
using Dataplane.Balancing;
using Dataplane.Filtering;
using Dataplane.Health;
using Dataplane.Nat;
using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Routing;
using Dataplane.Tracking;
using Dataplane.Tunnels;

namespace Dataplane.Configuration;

/// <summary>The words of the configuration, and the rule for names.</summary>
internal static class SpecNames
{
    /// <summary>How the configuration writes the ports of a service.</summary>
    public static string ServicePorts(Balancing.ServiceSpec service) => service is { Port: 0, LastPort: ushort.MaxValue } ? "any" : service.Ports.ToString();

    /// <summary>How the configuration writes the address of a service, or its prefix.</summary>
    public static string ServiceAddresses(Balancing.ServiceSpec service) =>
        service.IsOneAddress ? service.Address.ToString() : string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{service.Address}/{service.PrefixLength}");

    public static readonly NameTable<PortKind> Kinds = new(
        ("af_packet", PortKind.AfPacket), ("af_xdp", PortKind.AfXdp), ("tap", PortKind.Tap), ("memif", PortKind.Memif),
        ("stream", PortKind.Stream), ("vxlan", PortKind.Vxlan), ("pcap", PortKind.Pcap), ("memory", PortKind.Memory));

    public static readonly NameTable<PortRole> Roles = new(("client", PortRole.Client), ("server", PortRole.Server));

    public static readonly NameTable<PortOffload> Offloads = new(("auto", PortOffload.Auto), ("off", PortOffload.Off), ("xdp", PortOffload.Xdp));

    public static readonly NameTable<AfPacketRing> Rings = new(("slots", AfPacketRing.Slots), ("blocks", AfPacketRing.Blocks));

    public static readonly NameTable<RouteReject> Rejects = new(
        ("blackhole", RouteReject.Blackhole), ("unreachable", RouteReject.Unreachable), ("prohibited", RouteReject.Prohibited));

    public static readonly NameTable<FilterAction> Actions = new(("allow", FilterAction.Allow), ("deny", FilterAction.Deny));

    public static readonly NameTable<ConnectionStates> States = new(
        ("new", ConnectionStates.New), ("established", ConnectionStates.Established), ("related", ConnectionStates.Related), ("invalid", ConnectionStates.Invalid));

    public const ConnectionStates AllStates = ConnectionStates.New | ConnectionStates.Established | ConnectionStates.Related | ConnectionStates.Invalid;

    public static readonly NameTable<BalancePolicy> Policies = new(
        ("maglev", BalancePolicy.Maglev), ("round_robin", BalancePolicy.RoundRobin), ("weighted", BalancePolicy.Weighted),
        ("source_hash", BalancePolicy.SourceHash), ("rendezvous", BalancePolicy.Rendezvous), ("least_connections", BalancePolicy.LeastConnections),
        ("power_of_two", BalancePolicy.PowerOfTwo));

    public static readonly NameTable<HashFields> HashFields = new(
        ("flow", Balancing.HashFields.Flow), ("source", Balancing.HashFields.Source), ("source_destination", Balancing.HashFields.SourceDestination));

    public static readonly NameTable<ConnectionIdFormat> ConnectionIdFormats = new(("quic_lb", ConnectionIdFormat.QuicLb), ("katran", ConnectionIdFormat.Katran));

    public static readonly NameTable<ForwardMode> ForwardModes = new(("nat", ForwardMode.Nat), ("dsr", ForwardMode.Dsr), ("ipip", ForwardMode.Ipip), ("gue", ForwardMode.Gue));

    public static readonly NameTable<TunnelKinds> Encapsulations = new(("ipip", TunnelKinds.Ipip), ("gue", TunnelKinds.Gue));

    public static readonly NameTable<NatMapping> NatMappings = new(
        ("address_and_port_dependent", NatMapping.AddressAndPortDependent), ("endpoint_independent", NatMapping.EndpointIndependent));

    public static readonly NameTable<Nat64.SiitHosts> SiitHosts = new(("v6", Nat64.SiitHosts.V6), ("v4", Nat64.SiitHosts.V4));

    public static readonly NameTable<NatFiltering> NatFilterings = new(("address_and_port_dependent", NatFiltering.AddressAndPortDependent),
        ("address_dependent", NatFiltering.AddressDependent), ("endpoint_independent", NatFiltering.EndpointIndependent));

    public static readonly NameTable<RemovePolicy> RemovePolicies = new(
        ("move", RemovePolicy.Move), ("reset", RemovePolicy.Reset), ("keep", RemovePolicy.Keep));

    public static readonly NameTable<NoBackendPolicy> NoBackendPolicies = new(("drop", NoBackendPolicy.Drop), ("reject", NoBackendPolicy.Reject));

    public static readonly NameTable<HealthCheckKind> HealthChecks = new(
        ("none", HealthCheckKind.None), ("tcp", HealthCheckKind.Tcp), ("http", HealthCheckKind.Http), ("https", HealthCheckKind.Https), ("udp", HealthCheckKind.Udp));

    public static readonly NameTable<byte> Protocols = new(
        ("tcp", IpProtocols.Tcp), ("udp", IpProtocols.Udp), ("icmp", IpProtocols.Icmp), ("icmpv6", IpProtocols.Icmpv6));

    public static string ProtocolProblem => "is not tcp, udp, icmp, icmpv6 or a protocol number from 0 to 255";

    public static string NameProblem =>
        string.Create(CultureInfo.InvariantCulture, $"is not a name: 1 to {SpecLimits.MaxNameLength} letters, digits, '-', '_' or '.' are needed");

    /// <summary>Names become labels of metrics and names of files, so they are plain ASCII, and never the directory itself or the one above.</summary>
    public static bool IsName(string name) => name.Length is > 0 and <= SpecLimits.MaxNameLength && name is not ("." or "..")
        && name.All(character => char.IsAsciiLetterOrDigit(character) || character is '-' or '_' or '.');

    public static string ProtocolName(byte protocol) => Protocols.NameOf(protocol) ?? protocol.ToString(CultureInfo.InvariantCulture);
}
