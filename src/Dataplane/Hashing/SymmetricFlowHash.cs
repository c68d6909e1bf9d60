using System.Numerics;
using Dataplane.Flows;
using Dataplane.Packets;

namespace Dataplane.Hashing;

/// <summary>A flow hash that both directions share: what goes and what comes back meets the same worker, table entry or next hop.</summary>
/// <remarks>The lower end stands first, whichever sends. Which that is varies from packet to packet, so it is chosen without a branch.</remarks>
internal readonly struct SymmetricFlowHash(ulong seed)
{
    private readonly FlowHash _hash = new(seed);

    /// <summary>Hash of a flow and of its opposite direction.</summary>
    public uint Of(in FlowKey key)
    {
        FlowKey ordered = Ordered(in key);
        return _hash.Of(in ordered);
    }

    /// <summary>The key, or that of the opposite direction if its source is the lower end.</summary>
    public static FlowKey Ordered(in FlowKey key)
    {
        ulong ports = key.Transport >> 32;
        bool highEqual = key.SourceHigh == key.DestinationHigh, lowEqual = key.SourceLow == key.DestinationLow;
        bool swap = (key.SourceHigh > key.DestinationHigh)
            | (highEqual & (key.SourceLow > key.DestinationLow))
            | (highEqual & lowEqual & (key.SourcePort > key.DestinationPort));
        ulong mask = swap ? ulong.MaxValue : 0;
        ulong high = (key.SourceHigh ^ key.DestinationHigh) & mask, low = (key.SourceLow ^ key.DestinationLow) & mask;
        ulong port = (ports ^ BitOperations.RotateLeft((uint)ports, 16)) & mask;
        return new FlowKey
        {
            SourceHigh = key.SourceHigh ^ high,
            SourceLow = key.SourceLow ^ low,
            DestinationHigh = key.DestinationHigh ^ high,
            DestinationLow = key.DestinationLow ^ low,
            Transport = key.Transport ^ (port << 32),
        };
    }
}
