using Dataplane.Hashing;

namespace Dataplane.Balancing;

/// <summary>A member's order of preference: slot <c>(Offset + k * Skip) mod size</c> is its k-th choice.</summary>
/// <param name="Offset">0 to size - 1.</param>
/// <param name="Skip">1 to size - 1. The size is prime, so every slot has its turn.</param>
public readonly record struct MaglevPermutation(int Offset, int Skip)
{
    /// <summary>The permutation of a member known by its identity: two hashes of it (xxHash64, seeds 0 and 1), as in the paper's section 3.4.</summary>
    /// <param name="identity">As in <see cref="MaglevMember.Identity"/>.</param>
    /// <param name="size">Slots of the table, 2 or more.</param>
    public static MaglevPermutation Of(ulong identity, int size) => new(
        (int)(XxHash64.Hash(identity, seed: 0) % (uint)size),
        (int)(XxHash64.Hash(identity, seed: 1) % (uint)(size - 1)) + 1);
}
