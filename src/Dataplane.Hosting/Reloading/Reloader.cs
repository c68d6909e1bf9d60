using System.Threading.Channels;
using Dataplane.Configuration;
using Dataplane.Hosting.Configuration;
using Dataplane.Telemetry;

namespace Dataplane.Hosting.Reloading;

/// <summary>Keeps an engine in step with its configuration: one reload at a time, and the last good configuration stays whatever comes.</summary>
internal sealed class Reloader : IAsyncDisposable
{
    private const bool Silently = true;

    private readonly DataplaneEngine _engine;
    private readonly Func<LoadResult> _load;
    private readonly Action<ReloadOutcome> _report;
    private readonly Channel<bool> _requests = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly Task _running;
    private IDisposable? _watch;

    /// <summary>Starts to wait for requests.</summary>
    /// <param name="engine">A running engine.</param>
    /// <param name="load">Reads the configuration as it is now.</param>
    /// <param name="report">Told of every reload, on a thread of the pool.</param>
    public Reloader(DataplaneEngine engine, Func<LoadResult> load, Action<ReloadOutcome> report)
    {
        _engine = engine;
        _load = load;
        _report = report;
        _running = Task.Run(RunAsync);
    }

    /// <summary>Reloads whenever the source says that it may have changed. A change refused leaves the watch armed.</summary>
    public void Watch(ISpecSource source)
    {
        _watch = source.Watch(Request);

        // What changed between the first reading and the watch would go unnoticed for ever; most likely nothing did, which is not worth a word.
        _requests.Writer.TryWrite(Silently);
    }

    /// <summary>Asks for a reload and returns at once; requests made while one runs become one.</summary>
    public void Request() => _requests.Writer.TryWrite(!Silently);

    /// <summary>Stops watching and waits for a reload in hand.</summary>
    public async ValueTask DisposeAsync()
    {
        _watch?.Dispose();
        _requests.Writer.TryComplete();
        await _running.ConfigureAwait(false);
    }

    private async Task RunAsync()
    {
        await foreach (bool silently in _requests.Reader.ReadAllAsync().ConfigureAwait(false))
        {
            ReloadOutcome outcome = await ReloadAsync().ConfigureAwait(false);
            if (!silently || outcome.IsRejected || outcome.Receipt is not null)
            {
                _report(outcome);
            }
        }
    }

    /// <summary>Whether two configurations say the same. Services and names of a source are thousands, and most are the same objects: those are not written out to be compared.</summary>
    private static bool IsSame(DataplaneSpec one, DataplaneSpec other) =>
        one.Names.SequenceEqual(other.Names) && one.Services.Count == other.Services.Count
        && one.Services.Zip(other.Services).All(pair => ReferenceEquals(pair.First, pair.Second)
            || SpecWriter.ToYaml(new DataplaneSpec { Services = [pair.First] }) == SpecWriter.ToYaml(new DataplaneSpec { Services = [pair.Second] }))
        && SpecWriter.ToYaml(one with { Services = [], Names = [] }) == SpecWriter.ToYaml(other with { Services = [], Names = [] });

    private async Task<ReloadOutcome> ReloadAsync()
    {
        DataplaneSpec before = _engine.Spec;

        // What follows is the reload's: who reports on it asks for the longest pause again.
        _engine.TakeLongestPause();
        try
        {
            LoadResult loaded = _load();
            if (loaded.Spec is not { } spec)
            {
                return new ReloadOutcome { Before = before, After = before, Errors = loaded.Errors };
            }

            // A host's configuration signals for whatever changes in it, and files are saved unchanged.
            if (IsSame(before, spec))
            {
                return new ReloadOutcome { Before = before, After = before };
            }

            ChangeReceipt receipt = await _engine.UpdateAsync(spec).ConfigureAwait(false);
            return new ReloadOutcome { Before = before, After = spec, Receipt = receipt };
        }
        catch (ConfigurationException wrong)
        {
            return new ReloadOutcome { Before = before, After = before, Errors = wrong.Errors };
        }
#pragma warning disable CA1031 // Whatever a new configuration brings about, the engine goes on with the old one; the report says why.
        catch (Exception failure)
#pragma warning restore CA1031
        {
            return new ReloadOutcome { Before = before, After = before, Failure = failure };
        }
    }
}
