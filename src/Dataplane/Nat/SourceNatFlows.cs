using Dataplane.Balancing;
using Dataplane.Flows;
using Dataplane.Nat64;
using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Nat;

/// <summary>Makes the two entries of a flow whose source is translated.</summary>
internal static class SourceNatFlows
{
    private const int PortTries = 64, FirstUserPort = 1024;

    /// <summary>Makes the flow.</summary>
    /// <param name="context">The worker.</param>
    /// <param name="packet">The first packet: TCP, UDP or an echo request, no fragment.</param>
    /// <param name="remote">Where it goes, as it is outside.</param>
    /// <param name="address">What it is to seem to come from.</param>
    /// <param name="reason">Why it could not be made.</param>
    /// <returns>Index of the entry of this direction, or -1.</returns>
    public static int Create(WorkerContext context, in ParsedFrame packet, IpAddress remote, BackendRuntime address, out DropReason reason)
    {
        ref readonly FlowKey key = ref packet.Key;
        uint hash = context.Hash.Of(in key);
        if (!TryFindReverse(context, in key, remote, hash, address.Address, out FlowKey back, out ushort port))
        {
            reason = DropReason.NoFreePort;
            return -1;
        }

        byte flags = packet.Headers.TcpFlags;
        FlowEntry forward = NatFlows.OneWay(in key, flags, address.Address, port, remote, back.SourcePort, address.Slot, address.Generation);
        FlowEntry reverse = NatFlows.OneWay(in back, flags, key.Destination, key.DestinationPort, key.Source, key.SourcePort, address.Slot, address.Generation);
        (forward.Hash, reverse.Hash) = (hash, context.Hash.Of(in back));
        int index = context.Flows.InsertPair(in forward, in reverse, context.NowNs);
        reason = index < 0 ? DropReason.FlowTableFull : DropReason.None;
        return index;
    }

    private static bool IsEcho(byte protocol) => protocol is IpProtocols.Icmp or IpProtocols.Icmpv6;

    /// <summary>The way back is keyed by remote end and translated source: it must be free. The source port first, then others of its range and parity.</summary>
    private static bool TryFindReverse(WorkerContext context, in FlowKey key, IpAddress remote, uint hash, IpAddress address, out FlowKey reverse, out ushort port)
    {
        port = key.SourcePort;
        byte protocol = OtherFamily.ProtocolOf(key.Protocol, (byte)remote.Family);
        for (int tries = 0; tries < PortTries; tries++)
        {
            reverse = FlowKey.Create(remote, IsEcho(key.Protocol) ? port : key.DestinationPort, address, port, protocol);
            if (context.Flows.Find(in reverse, context.Hash.Of(in reverse)) < 0 && !context.Tables.Bridges.Overlays.Reserves(address, port, key.Protocol))
            {
                return true;
            }

            port = Candidate(in key, hash + ((uint)tries * 7919));
        }

        reverse = default;
        return false;
    }

    private static ushort Candidate(in FlowKey key, uint turn)
    {
        if (IsEcho(key.Protocol))
        {
            return (ushort)turn;
        }

        // Port 0 is none: of the low range, an even one begins at 2.
        bool isUser = key.SourcePort >= FirstUserPort;
        int parity = key.SourcePort & 1, first = isUser ? FirstUserPort : parity == 0 ? 2 : 0;
        uint pairs = isUser ? (65536u - FirstUserPort) / 2 : (uint)(FirstUserPort - first) / 2;
        return (ushort)(first + parity + (2 * (turn % pairs)));
    }
}
