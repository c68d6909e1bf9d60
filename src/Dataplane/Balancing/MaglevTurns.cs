namespace Dataplane.Balancing;

/// <summary>The members while slots are handed out, in the order of their turns; an array for each property, since searches read two of them and write one.</summary>
internal sealed class MaglevTurns(int count)
{
    /// <summary>Indices of the members.</summary>
    public int[] Member { get; } = new int[count];

    /// <summary>Where their orders of preference begin.</summary>
    public int[] Offset { get; } = new int[count];

    /// <summary>Where their orders of preference stand.</summary>
    public int[] Next { get; } = new int[count];

    /// <summary>From a preference to the next.</summary>
    public int[] Skip { get; } = new int[count];

    /// <summary>How many slots they are to get.</summary>
    public int[] Wanted { get; } = new int[count];

    /// <summary>Puts a member in the place of another, which is not needed any more.</summary>
    public void Move(int from, int to)
    {
        Member[to] = Member[from];
        Offset[to] = Offset[from];
        Next[to] = Next[from];
        Skip[to] = Skip[from];
        Wanted[to] = Wanted[from];
    }
}
