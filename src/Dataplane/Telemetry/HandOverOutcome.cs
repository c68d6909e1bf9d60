namespace Dataplane.Telemetry;

/// <summary>What a successor has found where it looked for the process that it follows.</summary>
public enum HandOverOutcome
{
    /// <summary>It has taken over from a process that ran.</summary>
    TakenOver = 0,

    /// <summary>Nobody was there: it is the first.</summary>
    Alone,

    /// <summary>The two did not fit: the process before has ended, and this one started without its flows.</summary>
    Refused,
}
