namespace Dataplane.Balancing.Compatibility;

/// <summary>Katran's two ways to fill a ring; with equal weights of 1 they agree.</summary>
public enum KatranVersion
{
    /// <summary>Katran's <c>HashFunction::Maglev</c>, its default: at its first turn a real takes as many slots as its weight, at each later one 1.</summary>
    Maglev = 1,

    /// <summary>Katran's <c>HashFunction::MaglevV2</c>: a real has turns in proportion to its weight.</summary>
    MaglevV2 = 2,
}
