namespace Dataplane.Mesh.Sources;

/// <summary>How a source fares.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Revision">Revision of what it has said last.</param>
/// <param name="Services">Services in that.</param>
/// <param name="Endpoints">Endpoints in that.</param>
/// <param name="LastHeard">When it was last heard and understood; null: never.</param>
/// <param name="Problem">What is wrong with it now, so that what it said last stays in force; empty: nothing.</param>
public sealed record SourceStatus(string Name, long Revision, int Services, int Endpoints, DateTimeOffset? LastHeard, string Problem)
{
    /// <summary>Objects that are wrong in themselves, and why; everything else is in force and in step.</summary>
    public IReadOnlyList<string> LeftOut { get; init; } = [];

    /// <summary>Whether what it said last may be out of date.</summary>
    public bool IsStale => Problem.Length > 0;
}
