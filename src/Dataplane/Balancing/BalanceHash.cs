using Dataplane.Flows;
using Dataplane.Packets;

namespace Dataplane.Balancing;

/// <summary>The hash that chooses a backend: the same in every process, so that every gateway chooses alike.</summary>
/// <remarks>Computed for new flows only. The flow table's own hash is keyed per process and would not do.</remarks>
internal static class BalanceHash
{
    private static readonly FlowHash s_hash = new(0x4D61_676C_6576_0001);

    /// <summary>Hash of a flow.</summary>
    public static uint Of(in FlowKey key) => s_hash.Of(in key);

    /// <summary>Hash of a flow's sender, whatever its port.</summary>
    public static uint OfSource(in FlowKey key) => s_hash.OfEndpoint(key.SourceHigh, key.SourceLow, 0, 0);
}
