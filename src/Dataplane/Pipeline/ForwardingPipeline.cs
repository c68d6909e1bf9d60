using System.Runtime.CompilerServices;
using Dataplane.Balancing;
using Dataplane.Bridging;
using Dataplane.Filtering;
using Dataplane.Flows;
using Dataplane.Names;
using Dataplane.Nat;
using Dataplane.Nat64;
using Dataplane.Overlays;
using Dataplane.Packets;
using Dataplane.Reassembly;
using Dataplane.Rewriting;
using Dataplane.Routing;
using Dataplane.Switching;
using Dataplane.Switching.Dhcp;
using Dataplane.Telemetry;
using Dataplane.Tracking;
using Dataplane.Tunnels;

namespace Dataplane.Pipeline;

/// <summary>The packet's way: every stage, in packet order. Each is one call per batch.</summary>
internal static class ForwardingPipeline
{
    /// <summary>A batch from a port, as far as the transmit ring.</summary>
    public static void Receive<TTracing>(WorkerContext context, PacketBatch batch)
        where TTracing : struct, ITracing
    {
        if (OverlayLinkStage.Process<TTracing>(context, batch))                                     // links to other hosts -> inner frames, run through it all next
        {
            return;
        }

        if (BridgeStage.Process<TTracing>(context, batch))                                          // ports of a bridge -> others of it, as they came
        {
            return;
        }

        PacketParser.Process(batch, context.Hash);                                                  // bytes    -> headers, key, hash; or drop
        TunnelDecapsulationStage.Process<TTracing>(context, batch);                                 // packets in packets -> those inside
        OffloadStage.Process(batch, context.Tables.Bridges.Overlays);                               // offload headers -> checked against what was parsed
        GuardStage.Process<TTracing>(context, batch);                                               // endpoints -> who they say they are
        DhcpStage.Process<TTracing>(context, batch);                                                // who asks for its address -> told; or drop
        FragmentStage.Process<TTracing>(context, batch);                                            // later fragments -> ports of the first, or held
        Mark<TTracing>(context, TimedStage.Parse);
        context.Stages.Process<TTracing>(StagePosition.AfterParse, context, batch);
        Mark<TTracing>(context, TimedStage.UserStages);
        if (!context.Stages.HasAfterFilter)
        {
            EstablishedStage.Process<TTracing>(context, batch);                                     // flows that remember it all -> as they leave
            EstablishedFamilyStage.Process<TTracing>(context, batch);                               // the same between the families
        }

        Mark<TTracing>(context, TimedStage.Established);
        if (context.Links is { } links)
        {
            HandOverStage.Process(context, batch, links);                                           // flows of other workers -> these
            Mark<TTracing>(context, TimedStage.HandOver);
        }

        Enter<TTracing>(context, batch);
    }

    /// <summary>Packets of this worker's flows that another has received.</summary>
    public static void TakeOver<TTracing>(WorkerContext context, PacketBatch batch)
        where TTracing : struct, ITracing
    {
        PacketParser.Process(batch, context.Hash);
        FragmentStage.Process<TTracing>(context, batch);
        Mark<TTracing>(context, TimedStage.Parse);
        if (!context.Stages.HasAfterFilter)
        {
            EstablishedStage.Process<TTracing>(context, batch);
            EstablishedFamilyStage.Process<TTracing>(context, batch);
        }

        Mark<TTracing>(context, TimedStage.Established);
        Enter<TTracing>(context, batch);
    }

    /// <summary>Fragments that have waited for the first of their datagram: they have its ports now.</summary>
    public static void Resume<TTracing>(WorkerContext context, PacketBatch batch)
        where TTracing : struct, ITracing
    {
        PacketParser.Process(batch, context.Hash);
        FragmentStage.Restore(batch);
        context.Stages.Process<TTracing>(StagePosition.AfterParse, context, batch);
        if (context.Links is { } links)
        {
            HandOverStage.Process(context, batch, links);
        }

        Enter<TTracing>(context, batch);
    }

    private static void Enter<TTracing>(WorkerContext context, PacketBatch batch)
        where TTracing : struct, ITracing
    {
        if (batch.HasUndecided)
        {
            IngressStage.Process<TTracing>(context, batch);                                         // port     -> interface; martians, ARP, ND
            Mark<TTracing>(context, TimedStage.Ingress);
            ConnectionStage.Process<TTracing>(context, batch);                                      // connection -> state, if rules ask
            FilterStage.Process<TTracing>(context, batch);                                          // rules    -> pass or drop
            Mark<TTracing>(context, TimedStage.Filter);
            context.Stages.Process<TTracing>(StagePosition.AfterFilter, context, batch);
            Mark<TTracing>(context, TimedStage.UserStages);
            NameStage.Process<TTracing>(context, batch);                                            // queries  -> answers of our own
            OverlayDecapsulationStage.Process<TTracing>(context, batch);                            // tunnels  -> inner frames, run through it all next
            Forward<TTracing>(context, batch);
        }

        context.Stages.Process<TTracing>(StagePosition.BeforeTransmit, context, batch);
        Mark<TTracing>(context, TimedStage.UserStages);
    }

    /// <summary>Packets that were held: they passed the filter before, and come back with what is known now.</summary>
    public static void Release<TTracing>(WorkerContext context, PacketBatch batch)
        where TTracing : struct, ITracing
    {
        PacketParser.Process(batch, context.Hash);
        FragmentStage.Restore(batch);
        IngressStage.Restore(context, batch);
        Forward<TTracing>(context, batch);
        context.Stages.Process<TTracing>(StagePosition.BeforeTransmit, context, batch);
    }

    /// <summary>Packets from one inside host to another by their mapped ports, once they have the sender's: rules have let them pass as they were sent.</summary>
    /// <param name="context">The worker.</param>
    /// <param name="batch">The packets.</param>
    /// <param name="links">The rings to other workers, whose the mapped ports may be; null when this one's they are.</param>
    public static void Return<TTracing>(WorkerContext context, PacketBatch batch, WorkerLinks? links)
        where TTracing : struct, ITracing
    {
        PacketParser.Process(batch, context.Hash);
        FragmentStage.Process<TTracing>(context, batch);
        if (links is not null)
        {
            HandOverStage.Process(context, batch, links, HandOverKind.Hairpin);
        }

        IngressStage.Restore(context, batch);
        ConnectionStage.Process<TTracing>(context, batch);
        Forward<TTracing>(context, batch);
        context.Stages.Process<TTracing>(StagePosition.BeforeTransmit, context, batch);
    }

    /// <summary>Packets the engine made: they only need a way out.</summary>
    public static void Originate<TTracing>(WorkerContext context, PacketBatch batch)
        where TTracing : struct, ITracing
    {
        SiitStage.Process<TTracing>(context, batch);
        RouteStage.Process<TTracing>(context, batch);
        NeighbourStage.Process<TTracing>(context, batch);
        RewriteStage.Process<TTracing>(context, batch);
        context.Stages.Process<TTracing>(StagePosition.BeforeTransmit, context, batch);
    }

    private static void Forward<TTracing>(WorkerContext context, PacketBatch batch)
        where TTracing : struct, ITracing
    {
        FlowStage.Process<TTracing>(context, batch);                                                // key      -> flow
        Mark<TTracing>(context, TimedStage.Flow);
        BalanceStage.Process<TTracing>(context, batch);                                             // service  -> backend, new flow
        StaticNatStage.Process<TTracing>(context, batch);                                           // address  -> the host it stands for, new flow
        Nat64Stage.Process<TTracing>(context, batch);                                               // IPv6 -> IPv4 address behind a prefix: new flow
        MappingStage.Process<TTracing>(context, batch);                                             // mapped port -> inside host, or filtered; hairpins
        SiitStage.Process<TTracing>(context, batch);                                                // mapped addresses -> packets of the other family, no flow
        Mark<TTracing>(context, TimedStage.Balance);
        SwitchStage.Process<TTracing>(context, batch);                                              // endpoint -> endpoint of its network
        RouteStage.Process<TTracing>(context, batch);                                               // address  -> next hop, or local, or refused
        NatStage.Process<TTracing>(context, batch);                                                 // inside   -> outside: new flow
        ConnectionFlows.Process<TTracing>(context, batch);                                          // new connection -> flow, if rules ask
        Mark<TTracing>(context, TimedStage.Route);
        NeighbourStage.Process<TTracing>(context, batch);                                           // next hop -> hardware address, or held
        Mark<TTracing>(context, TimedStage.Neighbour);
        RewriteStage.Process<TTracing>(context, batch);                                             // headers  -> as they leave
        Mark<TTracing>(context, TimedStage.Rewrite);
    }

    /// <summary>Takes the time of what has just run, if that is wanted.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // Nothing at all where it is not.
    private static void Mark<TTracing>(WorkerContext context, TimedStage stage)
        where TTracing : struct, ITracing
    {
        if (TTracing.IsTimed)
        {
            context.Times.Mark(stage);
        }
    }
}
