using Dataplane.Packets;

namespace Dataplane.Filtering;

/// <summary>What the filter looks at of the packets of a batch.</summary>
/// <param name="frames">What the parser found.</param>
/// <param name="words">Of each, its <see cref="TransportWord"/>.</param>
internal readonly ref struct FilterInput(ReadOnlySpan<ParsedFrame> frames, ReadOnlySpan<uint> words)
{
    /// <summary>What the parser found.</summary>
    public readonly ReadOnlySpan<ParsedFrame> Frames = frames;

    /// <summary>Of each packet, its <see cref="TransportWord"/>.</summary>
    public readonly ReadOnlySpan<uint> Words = words;
}
