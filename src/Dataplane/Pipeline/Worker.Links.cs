using Dataplane.Capturing;
using Dataplane.Nat;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Routing;
using Dataplane.Telemetry;

namespace Dataplane.Pipeline;

/// <summary>What comes from other workers.</summary>
internal sealed partial class Worker
{
    /// <summary>Takes over what waits in the rings from others; what comes meanwhile waits for the next round.</summary>
    private int TakeOver(WorkerLinks links, IPort?[] ports, long nowNs)
    {
        int packets = 0;
        foreach (HandOverRing ring in links.From)
        {
            for (int left = ring.Waiting; left > 0;)
            {
                bool isTimed = _isTimed;
                if (isTimed)
                {
                    Context.Times.Begin();
                }

                int count = ring.Take(_batch, left, nowNs, out HandOverTag tag);
                CarryOut(tag, ports, isTimed);
                ring.Release(count);
                left -= count;
                packets += count;
                links.TakenOver += tag.Kind == HandOverKind.Overheard ? 0 : count;
            }
        }

        return packets;
    }

    private void CarryOut(HandOverTag tag, IPort?[] ports, bool isTimed)
    {
        PacketBatch batch = _batch;
        CaptureOrigin origin = tag.Kind switch
        {
            HandOverKind.Hairpin => CaptureOrigin.Hairpin,
            HandOverKind.Transmit => CaptureOrigin.Relayed,
            _ => CaptureOrigin.TakenOver,
        };
        if (isTimed)
        {
            Context.Times.Mark(TimedStage.Receive);
        }

        if (tag.Kind != HandOverKind.Overheard)
        {
            Context.Tap?.Begin(batch, origin);
        }

        switch (tag.Kind)
        {
            case HandOverKind.Overheard:
                PacketParser.Process(batch, Context.Hash);
                IngressStage.Overhear(Context, batch);
                return;
            case HandOverKind.Transmit:
                if (batch.HasOffloads)
                {
                    // Whoever finishes them looks at where their headers are.
                    PacketParser.Process(batch, Context.Hash);
                }

                batch.Verdicts[..batch.Count].Fill(Verdict.Transmit);
                batch.OutPorts[..batch.Count].Fill(tag.Port);
                break;
            case HandOverKind.Hairpin:
                HairpinPackets.Mark(batch);
                ForwardingPipeline.Return<TracingOff>(Context, batch, links: null);
                break;
            case HandOverKind.Forward when isTimed:
                ForwardingPipeline.TakeOver<TracingTimed>(Context, batch);
                break;
            default:
                ForwardingPipeline.TakeOver<TracingOff>(Context, batch);
                break;
        }

        // The worker that handed them over has counted them as held.
        Leave(_transmit, batch, ports, origin, 0, 0, batch.Count);
        RunInner(batch, ports);
        RunHairpins(batch, ports);
        if (isTimed)
        {
            Context.Times.Mark(TimedStage.Transmit);
            Context.Times.End(batch.Count);
        }

        RunOriginated(ports);
    }
}
