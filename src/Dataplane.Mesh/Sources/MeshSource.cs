using Dataplane.Mesh.Services;

namespace Dataplane.Mesh.Sources;

/// <summary>What all sources that follow something have in common: beginning and end, what was said last, and how the source fares.</summary>
/// <remarks>
/// A source says something else with <see cref="Publish"/>, that nothing has changed with <see cref="Heard()"/>, and that nobody can be heard with <see cref="Failed"/>,
/// which leaves what was said last in force. Any thread may call them, but snapshots are published by one at a time: their order is their age.
/// </remarks>
internal abstract class MeshSource : IMeshSource
{
    private readonly CancellationTokenSource _ending = new();
    private readonly TaskCompletionSource _first = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _gate = new();
    private Task _running = Task.CompletedTask;
    private Action _changed = () => { };
    private volatile SourceSnapshot _snapshot = SourceSnapshot.Empty;
    private volatile SourceStatus _status;

    /// <summary>What is wrong in what was said last; it stays wrong when it is heard again.</summary>
    private string _problemOfSnapshot = "";

    /// <summary>Makes the source; it listens to nobody yet.</summary>
    /// <param name="name">Name, for messages and status.</param>
    /// <param name="time">Clock.</param>
    protected MeshSource(string name, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(time);
        (Name, Time) = (name, time);
        _status = new SourceStatus(name, 0, 0, 0, null, "has not been heard yet");
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public SourceSnapshot Snapshot => _snapshot;

    /// <inheritdoc/>
    public SourceStatus Status => _status;

    /// <summary>Clock.</summary>
    protected TimeProvider Time { get; }

    /// <inheritdoc/>
    public virtual Task StartAsync(Action changed, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(changed);
        _changed = changed;
        _running = Task.Run(RunToEndAsync, CancellationToken.None);
        return _first.Task.WaitAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public virtual async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync().ConfigureAwait(false);
        await _running.ConfigureAwait(false);
        _ending.Dispose();
    }

    /// <summary>Follows what the source is made of, until it is told to end.</summary>
    protected abstract Task RunAsync(CancellationToken ending);

    /// <summary>The source says something else than before; with the very same services and endpoints, something else is wrong.</summary>
    /// <param name="services">All its services.</param>
    /// <param name="endpoints">All its endpoints.</param>
    /// <param name="problem">What is wrong nevertheless; empty: nothing.</param>
    /// <param name="leftOut">Objects that are wrong in themselves, and why.</param>
    /// <param name="isHeard">False when it is put together of what was known, and nobody was heard now.</param>
    protected void Publish(IReadOnlyList<MeshServiceSpec> services, EndpointSet endpoints, string problem = "", IReadOnlyList<string>? leftOut = null, bool isHeard = true)
    {
        bool isOther;
        lock (_gate)
        {
            isOther = _snapshot.Revision == 0 || !ReferenceEquals(services, _snapshot.Services) || !ReferenceEquals(endpoints, _snapshot.Endpoints);
            _snapshot = isOther ? new SourceSnapshot { Revision = _snapshot.Revision + 1, Services = services, Endpoints = endpoints } : _snapshot;
            _problemOfSnapshot = problem;
            _status = new SourceStatus(Name, _snapshot.Revision, services.Count, endpoints.Count, isHeard ? Time.GetUtcNow() : _status.LastHeard, problem) { LeftOut = leftOut ?? [] };
        }

        _first.TrySetResult();
        if (isOther)
        {
            _changed();
        }
    }

    /// <summary>The source was heard, and says what it said before.</summary>
    protected void Heard() => Heard(_problemOfSnapshot);

    /// <summary>The source was heard, and says what it said before; something is wrong with a part of it, or nothing if the text is empty.</summary>
    protected void Heard(string problem)
    {
        lock (_gate)
        {
            _status = _status with { LastHeard = Time.GetUtcNow(), Problem = problem };
        }
    }

    /// <summary>The source cannot be heard or understood; what it said last stays in force.</summary>
    protected void Failed(string problem)
    {
        lock (_gate)
        {
            _status = _status with { Problem = problem };
        }

        _first.TrySetResult();
    }

    private async Task RunToEndAsync()
    {
        try
        {
            await RunAsync(_ending.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_ending.IsCancellationRequested)
        {
            // That is how it is told to end.
        }
    }
}
