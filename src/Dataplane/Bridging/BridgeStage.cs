using System.Buffers.Binary;
using Dataplane.Overlays;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Rewriting;
using Dataplane.Telemetry;

namespace Dataplane.Bridging;

/// <summary>Passes frames between the ports of a learning bridge (IEEE 802.1Q 8.8).</summary>
/// <remarks>
/// Input: a batch of a bridge's port, before anything is parsed. Output: verdict transmit, or hold for those that leave by several ports, whose copies are made next. Drops: cut off,
/// from no station's address, to the bridge itself (reserved), to where it came from, between ports kept apart, beyond the limits of floods and moves, too long for the port. State: the
/// table of addresses, buckets and counters of the port. Cost: one load per batch without bridges; with them the frame's first line and two lines of the table for each of its two
/// addresses, which are written once a second for each address at most. What comes unfinished is parsed too, since nothing behind believes an offload header otherwise.
/// </remarks>
internal static class BridgeStage
{
    private const int LinkBytes = 14, TagBytes = 4;
    private const ulong AddressMask = 0xFFFF_FFFF_FFFF, GroupBit = 1UL << 40;

    /// <summary>01-80-C2-00-00-00 to -0F: what a bridge must not forward (IEEE 802.1Q table 8-1).</summary>
    private const ulong Reserved = 0x0180_C200_0000, ReservedMask = 0xFFFF_FFFF_FFF0;

    /// <summary>Decides about the frames.</summary>
    /// <returns>False when the batch is none of a bridge's.</returns>
    public static bool Process<TTracing>(WorkerContext context, PacketBatch batch)
        where TTracing : struct, ITracing
    {
        if (context.Tables.Learning.OfPort(batch.Port.Value) is not { } source)
        {
            return false;
        }

        CheckUnfinished(context, batch);
        long bytes = 0;
        for (int i = 0; i < batch.Count; i++)
        {
            bytes += batch.Lengths[i];
            if (batch.Verdicts[i] == Verdict.Continue)
            {
                Decide<TTracing>(context, batch, i, source);
            }
        }

        if (!TTracing.IsOn)
        {
            source.Counters.Frames += batch.Count;
            source.Counters.Bytes += bytes;
        }

        return true;
    }

    /// <summary>Lets a frame leave by a port.</summary>
    public static void Leave(PacketBatch batch, int i, BridgePort target)
    {
        ReadOnlySpan<byte> frame = batch.Frame(i);
        int link = IsTagged(frame) ? LinkBytes + TagBytes : LinkBytes;
        if (frame.Length - link > target.Mtu && batch.IsTooLong(i, target.Mtu))
        {
            batch.Drop(i, DropReason.FrameTooLong);
        }
        else
        {
            batch.Transmit(i, new Ports.PortId(target.Id));
        }
    }

    /// <summary>Compares what offload headers say with the frames.</summary>
    private static void CheckUnfinished(WorkerContext context, PacketBatch batch)
    {
        if (!batch.HasOffloads)
        {
            return;
        }

        for (int i = 0; i < batch.Count; i++)
        {
            if ((batch.Marks[i] & PacketMarks.Unfinished) != 0)
            {
                PacketParser.ProcessOne(batch, i, context.Hash);
            }
        }

        OffloadStage.Process(batch, OverlayTable.Empty);
    }

    private static void Decide<TTracing>(WorkerContext context, PacketBatch batch, int i, BridgePort source)
        where TTracing : struct, ITracing
    {
        ReadOnlySpan<byte> frame = batch.Frame(i);
        if (frame.Length < LinkBytes || (IsTagged(frame) && frame.Length < LinkBytes + TagBytes))
        {
            batch.Drop(i, DropReason.TruncatedEthernet);
            return;
        }

        ulong target = BinaryPrimitives.ReadUInt64BigEndian(frame) >> 16, sender = BinaryPrimitives.ReadUInt64BigEndian(frame[4..]) & AddressMask;
        int vlan = IsTagged(frame) ? BinaryPrimitives.ReadUInt16BigEndian(frame[LinkBytes..]) & 0xFFF : 0;
        BridgePort? way = null;
        DropReason reason = (sender & GroupBit) != 0 || sender == 0 ? DropReason.BadSourceMac
            : (target & ReservedMask) == Reserved ? DropReason.BridgeReserved
            : Learn<TTracing>(batch, MacTable.KeyOf(sender, vlan), source) ? FindWay<TTracing>(batch, target, vlan, source, out way)
            : DropReason.MacMoveLimited;
        if (reason != DropReason.None)
        {
            batch.Drop(i, reason);
        }
        else if (way is not null)
        {
            Leave(batch, i, way);
        }
        else
        {
            context.Bridging.Note(source, i);
            batch.Hold(i, HoldReason.Flooded);
        }

        if (TTracing.IsOn)
        {
            Explain(context, batch, i, source, way, vlan);
        }
    }

    private static bool IsTagged(ReadOnlySpan<byte> frame) =>
        frame.Length >= LinkBytes && BinaryPrimitives.ReadUInt16BigEndian(frame[(LinkBytes - 2)..]) is EtherTypes.Vlan or EtherTypes.ServiceVlan;

    /// <summary>Notes where the sender is.</summary>
    /// <returns>False when it is said to be somewhere else too often.</returns>
    private static bool Learn<TTracing>(PacketBatch batch, ulong key, BridgePort source)
        where TTracing : struct, ITracing
    {
        if (TTracing.IsOn)
        {
            return true;
        }

        Learning learning = source.Bridge.Table.Learn(key, source.Index, source.Limit, source.Moves, batch.NowNs);
        if (learning == Learning.Known)
        {
            return true;
        }

        BridgePortCounters counters = source.Counters;
        switch (learning)
        {
            case Learning.Learnt:
                counters.Learnt++;
                break;
            case Learning.Moved:
                counters.Moves++;
                break;
            case Learning.MoveRefused:
                counters.MovesRefused++;
                break;
            default:
                counters.Unlearnt++;
                break;
        }

        return learning != Learning.MoveRefused;
    }

    /// <summary>Finds the port that a frame leaves by; null with no reason: all that its own reaches.</summary>
    private static DropReason FindWay<TTracing>(PacketBatch batch, ulong target, int vlan, BridgePort source, out BridgePort? way)
        where TTracing : struct, ITracing
    {
        way = null;
        FloodKind kind = target == AddressMask ? FloodKind.Broadcast : (target & GroupBit) != 0 ? FloodKind.Multicast : FloodKind.Unknown;
        int known = kind == FloodKind.Unknown ? source.Bridge.Table.Find(MacTable.KeyOf(target, vlan), MacTable.SecondsOf(batch.NowNs)) : -1;
        if (known >= 0)
        {
            way = source.Bridge.Ports[known];
            return ReferenceEquals(way, source) ? DropReason.BridgeSamePort : source.Reaches(way) ? DropReason.None : DropReason.NetworkIsolated;
        }

        if (source.Others.Length == 0)
        {
            return DropReason.NetworkIsolated;
        }

        if (TTracing.IsOn)
        {
            return DropReason.None;
        }

        bool isAllowed = source.Floods[(int)kind].TryTake(batch.NowNs);
        (isAllowed ? source.Counters.Flooded : source.Counters.Limited)[(int)kind]++;
        return isAllowed ? DropReason.None : DropReason.FloodLimited;
    }

    private static void Explain(WorkerContext context, PacketBatch batch, int i, BridgePort source, BridgePort? way, int vlan)
    {
        string ports = way?.Spec.Port ?? string.Join(", ", source.Others.Select(port => port.Spec.Port));
        (string outcome, string detail) = batch.Verdicts[i] switch
        {
            Verdict.Transmit => ("transmit", $"seen behind {ports}"),
            Verdict.Hold => ("flood", $"to all that {source.Spec.Port} reaches, within its limits: {ports}"),
            _ => (batch.Reasons[i].ToName(), $"came by {source}"),
        };
        context.Trace!.Add(batch, "bridge", outcome, detail, ("bridge", source.Bridge.Spec.Name), ("vlan", vlan), ("ports", ports));
    }
}
