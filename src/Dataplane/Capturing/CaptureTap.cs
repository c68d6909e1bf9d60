using Dataplane.Filtering;
using Dataplane.Flows;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Microsoft.Extensions.ObjectPool;

namespace Dataplane.Capturing;

/// <summary>Copies the packets that captures ask for out of a worker's batches. Only there while something is captured.</summary>
/// <remarks>
/// A packet is rewritten where it lies, and what becomes of it is known at the end: so it is kept as it came, kept again as it leaves, and handed on with its fate once
/// the ports have taken it. Of what no capture can ask for, only the headers are read. Does not allocate, never waits. Used by one worker.
/// </remarks>
internal sealed class CaptureTap
{
    /// <summary>Captures at one time.</summary>
    public const int MostCaptures = 8;

    private readonly CaptureLane[] _lanes;
    private readonly CaptureStaging _staging;

    /// <summary>Outer packets may have to leave while others are being sent.</summary>
    private readonly CaptureStaging _outer;

    /// <param name="lanes">What the worker has of each capture.</param>
    /// <param name="pool">Where memory comes from, and goes to by <see cref="Return"/>.</param>
    public CaptureTap(CaptureLane[] lanes, ObjectPool<CaptureStaging> pool)
    {
        _lanes = lanes;
        (_staging, _outer) = (pool.Get(), pool.Get());
        int snap = lanes.Max(lane => lane.SnapLengthBytes);
        _staging.Prepare(lanes, snap);
        _outer.Prepare(lanes, snap);
    }

    /// <summary>Gives the memory back. Once the worker has another tap, or none.</summary>
    public void Return(ObjectPool<CaptureStaging> pool)
    {
        pool.Return(_staging);
        pool.Return(_outer);
    }

    /// <summary>Keeps packets as they come. Before the pipeline.</summary>
    public void Begin(PacketBatch batch, CaptureOrigin origin)
    {
        CaptureStaging staging = Of(origin);
        bool hasReceived = origin is CaptureOrigin.Received or CaptureOrigin.Inner;
        staging.Begin(hasReceived);
        if (IsJudged(origin))
        {
            // Written before they are read, by whichever stage a packet comes to; those it does not come to must not speak of the batch before.
            batch.Flows[..batch.Count].Fill(-1);
            batch.NextHops.AsSpan(0, batch.Count).Fill(-1);
            batch.FilterRules.AsSpan(0, batch.Count).Fill(FilterProgram.Unknown);
            ClearKeys(batch);
        }

        for (int i = 0; hasReceived && i < batch.Count; i++)
        {
            ref CaptureStaging.Staged staged = ref staging.Received(i);
            ReadOnlySpan<byte> frame = batch.Frame(i);
            staged.Facts.Read(frame);
            (staged.Facts.Direction, staged.Facts.Port, staged.Facts.IsDecided) = (CaptureDirection.Received, batch.Port.Value, false);
            staged.Facts.Flow.Transport = 0;
            staging.Keep(ref staged, frame);
        }
    }

    /// <summary>Keeps packets as they leave. Between the pipeline and the ports.</summary>
    public void Leave(WorkerContext context, PacketBatch batch, CaptureOrigin origin)
    {
        CaptureStaging staging = Of(origin);
        if (origin is CaptureOrigin.Flooded)
        {
            staging.Begin(hasReceived: false);
        }

        for (int i = 0; i < batch.Count; i++)
        {
            ref CaptureStaging.Staged staged = ref staging.Sent(i);
            staged.Length = 0;
            if (batch.Verdicts[i] == Verdict.Transmit && origin != CaptureOrigin.Relayed)
            {
                ReadOnlySpan<byte> frame = batch.Frame(i);
                staged.Facts.Read(frame);
                (staged.Facts.Direction, staged.Facts.Port) = (CaptureDirection.Sent, batch.OutPorts[i]);
                Decide(context, batch, i, origin, hasLeft: true, ref staged.Facts);
                staging.Keep(ref staged, frame);
            }
        }
    }

    /// <summary>Hands on what captures take, with what became of it. Behind the ports.</summary>
    public void Finish(WorkerContext context, PacketBatch batch, CaptureOrigin origin)
    {
        CaptureStaging staging = Of(origin);
        for (int i = 0; i < batch.Count; i++)
        {
            Verdict verdict = batch.Verdicts[i];
            ref CaptureStaging.Staged sent = ref staging.Sent(i);

            // What goes to a port of another worker is held by this one's account; what was cut into segments is dropped by it.
            bool hasLeft = sent.Length > 0 && (verdict is Verdict.Transmit or Verdict.Hold || batch.Reasons[i] == DropReason.ConsumedSegmented);
            if (staging.HasReceived)
            {
                ref CaptureStaging.Staged staged = ref staging.Received(i);
                if (staged.Unknown != 0)
                {
                    Decide(context, batch, i, origin, hasLeft, ref staged.Facts);
                    Settle(ref staged);
                }

                Hand(context, batch, i, origin, staging, ref staged, CaptureDirection.Received, hasLeft);
            }
            else if (verdict == Verdict.Drop && !CaptureFacts.IsConsumed(batch.Reasons[i]))
            {
                HandDropped(context, batch, i, origin);
            }

            if (hasLeft)
            {
                Hand(context, batch, i, origin, staging, ref sent, CaptureDirection.Sent, hasLeft);
            }
        }
    }

    /// <summary>Hands on a packet that has waited in vain: for a neighbour, for the first of its fragments, or for another worker.</summary>
    public void GiveUp(WorkerContext context, ReadOnlySpan<byte> frame, ushort port, PacketMarks marks, DropReason reason, CaptureOrigin origin = CaptureOrigin.Released)
    {
        CaptureFacts facts = default;
        facts.Read(frame);
        (facts.Direction, facts.Port, facts.IsDecided, facts.Verdict, facts.Reason) = (CaptureDirection.Dropped, port, true, Verdict.Drop, reason);
        var record = new CaptureRecord
        {
            TimeNs = context.NowNs,
            Tables = context.Tables,
            Length = frame.Length,
            Rule = CaptureRecord.None,
            Backend = CaptureRecord.None,
            NextHop = CaptureRecord.None,
            InPort = port,
            OutPort = PortId.None.Value,
            Verdict = Verdict.Drop,
            Reason = reason,
            Direction = CaptureDirection.Dropped,
            Origin = origin,
            IsLocal = (marks & PacketMarks.LocalOrigin) != 0,
        };
        AddToAll(in facts, ref record, frame);
    }

    /// <summary>Whether rules, flows and routes decide about a batch. To one that the engine makes, packets are added while it is on its way: what the arrays say of those is of others.</summary>
    private static bool IsJudged(CaptureOrigin origin) => origin is CaptureOrigin.Received or CaptureOrigin.Inner or CaptureOrigin.TakenOver or CaptureOrigin.Released;

    private static void ClearKeys(PacketBatch batch)
    {
        for (int i = 0; i < batch.Count; i++)
        {
            batch.Parsed[i].Key.Transport = 0;
        }
    }

    private CaptureStaging Of(CaptureOrigin origin) => origin == CaptureOrigin.Outer ? _outer : _staging;

    private void HandDropped(WorkerContext context, PacketBatch batch, int i, CaptureOrigin origin)
    {
        ReadOnlySpan<byte> frame = batch.Frame(i);
        CaptureFacts facts = default;
        facts.Read(frame);
        (facts.Direction, facts.Port) = (CaptureDirection.Dropped, batch.Port.Value);
        Decide(context, batch, i, origin, hasLeft: false, ref facts);
        CaptureRecord record = RecordOf(context, batch, i, origin, CaptureDirection.Dropped, hasLeft: false, frame.Length);
        AddToAll(in facts, ref record, frame);
    }

    private void AddToAll(in CaptureFacts facts, ref CaptureRecord record, ReadOnlySpan<byte> frame)
    {
        foreach (CaptureLane lane in _lanes)
        {
            if (lane.Filter.Ask(in facts) == CaptureAnswer.Yes)
            {
                lane.Add(ref record, frame);
            }
        }
    }

    private void Settle(ref CaptureStaging.Staged staged)
    {
        for (int lane = 0; lane < _lanes.Length; lane++)
        {
            if ((staged.Unknown & (1 << lane)) != 0 && _lanes[lane].Filter.Ask(in staged.Facts) == CaptureAnswer.Yes)
            {
                staged.Yes |= (byte)(1 << lane);
            }
        }
    }

    private void Hand(WorkerContext context, PacketBatch batch, int i, CaptureOrigin origin, CaptureStaging staging, ref CaptureStaging.Staged staged, CaptureDirection direction, bool hasLeft)
    {
        if (staged.Yes == 0)
        {
            return;
        }

        CaptureRecord record = RecordOf(context, batch, i, origin, direction, hasLeft, staged.Length);
        for (int lane = 0; lane < _lanes.Length; lane++)
        {
            if ((staged.Yes & (1 << lane)) == 0)
            {
                continue;
            }

            if (staged.Kept < 0)
            {
                _lanes[lane].Miss();
            }
            else
            {
                _lanes[lane].Add(ref record, staging.BytesOf(in staged));
            }
        }
    }

    private static void Decide(WorkerContext context, PacketBatch batch, int i, CaptureOrigin origin, bool hasLeft, ref CaptureFacts facts)
    {
        (facts.IsDecided, facts.Verdict, facts.Reason) = hasLeft ? (true, Verdict.Transmit, DropReason.None) : (true, batch.Verdicts[i], batch.ReasonOf(i));
        facts.Flow.Transport = 0;
        int flow = FlowOf(context, batch, i, origin);
        if (flow >= 0)
        {
            ref readonly FlowEntry entry = ref context.Flows[flow];
            facts.Flow = entry.Key;
            facts.Opposite = context.Flows[entry.Peer].Key;
        }
    }

    /// <summary>The flow of a packet, or -1: what the batch says may be a guess, and is forgotten for packets that flows have sent on.</summary>
    private static int FlowOf(WorkerContext context, PacketBatch batch, int i, CaptureOrigin origin)
    {
        ref readonly FlowKey key = ref batch.Parsed[i].Key;
        if (!IsJudged(origin) || key.Family == 0)
        {
            return -1;
        }

        int flow = batch.Flows[i];
        return flow >= 0 && context.Flows[flow].Key.Equals(in key) ? flow : context.Flows.Find(in key, context.Hash.Of(in key));
    }

    private static CaptureRecord RecordOf(WorkerContext context, PacketBatch batch, int i, CaptureOrigin origin, CaptureDirection direction, bool hasLeft, int length)
    {
        Verdict verdict = hasLeft ? Verdict.Transmit : batch.Verdicts[i];
        bool isSuper = (batch.Marks[i] & PacketMarks.SuperFrame) != 0;
        var record = new CaptureRecord
        {
            TimeNs = context.NowNs,
            Tables = context.Tables,
            Length = length,
            Rule = IsJudged(origin) && batch.FilterRules[i] != FilterProgram.Unknown ? batch.FilterRules[i] : CaptureRecord.None,
            Backend = CaptureRecord.None,
            NextHop = IsJudged(origin) ? batch.NextHops[i] : CaptureRecord.None,
            InPort = batch.Port.Value,
            OutPort = verdict == Verdict.Transmit ? batch.OutPorts[i] : PortId.None.Value,
            Verdict = verdict,
            Reason = hasLeft ? DropReason.None : batch.ReasonOf(i),
            Hold = verdict == Verdict.Hold ? batch.Holds[i] : default,
            Direction = direction,
            Origin = origin,
            SegmentBytes = isSuper ? batch.Offloads[i].SegmentBytes : 0,
            IsLocal = (batch.Marks[i] & PacketMarks.LocalOrigin) != 0,
            IsUnfinished = (batch.Marks[i] & PacketMarks.Unfinished) != 0,
        };
        int flow = FlowOf(context, batch, i, origin);
        if (flow >= 0)
        {
            ref readonly FlowEntry entry = ref context.Flows[flow];
            (record.HasFlow, record.Backend) = (true, entry.Backend);
            if (record.NextHop < 0 && verdict == Verdict.Transmit && entry.Path.TablesVersion == context.Tables.Version)
            {
                record.NextHop = entry.Path.NextHop;
            }

            if (record.Rule == CaptureRecord.None && verdict == Verdict.Transmit && entry.InPort != FlowEntry.NoPort)
            {
                record.Rule = entry.FilterRule;
            }
        }

        return record;
    }
}
