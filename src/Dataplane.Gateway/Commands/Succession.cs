using Dataplane.Telemetry;

namespace Dataplane.Gateway.Commands;

/// <summary>A process that follows another at a path, and then waits there for the one that follows it.</summary>
internal sealed class Succession(string path, DataplaneEngine engine, LinePrinter print) : IAsyncDisposable
{
    private readonly CancellationTokenSource _end = new();
    private Task _waiting = Task.CompletedTask;
    private bool _isWaiting;

    /// <summary>Starts the engine with what the process before has, if there is one; else from a state.</summary>
    /// <param name="otherwise">Where flows are kept; null: nowhere.</param>
    /// <returns>A task that completes when the process before has let go of everything.</returns>
    public async Task<Task> StartAsync(StateFile? otherwise)
    {
        await WarmUp.RunAsync(engine.Spec).ConfigureAwait(false);
        await WarmUp.HandOverAsync(engine.Spec).ConfigureAwait(false);
        using Stream? saved = otherwise is null ? null : await otherwise.OpenAsync().ConfigureAwait(false);
        HandOverReceipt receipt = await engine.StartAfterAsync(path, saved).ConfigureAwait(false);
        print.Line($"handover: {receipt}");
        return receipt.PredecessorEnded;
    }

    /// <summary>Begins to wait for a successor.</summary>
    public void Wait()
    {
        _isWaiting = true;
        _waiting = engine.HandOverAsync(path, why => print.Line($"handover: came to nothing: {why}"), _end.Token);
        if (_waiting.IsFaulted)
        {
            print.Line($"handover: nobody can follow: {_waiting.Exception.InnerException!.Message}");
        }
    }

    /// <summary>Waits no more.</summary>
    /// <returns>Whether a successor has taken over.</returns>
    public async Task<bool> EndAsync()
    {
        await _end.CancelAsync().ConfigureAwait(false);
        try
        {
            await _waiting.ConfigureAwait(false);
            return _isWaiting;
        }
        catch (Exception wrong) when (wrong is OperationCanceledException or IOException)
        {
            return false;
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await EndAsync().ConfigureAwait(false);
        _end.Dispose();
    }
}
