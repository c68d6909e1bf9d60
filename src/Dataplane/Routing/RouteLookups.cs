using Dataplane.Flows;
using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Routing;

/// <summary>Looks up the routes of a batch at once, each family in one call: the more addresses a call has, the more of its cache misses overlap.</summary>
/// <remarks>Lists of addresses and results, used by one thread.</remarks>
internal sealed class RouteLookups
{
    /// <summary>In <see cref="PacketBatch.Routes"/>: the packet's flow remembers its next hop.</summary>
    public const int Remembered = -1;

    private readonly uint[] _v4 = new uint[PacketBatch.Capacity];
    private readonly ulong[] _high = new ulong[PacketBatch.Capacity];
    private readonly ulong[] _low = new ulong[PacketBatch.Capacity];
    private readonly byte[] _packetV4 = new byte[PacketBatch.Capacity];
    private readonly byte[] _packetV6 = new byte[PacketBatch.Capacity];
    private readonly int[] _found = new int[PacketBatch.Capacity];

    /// <summary>Gives every undecided packet the number of its route, or <see cref="Remembered"/>.</summary>
    public void LookUp(WorkerContext context, PacketBatch batch)
    {
        int v4 = 0, v6 = 0;
        for (int i = 0; i < batch.Count; i++)
        {
            if (batch.Verdicts[i] != Verdict.Continue)
            {
                continue;
            }

            int flow = batch.Flows[i];
            if (flow >= 0 && context.Flows[flow].Path.TablesVersion == context.Tables.Version)
            {
                batch.Routes[i] = Remembered;
                continue;
            }

            IpAddress destination = Destination(context, batch, i);
            if (destination.IsIpv4)
            {
                (_v4[v4], _packetV4[v4++]) = ((uint)destination.Low, (byte)i);
            }
            else
            {
                (_high[v6], _low[v6], _packetV6[v6++]) = (destination.High, destination.Low, (byte)i);
            }
        }

        RouteTable table = context.Tables.Routes.Table;
        if (v4 > 0)
        {
            table.Lookup(_v4.AsSpan(0, v4), _found);
            Spread(_packetV4.AsSpan(0, v4), batch.Routes);
        }

        if (v6 > 0)
        {
            table.Lookup(_high.AsSpan(0, v6), _low.AsSpan(0, v6), _found);
            Spread(_packetV6.AsSpan(0, v6), batch.Routes);
        }
    }

    /// <summary>Where a packet goes: to whom its flow is translated, or to whom it is addressed.</summary>
    public static IpAddress Destination(WorkerContext context, PacketBatch batch, int i) =>
        batch.Flows[i] >= 0 ? context.Tables.TargetOf(in context.Flows[batch.Flows[i]]) : batch.Parsed[i].Key.Destination;

    private void Spread(ReadOnlySpan<byte> packets, int[] routes)
    {
        ReadOnlySpan<int> found = _found.AsSpan(0, packets.Length);
        for (int k = 0; k < packets.Length; k++)
        {
            routes[packets[k]] = found[k];
        }
    }
}
