using Dataplane.Pipeline;

namespace Dataplane;

/// <summary>What an engine takes besides its configuration: things that are code.</summary>
public sealed record DataplaneOptions
{
    /// <summary>The clock; a test may hand in its own. Read once per batch.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>The user's stages, in order within their position.</summary>
    public IReadOnlyList<(StagePosition Position, IStage Stage)> Stages { get; init; } = [];
}
