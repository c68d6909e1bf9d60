using System.Buffers.Binary;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Routing;
using Dataplane.Telemetry;
using Dataplane.Tracking;

namespace Dataplane.Switching;

/// <summary>Hands what one endpoint sends to another's hardware address over to that: nothing is taken off its TTL and nothing rewritten.</summary>
/// <remarks>
/// Input: packets marked as switched that no flow translates; those of a translated flow are routed, since they must be translated back. Output: verdict transmit. Drops: isolated ports,
/// too big. State: none. Cost: nothing but the header line where a tag has to be taken out; the endpoint was found by <see cref="Routing.IngressStage"/>.
/// </remarks>
internal static class SwitchStage
{
    public static void Process<TTracing>(WorkerContext context, PacketBatch batch)
        where TTracing : struct, ITracing
    {
        if (context.Tables.Bridges.IsEmpty)
        {
            return;
        }

        for (int i = 0; i < batch.Count; i++)
        {
            if (batch.Verdicts[i] == Verdict.Continue && (batch.Marks[i] & PacketMarks.Switched) != 0
                && (batch.Flows[i] < 0 || context.Flows[batch.Flows[i]].IsPlain))
            {
                Switch<TTracing>(context, batch, i);
                if (TTracing.IsOn)
                {
                    Explain(context, batch, i);
                }
            }
        }
    }

    private static void Switch<TTracing>(WorkerContext context, PacketBatch batch, int i)
        where TTracing : struct, ITracing
    {
        ForwardingTables tables = context.Tables;
        L3Interface way = tables.NextHops[batch.NextHops[i]].Interface;
        if (!Bridge.Allows(tables.Interfaces[batch.InInterfaces[i]].Station, way.Station, isTranslated: false))
        {
            batch.Drop(i, DropReason.NetworkIsolated);
            return;
        }

        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        int length = headers.EndOffset - headers.NetworkOffset;
        if (length > way.Mtu && batch.IsTooLong(i, way.Mtu))
        {
            // A bridge would say nothing, and the sender would never learn; the gateway is a router and may say it.
            IcmpErrors.SendTooBig(context, batch, i, way.Mtu);
            batch.Drop(i, DropReason.PacketTooBig);
            return;
        }

        if (!ConnectionFlows.TryFollow<TTracing>(context, batch, i))
        {
            return;
        }

        WriteLink(batch, i, in headers, length);
        batch.OutPorts[i] = way.Port;
        batch.Verdicts[i] = Verdict.Transmit;
    }

    /// <summary>The frame as plain Ethernet, without priority tags, 802.2 headers and padding.</summary>
    private static void WriteLink(PacketBatch batch, int i, in PacketHeaders headers, int length)
    {
        const int Link = 14;
        if (headers.NetworkOffset != Link)
        {
            Span<byte> frame = batch.Frame(i);
            frame[..12].CopyTo(frame[(headers.NetworkOffset - Link)..]);
            BinaryPrimitives.WriteUInt16BigEndian(frame[(headers.NetworkOffset - 2)..], headers.EtherType);
            batch.Offsets[i] += headers.NetworkOffset - Link;
        }

        batch.Lengths[i] = Link + length;
    }

    private static void Explain(WorkerContext context, PacketBatch batch, int i)
    {
        L3Interface way = context.Tables.NextHops[batch.NextHops[i]].Interface;
        bool isSwitched = batch.Verdicts[i] == Verdict.Transmit;
        context.Trace!.Add(batch, "switch", isSwitched ? "transmit" : batch.Reasons[i].ToName(), $"to endpoint {way.Station} by {way}, as it came",
            ("endpoint", way.Station!.Spec.Name), ("network", way.Station.Network.Spec.Name), ("port", way.PortName));
    }
}
