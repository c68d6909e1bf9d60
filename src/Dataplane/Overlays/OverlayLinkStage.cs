using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;

namespace Dataplane.Overlays;

/// <summary>Takes frames of networks out of what the port to another host has received.</summary>
/// <remarks>
/// Input: a batch of a link's port, before anything is parsed: an identifier (RFC 7348 5) and a frame each. Output: verdict hold; the frames within are run through the pipeline
/// next, where they lie, as received by the port of their network. Drops: too short or without identifier, identifier of no network that goes by this link. State: the inner
/// frames noted. Cost: one load per batch without links; with them the identifier and one line of a table for each frame. The port is the peer: what a host may say is
/// looked at by <see cref="OverlayGuard"/>, as with tunnels.
/// </remarks>
internal static class OverlayLinkStage
{
    /// <summary>Takes the frames out.</summary>
    /// <returns>False when the batch is none of a link's, and is parsed like others.</returns>
    public static bool Process<TTracing>(WorkerContext context, PacketBatch batch)
        where TTracing : struct, ITracing
    {
        OverlayTable overlays = context.Tables.Bridges.Overlays;
        if (!overlays.IsLink(batch.Port.Value))
        {
            return false;
        }

        for (int i = 0; i < batch.Count; i++)
        {
            DropReason reason = Open(context, overlays, batch, i, out Overlay? overlay);
            if (reason == DropReason.None)
            {
                batch.Hold(i, HoldReason.Decapsulated);
            }
            else
            {
                batch.Drop(i, reason);
            }

            if (TTracing.IsOn)
            {
                context.Trace!.Add(batch, "link", reason == DropReason.None ? "frame" : reason.ToName(), $"frame of another host, for {overlay?.ToString() ?? "nobody"}",
                    ("network", overlay?.Network.Spec.Name), ("vni", overlay?.Spec.Vni));
            }
        }

        return true;
    }

    private static DropReason Open(WorkerContext context, OverlayTable overlays, PacketBatch batch, int i, out Overlay? overlay)
    {
        overlay = null;
        ReadOnlySpan<byte> frame = batch.Frame(i);
        if (frame.Length < Vxlan.HeaderBytes + Vxlan.LinkBytes || Vxlan.IdentifierOf(frame) is var vni && vni < 0)
        {
            return DropReason.OverlayMalformed;
        }

        overlay = overlays.FindByLink(batch.Port.Value, vni, out short peer);
        if (overlay is null)
        {
            return DropReason.OverlayUnknownVni;
        }

        context.Overlays.Inner.Note(overlay, peer, batch.Offsets[i] + Vxlan.HeaderBytes, frame.Length - Vxlan.HeaderBytes);
        return DropReason.None;
    }
}
