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

    /// <summary>Whether two configurations say the same. Rules, routes, services and names are thousands, and most are the same objects: those are not written out to be compared.</summary>
    private static bool IsSame(DataplaneSpec one, DataplaneSpec other) =>
        one.Names.SequenceEqual(other.Names) && Others(one.Services, other.Services) is { } services && Others(one.Routes, other.Routes) is { } routes
        && Others(one.Filter.Rules, other.Filter.Rules) is { } rules
        && SpecWriter.ToYaml(one with { Names = [], Services = services.One, Routes = routes.One, Filter = one.Filter with { Rules = rules.One } })
            == SpecWriter.ToYaml(other with { Names = [], Services = services.Other, Routes = routes.Other, Filter = other.Filter with { Rules = rules.Other } });

    /// <summary>What is not the same object in both; null when there are not as many of the one as of the other.</summary>
    private static (T[] One, T[] Other)? Others<T>(IReadOnlyList<T> one, IReadOnlyList<T> other)
        where T : class
    {
        if (one.Count != other.Count)
        {
            return null;
        }

        (T First, T Second)[] pairs = ReferenceEquals(one, other) ? [] : [.. one.Zip(other).Where(pair => !ReferenceEquals(pair.First, pair.Second))];
        return ([.. pairs.Select(pair => pair.First)], [.. pairs.Select(pair => pair.Second)]);
    }

    private async Task<ReloadOutcome> ReloadAsync()
    {
        DataplaneSpec before = _engine.Spec;

        // What follows is the reload's: who reports on it asks for the longest pause again.
        _engine.TakeLongestPause();
        try
        {
            LoadResult loaded = _load();
            if (loaded.Spec is not { } read)
            {
                return new ReloadOutcome { Before = before, After = before, Errors = loaded.Errors };
            }

            DataplaneSpec spec = SpecReuse.Of(before, read);

            // A host's configuration signals for whatever changes in it, and files are saved unchanged.
            if (IsSame(before, spec))
            {
                return new ReloadOutcome { Before = before, After = before };
            }

            if (loaded.IsChecked)
            {
                // It says what was checked when it was read.
                SpecValidator.Vouch(spec);
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
