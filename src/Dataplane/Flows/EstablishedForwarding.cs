using System.Runtime.CompilerServices;
using Dataplane.Balancing;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Rewriting;
using Dataplane.Routing;
using Dataplane.Telemetry;

namespace Dataplane.Flows;

/// <summary>Forwards packets whose flow remembers everything: next hop, neighbour, rewriting.</summary>
/// <remarks>
/// What the balance, route, neighbour and rewrite stages found out for an earlier packet of the flow still holds when the tables are the same and
/// the neighbour is; then only what differs between packets of a flow is looked at: flags, TTL and length. Everything else goes through the stages,
/// which give the same result: this is their memory, not another way.
/// </remarks>
internal readonly ref struct EstablishedForwarding
{
    private readonly WorkerContext _context;
    private readonly FlowTable _flows;
    private readonly NeighbourTable _neighbours;
    private readonly NextHop[] _hops;
    private readonly BackendCounter[] _counters;
    private readonly Span<byte> _memory;
    private readonly int _version;
    private readonly uint _ticks;

    /// <summary>Gets ready for a batch.</summary>
    public EstablishedForwarding(WorkerContext context, PacketBatch batch)
    {
        _context = context;
        _flows = context.Flows;
        _neighbours = context.Neighbours;
        _hops = context.Tables.NextHops;
        _counters = context.Tables.BackendCounters;
        _version = context.Tables.Version;
        _ticks = FlowTable.Ticks(context.NowNs);
        _memory = batch.Memory;
    }

    /// <summary>Decides and rewrites a packet, if its flow's candidate is its flow and remembers everything.</summary>
    /// <returns>False, with nothing changed, when it is to go through the stages.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // Once per packet: the loop of the established way is this method.
    public bool TryForward<TTracing>(PacketBatch batch, int i)
        where TTracing : struct, ITracing
    {
        int flow = batch.Flows[i];
        if (flow < 0)
        {
            return false;
        }

        ref readonly ParsedFrame parsed = ref batch.Parsed[i];
        ref FlowEntry entry = ref _flows[flow];
        ref readonly PacketHeaders headers = ref parsed.Headers;
        if (!entry.Key.Equals(in parsed.Key) || entry.TablesVersion != _version || headers.Fragment != FragmentKind.None || headers.Ttl <= 1
            || TcpStates.Matters(entry.State, headers.TcpFlags))
        {
            return false;
        }

        L3Interface way = _hops[entry.NextHop].Interface;
        int length = headers.EndOffset - headers.NetworkOffset;
        if (length > way.Mtu || !_neighbours.IsConfirmed(entry.Neighbour, entry.NeighbourGeneration)
            || !PlainTranslation.TryWrite(_memory, batch.Offsets[i], in headers, in entry, _neighbours[entry.Neighbour].Mac, way))
        {
            return false;
        }

        if (entry.LastSeen != _ticks)
        {
            entry.LastSeen = _ticks;
        }

        if (!TTracing.IsOn)
        {
            ref BackendCounts counts = ref _counters[entry.Backend].Counts;
            counts.Packets++;
            counts.Bytes += batch.Lengths[i];
        }

        batch.Lengths[i] = length + PlainTranslation.LinkBytes;
        batch.OutPorts[i] = way.Port;
        batch.Verdicts[i] = Verdict.Transmit;
        if (TTracing.IsOn)
        {
            Explain(batch, i, flow);
        }

        return true;
    }

    /// <summary>The same records as those of the stages this stands for.</summary>
    private void Explain(PacketBatch batch, int i, int flow)
    {
        ref readonly FlowEntry entry = ref _flows[flow];
        NextHop hop = _hops[entry.NextHop];
        (batch.NextHops[i], batch.Neighbours[i]) = (entry.NextHop, entry.Neighbour);
        FlowStage.Explain(_context, batch, in entry);
        RouteStage.ExplainNextHop(_context, batch, i, hop);
        NeighbourStage.Explain(_context, batch, i, hop, entry.Neighbour);
        RewriteStage.Explain(_context, batch, i, hop.Interface, flow, takeTtl: true);
    }
}
