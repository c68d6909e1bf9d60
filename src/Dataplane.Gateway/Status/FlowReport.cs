using System.Globalization;
using Dataplane.Packets;
using Dataplane.Telemetry;

namespace Dataplane.Gateway.Status;

/// <summary>Flows of a running gateway, those first that had a packet last.</summary>
/// <param name="Flows">The flows that were asked for.</param>
/// <param name="HasMore">Whether there are more, which are left out.</param>
internal sealed record FlowReport(IReadOnlyList<FlowReport.Flow> Flows, bool HasMore)
{
    public const int MostFlows = 1_000_000;

    private static readonly string[] s_states = ["tcp_transitory", "tcp_established", "tcp_closing", "udp", "icmp_query", "other"];

    /// <summary>Lists what is asked for.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="asked">What is asked by a name: <c>protocol</c>, <c>address</c> (or a prefix; either end, as the packets come or as they leave), <c>port</c> (likewise),
    /// <c>state</c>, <c>both</c>, <c>most</c>.</param>
    /// <exception cref="FormatException">It cannot be read; the message says what is allowed.</exception>
    public static FlowReport Of(DataplaneEngine engine, Func<string, string?> asked)
    {
        byte? protocol = asked("protocol") is { } name ? ProtocolOf(name) : null;
        IpPrefix? prefix = asked("address") is { } text ? PrefixOf(text) : null;
        int? port = asked("port") is { } number ? NumberOf("Port", number, ushort.MaxValue) : null;
        string? state = asked("state");
        if (state is not null && !s_states.Contains(state))
        {
            throw new FormatException($"\"{state}\" is not a state; the states are {string.Join(", ", s_states)}.");
        }

        bool both = asked("both") is not null;
        int most = asked("most") is { } count ? NumberOf("Most", count, MostFlows) : 1000;
        IReadOnlyList<FlowStatus> found = engine.ReadFlows(most + 1, flow => (both || flow.IsForward) && (protocol is null || flow.Protocol == protocol || (protocol == IpProtocols.Icmp && flow.Protocol == IpProtocols.Icmpv6))
            && (state is null || flow.State == state) && (port is null || HasPort(flow, port.Value)) && (prefix is null || HasAddress(flow, prefix.Value)));
        return new FlowReport([.. found.Take(most).OrderBy(flow => flow.Idle).Select(Flow.Of)], found.Count > most);
    }

    public static byte ProtocolOf(string name) => name switch
    {
        "tcp" => IpProtocols.Tcp,
        "udp" => IpProtocols.Udp,
        "icmp" => IpProtocols.Icmp,
        _ => byte.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out byte number) ? number : throw new FormatException($"Protocol \"{name}\" is neither tcp, udp, icmp nor a number from 0 to 255."),
    };

    private static IpPrefix PrefixOf(string text) => IpPrefix.TryParse(text, out IpPrefix prefix) ? prefix
        : IpAddress.TryParse(text, out IpAddress address) ? new IpPrefix(address, (byte)(address.IsIpv6 ? 128 : 32))
        : throw new FormatException($"Address \"{text}\" is neither an address nor a prefix.");

    private static int NumberOf(string what, string text, int most) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number <= most ? number : throw new FormatException($"{what} \"{text}\" is not a number from 0 to {most}.");

    private static bool HasPort(FlowStatus flow, int port) =>
        flow.SourcePort == port || flow.DestinationPort == port || flow.NewSourcePort == port || flow.NewDestinationPort == port;

    private static bool HasAddress(FlowStatus flow, IpPrefix prefix) =>
        prefix.Contains(flow.Source) || prefix.Contains(flow.Destination) || prefix.Contains(flow.NewSource) || prefix.Contains(flow.NewDestination);

    /// <summary>One direction: what its packets look like when they come, and how they leave.</summary>
    internal sealed record Flow(string Protocol, string Source, int SourcePort, string Destination, int DestinationPort, string NewSource, int NewSourcePort, string NewDestination, int NewDestinationPort,
        bool IsForward, string State, double IdleSeconds)
    {
        public static Flow Of(FlowStatus flow) => new(
            NameOf(flow.Protocol), flow.Source.ToString(), flow.SourcePort, flow.Destination.ToString(), flow.DestinationPort,
            flow.NewSource.ToString(), flow.NewSourcePort, flow.NewDestination.ToString(), flow.NewDestinationPort, flow.IsForward, flow.State, Math.Round(flow.Idle.TotalSeconds, 2));

        private static string NameOf(byte protocol) => protocol switch
        {
            IpProtocols.Tcp => "tcp",
            IpProtocols.Udp => "udp",
            IpProtocols.Icmp or IpProtocols.Icmpv6 => "icmp",
            _ => protocol.ToString(CultureInfo.InvariantCulture),
        };
    }
}
