using System.Runtime.CompilerServices;
using Dataplane.Flows;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;

namespace Dataplane.Balancing.ConnectionIds;

/// <summary>Has packets of QUIC connections go to the backend that their connection ID names, whatever flow their addresses and ports are of.</summary>
/// <remarks>
/// A packet without a flow begins one with that backend: so a connection that has migrated to another address or port stays where it is, and with several workers nobody has
/// to be asked, since the ID says it all and the new addresses choose the worker. A packet of a flow with another backend takes the flow along: address and port were
/// somebody else's before. All that IDs do not say goes by flow, affinity and policy as for other services.
/// Cost: a read of the header and a probe of a small table for each packet from a client; encrypted, one block of AES more, or three to four.
/// </remarks>
internal static class ConnectionIdSteering
{
    private const int UdpHeaderBytes = 8;

    /// <summary>The backend that a packet's connection ID names, for a packet without a flow; null when it names none.</summary>
    public static BackendRuntime? Route<TTracing>(PacketBatch batch, int i, ServiceRuntime service)
        where TTracing : struct, ITracing
    {
        if (service.ConnectionIds is not { } router)
        {
            return null;
        }

        ConnectionIdOutcome outcome = router.Find(DatagramOf(batch, i), out BackendRuntime? backend);
        if (!TTracing.IsOn)
        {
            service.IdCounter!.Count(outcome);
        }

        return backend;
    }

    /// <summary>Notes that a flow of a service has begun, and by whom its backend was named, if by its packet.</summary>
    public static void Begin<TTracing>(FlowTable flows, int index, ServiceRuntime service, BackendRuntime? named)
        where TTracing : struct, ITracing
    {
        if (service.ConnectionIds is null)
        {
            return;
        }

        Mark(flows, index, isAsked: true);
        if (!TTracing.IsOn && named is not null)
        {
            service.IdCounter!.CountBegun();
        }
    }

    /// <summary>Lets a flow know whether its packets have to be asked for their connection IDs.</summary>
    private static void Mark(FlowTable flows, int index, bool isAsked)
    {
        ref FlowEntry entry = ref flows[index];
        entry.Marks = isAsked ? entry.Marks | FlowMarks.ConnectionIds : entry.Marks & ~FlowMarks.ConnectionIds;
        flows[entry.Peer].Marks = entry.Marks;
    }

    /// <summary>Whether a packet of a flow stays with the flow's backend: as <see cref="Stays"/>, for flows of which is known whether their packets have to be asked; counts those that do.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // Once per packet, of which most are of no such flow.
    public static bool TryPass<TTracing>(WorkerContext context, PacketBatch batch, int i, in FlowEntry entry)
        where TTracing : struct, ITracing =>
        (entry.Marks & FlowMarks.ConnectionIds) == 0 || !entry.IsForward || TryPassAsked<TTracing>(context, batch, i, in entry);

    private static bool TryPassAsked<TTracing>(WorkerContext context, PacketBatch batch, int i, in FlowEntry entry)
        where TTracing : struct, ITracing
    {
        bool stays = Stays(context, batch, i, in entry, out ConnectionIdCounter? counter, out ConnectionIdOutcome outcome);
        if (stays && !TTracing.IsOn)
        {
            counter?.Count(outcome);
        }

        return stays;
    }

    /// <summary>Whether a packet of a flow from a client stays with the flow's backend, as far as its connection ID is asked.</summary>
    /// <param name="context">The worker.</param>
    /// <param name="batch">The batch.</param>
    /// <param name="i">The packet.</param>
    /// <param name="entry">Its flow.</param>
    /// <param name="counter">Receives where it is to be counted once it is on its way; null: nowhere.</param>
    /// <param name="outcome">Receives as what.</param>
    public static bool Stays(WorkerContext context, PacketBatch batch, int i, in FlowEntry entry, out ConnectionIdCounter? counter, out ConnectionIdOutcome outcome)
    {
        (counter, outcome) = (null, default);
        if (context.Tables.Services.Find(in batch.Parsed[i].Key) is not { ConnectionIds: { } router } service)
        {
            return true;
        }

        counter = service.IdCounter;
        outcome = router.Find(DatagramOf(batch, i), out BackendRuntime? backend);
        return backend is null || (backend.Slot == entry.Backend && backend.Generation == entry.BackendGeneration);
    }

    /// <summary>Whether a packet stays with its flow; notes for the next ones whether they have to be asked, which a reload may have changed.</summary>
    public static bool Follow<TTracing>(WorkerContext context, PacketBatch batch, int i, int index)
        where TTracing : struct, ITracing
    {
        ref FlowEntry entry = ref context.Flows[index];
        bool stays = Stays(context, batch, i, in entry, out ConnectionIdCounter? counter, out ConnectionIdOutcome outcome);
        bool isAsked = counter is not null;
        if (isAsked != ((entry.Marks & FlowMarks.ConnectionIds) != 0))
        {
            Mark(context.Flows, index, isAsked);
        }

        if (counter is null || TTracing.IsOn)
        {
            return stays;
        }

        if (stays)
        {
            counter.Count(outcome);
        }
        else
        {
            // It will be counted as one without a flow.
            counter.CountMoved();
        }

        return stays;
    }

    /// <summary>Says what a packet's connection ID says; for packets of services that do not ask, nothing.</summary>
    public static void Explain(WorkerContext context, PacketBatch batch, ServiceRuntime? service)
    {
        const int Explained = 0;
        if (service?.ConnectionIds is { } router)
        {
            ReadOnlySpan<byte> datagram = DatagramOf(batch, Explained);
            ConnectionIdOutcome outcome = router.Find(datagram, out BackendRuntime? backend);
            context.Trace!.Add(batch, "connection_id", ConnectionIdOutcomes.NameOf(outcome), router.Describe(datagram),
                ("service", service.Spec.Name), ("format", Configuration.SpecNames.ConnectionIdFormats.NameOf(service.Spec.Quic!.ConnectionIds)), ("backend", backend?.ToString()));
        }
    }

    /// <summary>What is in a UDP datagram; nothing of a fragment, since QUIC is never fragmented (RFC 9000, 14).</summary>
    private static ReadOnlySpan<byte> DatagramOf(PacketBatch batch, int i)
    {
        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        if (headers.Protocol != IpProtocols.Udp || headers.Fragment != FragmentKind.None || headers.TransportOffset == 0)
        {
            return default;
        }

        ReadOnlySpan<byte> frame = batch.Frame(i);
        int start = headers.TransportOffset + UdpHeaderBytes, end = Math.Min(headers.EndOffset, frame.Length);
        return start < end ? frame[start..end] : default;
    }
}
