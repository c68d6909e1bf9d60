namespace Dataplane.Balancing;

/// <summary>A member while slots are handed out; small, for a round reads all of them.</summary>
internal struct MaglevTurn
{
    /// <summary>Index of the member.</summary>
    public int Member;

    /// <summary>Where its order of preference begins.</summary>
    public int Offset;

    /// <summary>Where its order of preference stands.</summary>
    public int Next;

    /// <summary>From a preference to the next.</summary>
    public int Skip;

    /// <summary>Slots it is still to get.</summary>
    public int Wanted;
}
