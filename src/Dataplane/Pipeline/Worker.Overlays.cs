using Dataplane.Capturing;
using Dataplane.Overlays;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Telemetry;

namespace Dataplane.Pipeline;

/// <content>Frames within packets: to endpoints at other hosts, and from them.</content>
internal sealed partial class Worker
{
    /// <summary>Inner frames of a batch, which lie in its memory: one batch for each network, counted as released what the outer ones are held.</summary>
    private void RunInner(PacketBatch outer, IPort?[] ports)
    {
        OverlayWorker overlays = Context.Overlays;
        while (overlays.HasPending)
        {
            PacketBatch inner = overlays.TakeInner(outer, Context.NowNs, out long bytes);
            Context.Tables.Bridges.Overlays.OfPort(inner.Port.Value)?.Device?.CountReceived(inner.Count, bytes);
            Context.Tap?.Begin(inner, CaptureOrigin.Inner);
            if (_isTimed)
            {
                ForwardingPipeline.Receive<TracingTimed>(Context, inner);
            }
            else
            {
                ForwardingPipeline.Receive<TracingOff>(Context, inner);
            }

            Leave(_transmit, inner, ports, CaptureOrigin.Inner, 0, 0, inner.Count);
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
        Leave(_transmitOuter, outer, ports, CaptureOrigin.Outer, 0, 0, outer.Count);
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
            (plan.Tables.Ports[id] as OverlayPort)?.Attach(Context.Overlays);
        }
    }
}
