using Dataplane.Telemetry;

namespace Dataplane.Balancing;

/// <summary>What becomes of the flows of a slot by one change.</summary>
internal enum FlowOutcome
{
    /// <summary>They stay.</summary>
    Kept,

    /// <summary>They go to another backend.</summary>
    Moved,

    /// <summary>They are reset, or there is nobody to go to.</summary>
    Ended,

    /// <summary>An earlier change has decided about them.</summary>
    Leaving,
}

/// <summary>A slot for which something has changed.</summary>
/// <param name="Slot">Its number.</param>
/// <param name="Outcome">What becomes of its flows.</param>
/// <param name="Change">What is told of it; null for addresses of source translation, and where only the fate of flows has changed.</param>
internal sealed record BackendShift(int Slot, FlowOutcome Outcome, BackendChange? Change);
