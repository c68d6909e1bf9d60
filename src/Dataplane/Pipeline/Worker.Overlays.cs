using Dataplane.Capturing;
using Dataplane.Overlays;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Telemetry;

namespace Dataplane.Pipeline;

/// <content>Frames within packets: to endpoints at other hosts, and from them.</content>
internal sealed partial class Worker
{
    /// <summary>Inner frames of a batch, which lie in its memory: one batch for each network, counted as released what the outer ones are held. Of an outer super-frame
    /// the first is what was held and the others originate; segments that are joined with the one before are gone.</summary>
    private void RunInner(PacketBatch outer, IPort?[] ports)
    {
        InnerFrames frames = Context.Overlays.Inner;
        while (frames.HasPending)
        {
            InnerShare share = frames.Take(outer, Context.NowNs);
            PacketBatch inner = frames.Batch;
            Context.Tables.Bridges.Overlays.OfPort(inner.Port.Value)?.Device?.CountReceived(share.Frames, share.Bytes);
            Context.Tap?.Begin(inner, CaptureOrigin.Inner);
            if (_isTimed)
            {
                ForwardingPipeline.Receive<TracingTimed>(Context, inner);
            }
            else
            {
                ForwardingPipeline.Receive<TracingOff>(Context, inner);
            }

            Leave(_transmit, inner, ports, CaptureOrigin.Inner, 0, share.Frames - share.Released, share.Released, share.Joined);
            Observer?.Observe(inner);
            RunHairpins(inner, ports);
        }
    }

    /// <summary>Outer packets made so far: routed to their peers and sent.</summary>
    private void RunOuter(IPort?[] ports)
    {
        OverlayWorker overlays = Context.Overlays;
        PacketBatch outer = overlays.Outer;
        if (outer.Count == 0)
        {
            return;
        }

        overlays.IsSending = true;
        Context.Tap?.Begin(outer, CaptureOrigin.Outer);
        ForwardingPipeline.Originate<TracingOff>(Context, outer);
        Leave(_transmitOuter, outer, ports, CaptureOrigin.Outer, 0, overlays.Originated, outer.Count - overlays.Originated);
        overlays.IsSending = false;
        overlays.Clear();
    }

    /// <summary>Makes room for more outer packets, if what must be asked for on their way can be asked for now.</summary>
    private void DrainOuter()
    {
        if (!_isOriginating && _plan is { } plan)
        {
            RunOuter(plan.Tables.Ports);
        }
    }

    private void AdoptOverlays(WorkerPlan plan)
    {
        Context.Overlays.Prepare();
        foreach (ushort id in plan.Ids)
        {
            (plan.Tables.Ports[id] as OverlayPort)?.Attach(Context.Overlays, Context.Tables.Bridges.Overlays.OfPort(id) is { TakesSuperFrames: true });
        }
    }
}
