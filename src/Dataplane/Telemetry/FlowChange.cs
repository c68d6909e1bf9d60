namespace Dataplane.Telemetry;

/// <summary>What a change means for the flows known at the moment it came into force. The four numbers add up to all of them.</summary>
/// <param name="Kept">Flows that go on as before.</param>
/// <param name="Moved">Flows of backends that have gone: their next packet goes to another backend, and to the same one ever after.</param>
/// <param name="Ended">Flows that are reset at their next packet, or have nowhere to go: their service, last backend or translated address has gone.</param>
/// <param name="Leaving">Flows that an earlier change has moved or ended and that have not sent a packet since. They are counted once, there.</param>
public sealed record FlowChange(long Kept, long Moved, long Ended, long Leaving)
{
    /// <summary>All flows.</summary>
    public long Total => Kept + Moved + Ended + Leaving;
}
