using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Dataplane.Pipeline;
using Dataplane.Routing;

namespace Dataplane.Flows;

/// <summary>The link headers of the batch in hand: what next hop and neighbour mean for a frame, looked up once per batch and not once per packet.</summary>
/// <remarks>A small direct-mapped memory, by neighbour; what another batch has left there does not count. Used by one thread.</remarks>
internal sealed class OutgoingWays
{
    private const int Count = 64;

    private readonly Way[] _ways = new Way[Count];
    private long _batch;

    /// <summary>Forgets what was looked up for the batch before.</summary>
    public void Begin() => _batch++;

    /// <summary>The way of a flow's packets.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // Once per packet.
    public ref readonly Way Of(WorkerContext context, in FlowEntry entry)
    {
        ref Way way = ref _ways[entry.Neighbour & (Count - 1)];
        if (way.Batch != _batch || way.NextHop != entry.NextHop || way.Neighbour != entry.Neighbour || way.Generation != entry.NeighbourGeneration)
        {
            LookUp(context, in entry, ref way);
        }

        return ref way;
    }

    [MethodImpl(MethodImplOptions.NoInlining)] // Once per neighbour and batch.
    private void LookUp(WorkerContext context, in FlowEntry entry, ref Way way)
    {
        L3Interface target = context.Tables.NextHops[entry.NextHop].Interface;
        way = new Way { Batch = _batch, NextHop = entry.NextHop, Neighbour = entry.Neighbour, Generation = entry.NeighbourGeneration, Port = target.Port };
        if (target.Vlan != 0 || !context.Neighbours.IsConfirmed(entry.Neighbour, entry.NeighbourGeneration))
        {
            // Nothing is short enough for it: such packets go through the stages.
            way.Mtu = -1;
            return;
        }

        ulong source = target.Mac.Bits;
        way.Mtu = target.Mtu;
        way.LinkStart = BinaryPrimitives.ReverseEndianness((context.Neighbours[entry.Neighbour].Mac << 16) | (source >> 32));
        way.LinkEnd = BinaryPrimitives.ReverseEndianness((uint)source);
    }

    /// <summary>One next hop and neighbour.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 64)]
    internal struct Way
    {
        /// <summary>Number of the batch it was looked up for.</summary>
        public long Batch;

        /// <summary>Hardware addresses as they stand in the frame: the neighbour's, and the first two bytes of ours.</summary>
        public ulong LinkStart;

        /// <summary>The rest of ours.</summary>
        public uint LinkEnd;

        /// <summary>What the flow remembers and this was looked up from.</summary>
        public int NextHop, Neighbour;

        /// <inheritdoc cref="NextHop"/>
        public uint Generation;

        /// <summary>Longest IP packet; -1 when nothing can be sent this way at once.</summary>
        public int Mtu;

        /// <summary>Port it leaves by.</summary>
        public ushort Port;
    }
}
