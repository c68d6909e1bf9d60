using Dataplane.Configuration;
using Dataplane.Telemetry;

namespace Dataplane.Hosting.Reloading;

/// <summary>What came of one reload.</summary>
internal sealed record ReloadOutcome
{
    /// <summary>The specification in force before.</summary>
    public required DataplaneSpec Before { get; init; }

    /// <summary>The specification in force now; the same as before when the new one was refused or says the same.</summary>
    public required DataplaneSpec After { get; init; }

    /// <summary>What the engine did; null when nothing was applied.</summary>
    public ChangeReceipt? Receipt { get; init; }

    /// <summary>Everything wrong with the new configuration.</summary>
    public IReadOnlyList<ConfigurationError> Errors { get; init; } = [];

    /// <summary>Why a configuration without errors could not be put in force, such as a port that does not open.</summary>
    public Exception? Failure { get; init; }

    /// <summary>True when the last good configuration had to stay.</summary>
    public bool IsRejected => Errors.Count > 0 || Failure is not null;
}
