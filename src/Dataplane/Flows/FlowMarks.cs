namespace Dataplane.Flows;

/// <summary>What the packets of a flow have shown until now; the same in both directions.</summary>
[Flags]
internal enum FlowMarks : byte
{
    None = 0,

    /// <summary>Its first packet was not the beginning of a connection: it was there before, or it is none.</summary>
    PickedUp = 1,

    /// <summary>The other side has sent something.</summary>
    Answered = 2,

    /// <summary>The first side has sent something since: both have shown that they are there.</summary>
    Assured = 4,
}
