using Dataplane.Packets;

namespace Dataplane.Filtering;

/// <summary>What the filter looks at of the packets of a batch.</summary>
/// <param name="keys">Flow keys.</param>
/// <param name="words">Of each, its <see cref="TransportWord"/>.</param>
internal readonly ref struct FilterInput(ReadOnlySpan<FlowKey> keys, ReadOnlySpan<uint> words)
{
    /// <summary>Flow keys.</summary>
    public readonly ReadOnlySpan<FlowKey> Keys = keys;

    /// <summary>Of each packet, its <see cref="TransportWord"/>.</summary>
    public readonly ReadOnlySpan<uint> Words = words;
}
