namespace Dataplane.Bridging;

/// <summary>What became of a frame's sender in the table of a bridge.</summary>
internal enum Learning
{
    /// <summary>It was known behind this port.</summary>
    Known,

    /// <summary>It is known from now on.</summary>
    Learnt,

    /// <summary>It was behind another port, and is behind this one now.</summary>
    Moved,

    /// <summary>It was behind another port, and stays there: too many have moved to this one lately.</summary>
    MoveRefused,

    /// <summary>There is no room for it, in the table or among those of the port.</summary>
    Refused,
}
