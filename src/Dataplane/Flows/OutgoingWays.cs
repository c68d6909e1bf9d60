using System.Buffers.Binary;
using System.Numerics;
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

    private Known _ways;
    private ulong _used;

    /// <summary>Forgets what was looked up for the batch before.</summary>
    public void Begin()
    {
        for (; _used != 0; _used &= _used - 1)
        {
            _ways[BitOperations.TrailingZeroCount(_used)] = default;
        }
    }

    /// <summary>The way of a flow's packets.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // Once per packet.
    public ref readonly Way Of(WorkerContext context, in FlowEntry entry)
    {
        ref Way way = ref _ways[entry.Path.Neighbour & (Count - 1)];
        if (!way.Path.IsSameAs(in entry.Path))
        {
            LookUp(context, in entry.Path, ref way);
        }

        return ref way;
    }

    [MethodImpl(MethodImplOptions.NoInlining)] // Once per neighbour and batch.
    private void LookUp(WorkerContext context, in FlowPath path, ref Way way)
    {
        _used |= 1UL << (path.Neighbour & (Count - 1));
        way = new Way { Path = path };
        if (path.TablesVersion != context.Tables.Version || !context.Neighbours.IsConfirmed(path.Neighbour, path.NeighbourGeneration))
        {
            return;
        }

        L3Interface target = context.Tables.NextHops[path.NextHop].Interface;
        if (target.Vlan != 0)
        {
            return;
        }

        ulong source = target.Mac.Bits;
        way.Port = target.Port;
        way.LimitBytes = target.Mtu + 1;
        way.LinkStart = BinaryPrimitives.ReverseEndianness((context.Neighbours[path.Neighbour].Mac << 16) | (source >> 32));
        way.LinkEnd = BinaryPrimitives.ReverseEndianness((uint)source);
    }

    /// <summary>Inside the object itself: their number is known when the code is compiled, so that a masked one needs no check.</summary>
    [InlineArray(Count)]
    private struct Known
    {
        private Way _first;
    }

    /// <summary>One next hop and neighbour.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 64)]
    internal struct Way
    {
        /// <summary>What the flow remembers and this was looked up from.</summary>
        public FlowPath Path;

        /// <summary>Hardware addresses as they stand in the frame: the neighbour's, and the first two bytes of ours.</summary>
        public ulong LinkStart;

        /// <summary>The rest of ours.</summary>
        public uint LinkEnd;

        /// <summary>The first length of IP packets that is too long, in bytes; 0 when nothing can be sent this way at once, and packets go through the stages.</summary>
        public int LimitBytes;

        /// <summary>Longest IP packet; -1 when nothing can be sent this way at once.</summary>
        public readonly int Mtu => LimitBytes - 1;

        /// <summary>Port it leaves by.</summary>
        public ushort Port;
    }
}
