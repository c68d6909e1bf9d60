using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Tunnels;

namespace Dataplane.Flows;

/// <summary>Gives packets of other workers' flows to these.</summary>
/// <remarks>
/// Input: parsed packets that no flow of this worker has sent on. Output: those of others held, in the ring to their worker. Drops: ring full.
/// State: none. Cost: with one worker nothing; else one or two look-ups in small tables for each packet left, and for those handed over one copy.
/// </remarks>
internal static class HandOverStage
{
    public static void Process(WorkerContext context, PacketBatch batch, WorkerLinks links, HandOverKind kind = HandOverKind.Forward)
    {
        if (context.Tables.Owners is not { } owners)
        {
            return;
        }

        int others = 0;
        Span<sbyte> to = stackalloc sbyte[PacketBatch.Capacity];
        to = to[..batch.Count];
        for (int i = 0; i < to.Length; i++)
        {
            int owner = batch.Verdicts[i] == Verdict.Continue ? OwnerOf(owners, context, batch, i) : FlowOwners.Anyone;
            owner = owner == context.Share.Index ? FlowOwners.Anyone : owner;
            to[i] = (sbyte)owner;
            others += owner >= 0 ? 1 : 0;
        }

        if (others > 0)
        {
            links.HandOver(batch, to, kind);
        }
    }

    /// <summary>The worker a packet belongs to; an ICMP error belongs to the worker of the flow it is about.</summary>
    public static int OwnerOf(FlowOwners owners, WorkerContext context, PacketBatch batch, int i) =>
        (context.Tables.Tunnels.HasSources && OuterErrors.TryReadFlow(context.Tables.Tunnels, batch, i, out FlowKey about))
            || IcmpErrorTranslation.TryReadFlow(batch, i, out about)
            ? owners.OwnerOf(in about, batch.Port.Value, context.Hash, context.Share)
            : owners.OwnerOf(in batch.Parsed[i].Key, batch.Port.Value, context.Hash, context.Share);
}
