using Dataplane.Balancing;
using Dataplane.Filtering;
using Dataplane.Flows;
using Dataplane.Packets;
using Dataplane.Rewriting;
using Dataplane.Routing;
using Dataplane.Telemetry;

namespace Dataplane.Pipeline;

/// <summary>The packet's way: every stage, in packet order. Each is one call per batch.</summary>
internal static class ForwardingPipeline
{
    /// <summary>A batch from a port, as far as the transmit ring.</summary>
    public static void Receive<TTracing>(WorkerContext context, PacketBatch batch)
        where TTracing : struct, ITracing
    {
        PacketParser.Process(batch, context.Hash);                                                  // bytes    -> headers, key, hash; or drop
        OffloadStage.Process(batch);                                                                // offload headers -> checked against what was parsed
        context.Stages.Process<TTracing>(StagePosition.AfterParse, context, batch);
        if (!context.Stages.HasAfterFilter)
        {
            EstablishedStage.Process<TTracing>(context, batch);                                     // flows that remember it all -> as they leave
        }

        if (batch.HasUndecided)
        {
            IngressStage.Process<TTracing>(context, batch);                                         // port     -> interface; martians, ARP, ND
            FilterStage.Process<TTracing>(context, batch);                                          // rules    -> pass or drop
            context.Stages.Process<TTracing>(StagePosition.AfterFilter, context, batch);
            Forward<TTracing>(context, batch);
        }

        context.Stages.Process<TTracing>(StagePosition.BeforeTransmit, context, batch);
    }

    /// <summary>Packets that were held: they passed the filter before, and come back with what is known now.</summary>
    public static void Release<TTracing>(WorkerContext context, PacketBatch batch)
        where TTracing : struct, ITracing
    {
        PacketParser.Process(batch, context.Hash);
        IngressStage.Restore(context, batch);
        Forward<TTracing>(context, batch);
        context.Stages.Process<TTracing>(StagePosition.BeforeTransmit, context, batch);
    }

    /// <summary>Packets the engine made: they only need a way out.</summary>
    public static void Originate<TTracing>(WorkerContext context, PacketBatch batch)
        where TTracing : struct, ITracing
    {
        RouteStage.Process<TTracing>(context, batch);
        NeighbourStage.Process<TTracing>(context, batch);
        RewriteStage.Process<TTracing>(context, batch);
        context.Stages.Process<TTracing>(StagePosition.BeforeTransmit, context, batch);
    }

    private static void Forward<TTracing>(WorkerContext context, PacketBatch batch)
        where TTracing : struct, ITracing
    {
        FlowStage.Process<TTracing>(context, batch);                                                // key      -> flow
        BalanceStage.Process<TTracing>(context, batch);                                             // service  -> backend, new flow
        RouteStage.Process<TTracing>(context, batch);                                               // address  -> next hop, or local, or refused
        NeighbourStage.Process<TTracing>(context, batch);                                           // next hop -> hardware address, or held
        RewriteStage.Process<TTracing>(context, batch);                                             // headers  -> as they leave
    }
}
