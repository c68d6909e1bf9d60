namespace Dataplane.Mesh.Sources;

/// <summary>Where services and endpoints come from. What a source said last stays until it says something else: failing is not saying nothing.</summary>
internal interface IMeshSource : IAsyncDisposable
{
    /// <summary>Name, for messages and status.</summary>
    string Name { get; }

    /// <summary>What it said last. Any thread.</summary>
    SourceSnapshot Snapshot { get; }

    /// <summary>How it fares. Any thread.</summary>
    SourceStatus Status { get; }

    /// <summary>Begins to listen; the task completes when the source has said something or failed for the first time.</summary>
    /// <param name="changed">Called on any thread when <see cref="Snapshot"/> is another.</param>
    /// <param name="cancellationToken">Ends waiting, not the source.</param>
    Task StartAsync(Action changed, CancellationToken cancellationToken);
}
