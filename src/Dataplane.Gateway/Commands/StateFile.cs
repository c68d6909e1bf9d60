using Dataplane.Telemetry;

namespace Dataplane.Gateway.Commands;

/// <summary>The file that flows are kept in over the end of a process.</summary>
/// <remarks>Written beside and moved over, so that there is a whole one at any moment.</remarks>
internal sealed class StateFile(string path, DataplaneEngine engine, LinePrinter print) : IAsyncDisposable
{
    private readonly CancellationTokenSource _end = new();
    private bool _isDisposed;
    private Task _saving = Task.CompletedTask;

    /// <summary>Reads the state.</summary>
    /// <returns>Null when there is none, or none that can be read: then it has said why it is a cold start.</returns>
    public async Task<Stream?> OpenAsync()
    {
        try
        {
            return new MemoryStream(await File.ReadAllBytesAsync(path).ConfigureAwait(false));
        }
        catch (Exception wrong) when (wrong is IOException or UnauthorizedAccessException)
        {
            print.Line(wrong is FileNotFoundException ? $"state: {path} is not there: cold start" : $"state: {path} cannot be read: cold start: {wrong.Message}");
            return null;
        }
    }

    /// <summary>Starts the engine with the flows of the state, if there is one; says what has become of them, or why it is a cold start.</summary>
    public async Task StartAsync()
    {
        if (await OpenAsync().ConfigureAwait(false) is not { } saved)
        {
            await engine.StartAsync().ConfigureAwait(false);
            return;
        }

        StateReceipt receipt = await engine.StartAsync(saved).ConfigureAwait(false);
        print.Line(receipt.Refusal == StateRefusal.None ? $"state: took over {receipt}" : $"state: {path}: {receipt}");
    }

    /// <summary>Begins to save in intervals.</summary>
    public void SaveEvery(TimeSpan interval) => _saving = SaveEveryAsync(interval);

    /// <summary>Saves now.</summary>
    public async Task SaveAsync()
    {
        string beside = path + ".new";
        try
        {
            // Addresses and flows are nobody else's, whatever the umask says. One that a crash has left would keep its mode.
            File.Delete(beside);
            var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
            if (!OperatingSystem.IsWindows())
            {
                options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            }

            await using (var file = new FileStream(beside, options))
            {
                await engine.SaveStateAsync(file).ConfigureAwait(false);
                file.Flush(flushToDisk: true);
            }

            File.Move(beside, path, overwrite: true);
        }
        catch (Exception wrong) when (wrong is IOException or UnauthorizedAccessException or InvalidOperationException)
        {
            print.Line($"state: {path} was not written: {wrong.Message}");
        }
    }

    /// <summary>Ends the saving in intervals.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_isDisposed)
        {
            return;
        }

        _isDisposed = true;
        await _end.CancelAsync().ConfigureAwait(false);
        await _saving.ConfigureAwait(false);
        _end.Dispose();
    }

    private async Task SaveEveryAsync(TimeSpan interval)
    {
        using var timer = new PeriodicTimer(interval);
        try
        {
            while (await timer.WaitForNextTickAsync(_end.Token).ConfigureAwait(false))
            {
                await SaveAsync().ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException)
        {
            // Disposed.
        }
    }
}
