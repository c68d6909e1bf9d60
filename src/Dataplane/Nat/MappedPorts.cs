using Dataplane.Balancing;
using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Nat;

/// <summary>Chooses the outside port of a mapping: the inside one if it is free, else another of its range and parity (RFC 4787 REQ-3 and 4).</summary>
/// <remarks>
/// With several workers a port outside belongs to the worker that its pair (2n, 2n+1) does, pairs in turn, and so does a port inside: so what comes from either side gets to
/// the mapping without asking anybody, a port that is kept is always the right worker's, and both ports of a pair, as RTP and RTCP use them, are one worker's. The price: many
/// hosts with the same inside port (VPNs, SIP) are all of one worker, which has its share of the ports to give them.
/// </remarks>
internal static class MappedPorts
{
    private const int Tries = 128, TriesForPairs = 32, FirstUserPort = 1024;

    /// <summary>Chooses.</summary>
    /// <returns>False when none is free within reach.</returns>
    public static bool TryChoose(WorkerContext context, PortMappings mappings, in FlowKey key, BackendRuntime address, out ushort port)
    {
        int other = mappings.FindInside(key.Source, (ushort)(key.SourcePort ^ 1), key.Protocol, address.Slot, address.Generation);
        port = (ushort)(other >= 0 ? mappings[other].OutsidePort ^ 1 : key.SourcePort);
        if (IsFree(context, mappings, in key, address.Address, port))
        {
            return true;
        }

        port = key.SourcePort;
        if (other >= 0 && IsFree(context, mappings, in key, address.Address, port))
        {
            return true;
        }

        uint turn = context.Hash.OfEndpoint(key.SourceHigh, key.SourceLow, key.SourcePort, key.Protocol);
        for (int tries = 0; tries < Tries; tries++)
        {
            // At first whole pairs, so that the other port of this host's pair can follow.
            port = Candidate(context.Share, key.SourcePort, turn + ((uint)tries * 7919));
            if (IsFree(context, mappings, in key, address.Address, port)
                && (tries >= TriesForPairs || mappings.FindOutside(address.Address, (ushort)(port ^ 1), key.Protocol) < 0))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>A port of the same range and parity, out of the pairs that are the worker's.</summary>
    private static ushort Candidate(WorkerShare share, ushort port, uint turn)
    {
        bool isUser = port >= FirstUserPort;
        int first = isUser ? FirstUserPort / 2 : 0, last = isUser ? ushort.MaxValue / 2 : (FirstUserPort / 2) - 1;
        int own = first + ((share.Index - (first % share.Count) + share.Count) % share.Count);
        uint pairs = (uint)(((last - own) / share.Count) + 1);
        return (ushort)((2 * (own + (share.Count * (int)(turn % pairs)))) + (port & 1));
    }

    /// <summary>Whether the port may be a mapping's: this worker's, nobody's, and not one that the engine or a service answers at.</summary>
    private static bool IsFree(WorkerContext context, PortMappings mappings, in FlowKey key, IpAddress address, ushort port)
    {
        ForwardingTables tables = context.Tables;
        var inward = FlowKey.Create(address, 0, address, port, key.Protocol);
        return (port != 0 || key.Protocol is IpProtocols.Icmp or IpProtocols.Icmpv6) && context.Share.OwnerOfPort(port) == context.Share.Index
            && mappings.FindOutside(address, port, key.Protocol) < 0 && tables.Services.Find(in inward) is null
            && !(port == Names.DnsWire.Port && tables.Names.Find(in inward) is not null) && !tables.Bridges.Overlays.Reserves(address, port, key.Protocol)
            && !(port == tables.Tunnels.GuePort && key.Protocol == IpProtocols.Udp && tables.Tunnels.Find(address) is not null);
    }
}
