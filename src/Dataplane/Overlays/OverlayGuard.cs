using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Switching;
using Dataplane.Telemetry;

namespace Dataplane.Overlays;

/// <summary>Lets nothing in from a peer that says it is from an endpoint elsewhere: a host speaks for its own endpoints only.</summary>
/// <remarks>
/// Input: parsed inner frames. Output: those from an endpoint behind the peer, under one of its addresses, or from the gateway there. Drops: spoofed hardware address or
/// address. State: none. Cost: one line of the station table, a compare for each address of the endpoint.
/// </remarks>
internal static class OverlayGuard
{
    public static void Process<TTracing>(WorkerContext context, PacketBatch batch, Overlay overlay)
        where TTracing : struct, ITracing
    {
        ReadOnlySpan<byte> memory = batch.Memory;
        for (int i = 0; i < batch.Count; i++)
        {
            if (batch.Verdicts[i] != Verdict.Continue)
            {
                continue;
            }

            int peer = context.Overlays.Inner.PeerOf(i);
            ulong mac = EthernetEnds.Source(memory[batch.Offsets[i]..]);
            Station? station = context.Tables.Bridges.Find(overlay.Network, mac);
            DropReason reason = station is not null ? station.Peer == peer ? GuardStage.CheckAddress(in batch.Parsed[i], station) : DropReason.SpoofedMac
                : mac == overlay.Network.Mac ? CheckRouted(context.Tables.Bridges, in batch.Parsed[i], overlay.Peers[peer])
                : DropReason.SpoofedMac;
            if (reason != DropReason.None)
            {
                batch.Drop(i, reason);
            }

            if (TTracing.IsOn)
            {
                context.Trace!.Add(batch, "guard", reason == DropReason.None ? "genuine" : reason.ToName(),
                    $"came from {station?.ToString() ?? new MacAddress(mac).ToString()} at peer {overlay.Peers[peer]}",
                    ("endpoint", station?.Spec.Name), ("network", overlay.Network.Spec.Name), ("peer", overlay.Peers[peer].ToString()));
            }
        }
    }

    /// <summary>What the gateway of another host has routed may come from anywhere, but from no endpoint that is elsewhere.</summary>
    private static DropReason CheckRouted(BridgeTable bridges, in ParsedFrame parsed, IpAddress peer)
    {
        Station? owner = parsed.Headers.IpVersion == 0 ? null : bridges.Find(parsed.Key.Source);
        return owner is null || (owner.Peer >= 0 && bridges.OverlayOf(owner.Network)?.Peers[owner.Peer] == peer) ? DropReason.None : DropReason.SpoofedAddress;
    }
}
