namespace Dataplane.Ports;

/// <summary>What a <see cref="FaultyPort"/> does to the frames of one direction. Each is decided for every frame by itself, in this order.</summary>
public sealed record FaultOptions
{
    /// <summary>The probability that a frame is lost, 0 to 1.</summary>
    public double Loss { get; init; }

    /// <summary>The probability that one bit of a frame is turned, 0 to 1.</summary>
    public double Corruption { get; init; }

    /// <summary>The probability that a frame is cut short at a random place, 0 to 1.</summary>
    public double Truncation { get; init; }

    /// <summary>The probability that a frame comes twice, 0 to 1.</summary>
    public double Duplication { get; init; }

    /// <summary>The probability that a frame, or its duplicate, is overtaken by later ones, 0 to 1.</summary>
    public double Reordering { get; init; }

    /// <summary>The most frames that overtake one that is late, 1 to 64.</summary>
    public int ReorderingDepth { get; init; } = 8;

    /// <summary>Throws for the first option that is out of range.</summary>
    internal void Check()
    {
        CheckProbability(Loss, nameof(Loss));
        CheckProbability(Corruption, nameof(Corruption));
        CheckProbability(Truncation, nameof(Truncation));
        CheckProbability(Duplication, nameof(Duplication));
        CheckProbability(Reordering, nameof(Reordering));
        if (ReorderingDepth is < 1 or > 64)
            throw new ArgumentOutOfRangeException(nameof(ReorderingDepth), ReorderingDepth, "A late frame is overtaken by 1 to 64 others.");
    }

    private static void CheckProbability(double value, string name)
    {
        if (!(value >= 0 && value <= 1))
            throw new ArgumentOutOfRangeException(name, value, "A probability is 0 to 1.");
    }
}
