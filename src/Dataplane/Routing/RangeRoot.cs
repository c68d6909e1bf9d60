namespace Dataplane.Routing;

/// <summary>Where one search tree of a <see cref="RangeForest{T}"/> lies; 16 bytes, so that four share a cache line.</summary>
/// <param name="Inner">Index of the first key of the root node.</param>
/// <param name="Leaf">Index of the first key of leaf 0, less the keys of all inner nodes of a full tree, so that it is added to without a subtraction.</param>
/// <param name="Values">Index of the value of the first range, shifted in the same way.</param>
/// <param name="Depth">Levels of inner nodes, 0 when there is one leaf.</param>
internal readonly record struct RangeRoot(int Inner, int Leaf, int Values, int Depth);
