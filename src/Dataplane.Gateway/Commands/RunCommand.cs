using System.Net;
using System.Runtime.InteropServices;
using Dataplane.Gateway.Announcing;
using Dataplane.Gateway.CommandLine;
using Dataplane.Gateway.Networks;
using Dataplane.Gateway.Status;
using Dataplane.Hosting.Configuration;
using Dataplane.Hosting.Reloading;
using Dataplane.Mesh;
using Dataplane.Telemetry;

namespace Dataplane.Gateway.Commands;

/// <summary>Runs a gateway from a file until it is told to stop.</summary>
internal sealed class RunCommand : Command
{
    private static readonly Option s_metrics = new("--metrics", "ADDR:PORT", "answer Prometheus at http://ADDR:PORT/metrics, health checks at /health/live and /health/ready");
    private static readonly Option s_control = new("--control", "PATH", $"Unix socket, its owner's alone, by which dataplane capture, flows, explain, what-if and bridge ask; {GatewayControl.DefaultSocket} is where it looks by default");
    private static readonly Option s_status = new("--status", "MS", "print a line of JSON with all counters every MS milliseconds, 50 to 3600000");
    private static readonly Option s_state = new("--state", "FILE", "take over the flows of FILE at the start, and write them to it at the end");
    private static readonly Option s_stateEvery = new("--state-every", "MS", "with --state: write them every MS milliseconds too, 100 to 3600000");
    private static readonly Option s_handover = new("--handover", "PATH", "take over ports and flows from the process that waits at PATH, then wait there for the next");
    private static readonly Option s_whileInput = new("--while-input", "", "stop when standard input ends, so as to end with a parent process") { IsHidden = true };

    public override string Name => "run";

    public override string Summary => "run a gateway from a configuration file";

    public override string Details => """
        Prints "ready" alone on a line when every port forwards.
        Reloads when the file changes and on SIGHUP: prints what changed, or every error, in which case the last good
        configuration stays in force. On SIGTERM and Ctrl-C it stops and prints what became of every packet:
        received + originated = transmitted + dropped + held.
        With --announce it withdraws the addresses of its services first and forwards for the time of --linger; another
        signal ends that. On SIGUSR1 it withdraws them and goes on, on SIGUSR2 it announces them again.
        """;

    public override IReadOnlyList<string> Positionals => ["FILE"];

    public override IReadOnlyList<Option> Options => [s_metrics, s_control, s_status, s_state, s_stateEvery, s_handover, .. AnnounceOptions.Options, s_whileInput];

    public override async Task<int> RunAsync(Arguments arguments, Output output)
    {
        IPEndPoint? metrics = arguments.Get(s_metrics) is { } text ? ReadEndPoint(text) : null;
        string? statePath = arguments.Get(s_state);
        long? stateMs = arguments.GetNumber(s_stateEvery, 100, 3_600_000);
        if (stateMs is not null && statePath is null)
        {
            throw new UsageException("--state-every needs --state FILE, which says where to.");
        }

        long? statusMs = arguments.GetNumber(s_status, 50, 3_600_000);
        AnnounceOptions? announcing = ReadAnnouncing(arguments);
        await using var mesh = new MeshRuntime(TimeProvider.System);
        var source = new MeshSpecSource(new FileSpecSource(arguments.Positionals[0], TimeProvider.System), mesh);
        DataplaneSpec spec = source.LoadFirst().GetSpec();

        using var signals = new Signals([PosixSignal.SIGTERM, PosixSignal.SIGINT, PosixSignal.SIGQUIT, PosixSignal.SIGHUP, .. announcing is null ? [] : Signals.OfTheUser]);
        var state = new ReloadState();
        await using var engine = new DataplaneEngine(spec);
        var print = new LinePrinter(output.Out);

        engine.BackendChanged += (_, happened) => Tell(happened, print);
        await using StateFile? kept = statePath is null ? null : new StateFile(statePath, engine, print);
        await using Succession? succession = arguments.Get(s_handover) is { } path ? new Succession(path, engine, print) : null;
        Task predecessor = succession is null ? kept?.StartAsync() ?? engine.StartAsync() : await succession.StartAsync(kept).ConfigureAwait(false);
        await predecessor.ConfigureAwait(false);
        state.Started(TimeProvider.System.GetUtcNow());

        await using RouteAnnouncer? announcer = announcing is null ? null : new RouteAnnouncer(engine, announcing.Device, announcing.Table, print);
        await using var reloader = new Reloader(engine, () => source.Load(read => read), outcome =>
        {
            state.Count(outcome, TimeProvider.System.GetUtcNow());
            ReloadReport.Write(outcome, engine.TakeLongestPause, print, output.Error);
            announcer?.Refresh();
        });
        reloader.Watch(source);
        await using HttpService? server = metrics is null ? null : await MetricsServer.StartAsync(metrics, engine, state, mesh, announcer is null ? null : new AnnouncementMetrics(announcer)).ConfigureAwait(false);
        if (server is not null)
        {
            print.Line($"metrics at {server.Address}/metrics");
        }

        await using ControlServer? control = arguments.Get(s_control) is { } socket ? await GatewayControl.StartAsync(socket, engine).ConfigureAwait(false) : null;
        if (stateMs is long everyMs)
        {
            kept!.SaveEvery(TimeSpan.FromMilliseconds(everyMs));
        }

        succession?.Wait();
        print.Line("ready");
        await using (ITimer? status = statusMs is long ms ? print.Every(TimeSpan.FromMilliseconds(ms), () => StatusLine.Write(engine)) : null)
        {
            await ServeAsync(engine, reloader, announcer, signals, print, arguments.Has(s_whileInput)).ConfigureAwait(false);
            if (announcer is not null)
            {
                await LeaveAsync(engine, announcer, announcing!.Linger, signals, print).ConfigureAwait(false);
            }
        }

        await LeaveFlowsAsync(succession, kept, print).ConfigureAwait(false);
        return await StopAsync(engine, print, output).ConfigureAwait(false);
    }

    /// <summary>Has the addresses withdrawn while the engine still forwards, so that nothing is sent here any more when it ends.</summary>
    private static async Task LeaveAsync(DataplaneEngine engine, RouteAnnouncer announcer, TimeSpan linger, Signals signals, LinePrinter print)
    {
        announcer.Withdraw();
        print.Line($"withdrawn; goes on for {linger.TotalMilliseconds:0} ms");
        using var over = new CancellationTokenSource();
        await Task.WhenAny(Task.Delay(linger, over.Token), engine.Completion, signals.NextAsync(over.Token).AsTask()).ConfigureAwait(false);
        await over.CancelAsync().ConfigureAwait(false);
    }

    private static AnnounceOptions? ReadAnnouncing(Arguments arguments)
    {
        AnnounceOptions? announcing = AnnounceOptions.Read(arguments);
        if (announcing is not null && arguments.Has(s_handover))
        {
            throw new UsageException("--handover and --announce do not go together: the process before withdraws the routes that its successor has just announced.");
        }

        return announcing;
    }

    /// <summary>Flows that no successor has taken over are written to where they are kept.</summary>
    private static async Task LeaveFlowsAsync(Succession? succession, StateFile? kept, LinePrinter print)
    {
        bool isHandedOver = succession is not null && await succession.EndAsync().ConfigureAwait(false);
        if (isHandedOver)
        {
            print.Line("handed over");
        }

        if (kept is not null && !isHandedOver)
        {
            await kept.DisposeAsync().ConfigureAwait(false);
            await kept.SaveAsync().ConfigureAwait(false);
        }
    }

    /// <summary>Waits until something ends the run; reloads on SIGHUP, withdraws on SIGUSR1 and announces on SIGUSR2.</summary>
    private static async Task ServeAsync(DataplaneEngine engine, Reloader reloader, RouteAnnouncer? announcer, Signals signals, LinePrinter print, bool whileInput)
    {
        Task input = whileInput ? StandardInput.EndAsync() : Task.Delay(Timeout.Infinite);
        Task<PosixSignal> signal = signals.NextAsync().AsTask();
        while (true)
        {
            Task ended = await Task.WhenAny(engine.Completion, input, signal).ConfigureAwait(false);
            if (ended != signal)
            {
                return;
            }

            PosixSignal came = await signal.ConfigureAwait(false);
            switch (came)
            {
                case PosixSignal.SIGHUP:
                    reloader.Request();
                    break;
                case Signals.User1:
                    announcer!.Withdraw();
                    break;
                case Signals.User2:
                    announcer!.Announce();
                    break;
                default:
                    print.Line($"{came}: stopping");
                    return;
            }

            signal = signals.NextAsync().AsTask();
        }
    }

    /// <summary>Tells of backends that changed by themselves; what a configuration changes stands in the report of the reload.</summary>
    private static void Tell(BackendEvent happened, LinePrinter print)
    {
        if (happened.Change.Reason.Length > 0)
        {
            print.Line(happened.ToString());
        }
    }

    private static async Task<int> StopAsync(DataplaneEngine engine, LinePrinter print, Output output)
    {
        await engine.StopAsync().ConfigureAwait(false);
        foreach (string line in AccountingReport.Lines(engine.ReadAccounting()))
        {
            print.Line(line);
        }

        if (engine.Completion.IsFaulted)
        {
            await output.Error.WriteLineAsync($"dataplane run: the worker died, nothing was forwarded since: {engine.Completion.Exception.InnerException}").ConfigureAwait(false);
            return ExitCode.Failed;
        }

        return ExitCode.Ok;
    }

    internal static IPEndPoint ReadEndPoint(string text)
    {
        // ":9100" means every address of the machine, as elsewhere.
        string whole = text.StartsWith(':') ? "[::]" + text : text;
        return whole.LastIndexOf(':') is var colon && colon > 0 && whole[^1] != ']' && IPEndPoint.TryParse(whole, out IPEndPoint? endPoint)
            && (endPoint.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork || whole[0] == '[')
            ? endPoint
            : throw new UsageException($"--metrics \"{text}\": is not ADDRESS:PORT, such as 127.0.0.1:9100, [::1]:9100 or :9100.");
    }
}
