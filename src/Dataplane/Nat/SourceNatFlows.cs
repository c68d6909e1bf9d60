using Dataplane.Balancing;
using Dataplane.Flows;
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
    /// <param name="address">What it is to seem to come from.</param>
    /// <param name="reason">Why it could not be made.</param>
    /// <returns>Index of the entry of this direction, or -1.</returns>
    public static int Create(WorkerContext context, in ParsedFrame packet, BackendRuntime address, out DropReason reason)
    {
        ref readonly FlowKey key = ref packet.Key;
        uint hash = context.Hash.Of(in key);
        if (!TryFindReverse(context, in key, hash, address.Address, out FlowEntry reverse, out ushort port))
        {
            reason = DropReason.NoFreePort;
            return -1;
        }

        bool isEcho = IsEcho(key.Protocol);
        FlowEntry forward = Common(in key, packet.Headers.TcpFlags, address);
        (forward.Key, forward.Hash) = (key, hash);
        (forward.NewSourceHigh, forward.NewSourceLow) = (address.Address.High, address.Address.Low);
        (forward.NewDestinationHigh, forward.NewDestinationLow) = (key.DestinationHigh, key.DestinationLow);
        forward.NewPorts = ((uint)port << 16) | (isEcho ? port : key.DestinationPort);
        FlowEntry back = Common(in key, packet.Headers.TcpFlags, address);
        (back.Key, back.Hash) = (reverse.Key, reverse.Hash);
        (back.NewSourceHigh, back.NewSourceLow) = (key.DestinationHigh, key.DestinationLow);
        (back.NewDestinationHigh, back.NewDestinationLow) = (key.SourceHigh, key.SourceLow);
        back.NewPorts = ((uint)key.DestinationPort << 16) | key.SourcePort;
        NatFlows.SetDeltas(ref forward);
        NatFlows.SetDeltas(ref back);
        int index = context.Flows.InsertPair(in forward, in back, context.NowNs);
        reason = index < 0 ? DropReason.FlowTableFull : DropReason.None;
        return index;
    }

    private static FlowEntry Common(in FlowKey key, byte tcpFlags, BackendRuntime address) => new()
    {
        State = TcpStates.First(key.Protocol, tcpFlags),
        Marks = TcpStates.FirstMarks(key.Protocol, tcpFlags),
        Backend = address.Slot,
        BackendGeneration = address.Generation,
        TablesVersion = -1,
        NextHop = -1,
        Neighbour = -1,
        InPort = FlowEntry.NoPort,
    };

    private static bool IsEcho(byte protocol) => protocol is IpProtocols.Icmp or IpProtocols.Icmpv6;

    /// <summary>The way back is keyed by remote end and translated source: it must be free. The source port first, then others of its range and parity.</summary>
    private static bool TryFindReverse(WorkerContext context, in FlowKey key, uint hash, IpAddress address, out FlowEntry reverse, out ushort port)
    {
        port = key.SourcePort;
        for (int tries = 0; tries < PortTries; tries++)
        {
            ushort remote = IsEcho(key.Protocol) ? port : key.DestinationPort;
            reverse = new FlowEntry { Key = FlowKey.Create(key.Destination, remote, address, port, key.Protocol) };
            reverse.Hash = context.Hash.Of(in reverse.Key);
            if (context.Flows.Find(in reverse.Key, reverse.Hash) < 0 && !context.Tables.Bridges.Overlays.Reserves(address, port, key.Protocol))
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
