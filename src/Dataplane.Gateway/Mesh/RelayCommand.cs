using System.Runtime.InteropServices;
using Dataplane.Configuration;
using Dataplane.Gateway.CommandLine;
using Dataplane.Gateway.Commands;
using Dataplane.Gateway.Status;
using Dataplane.Mesh.Relay;

namespace Dataplane.Gateway.Mesh;

/// <summary>Runs a relay from a file until it is told to stop.</summary>
internal sealed class RelayCommand : Command
{
    private static readonly Option s_metrics = new("--metrics", "ADDR:PORT", "answer Prometheus at http://ADDR:PORT/metrics, health checks at /health/live and /health/ready");
    private static readonly Option s_status = new("--status", "MS", "print a line of JSON with all counters every MS milliseconds, 50 to 3600000");
    private static readonly Option s_access = new("--access", "WHICH", "print a line of JSON for each connection that ended: all, problems (as when left out) or none");
    private static readonly Option s_handover = new("--handover", "PATH", "take over the listening sockets of the relay that waits at PATH, then wait there for the next");
    private static readonly Option s_check = new("--check", "", "check the file, say what is wrong with it, and end");

    public override string Name => "mesh relay";

    public override string Summary => "run a TLS relay of the mesh or of its edge from a file";

    public override string Details => """
        Prints "ready" alone on a line when it listens everywhere. docs/MESH.md describes the file. With a key mesh the services of a
        mesh are its endpoints, and it follows them.
        Reloads when the file changes and on SIGHUP: connections that stand go on, but for those that new policies refuse; a file
        with errors changes nothing. Certificates are read again when they change. On SIGTERM and Ctrl-C it takes nothing new,
        lets connections end until the drain timeout, and prints what became of all; a second signal ends it at once.
        """;

    public override IReadOnlyList<string> Positionals => ["FILE"];

    public override IReadOnlyList<Option> Options => [s_metrics, s_status, s_access, s_handover, s_check];

    public override async Task<int> RunAsync(Arguments arguments, Output output)
    {
        System.Net.IPEndPoint? metrics = arguments.Get(s_metrics) is { } text ? RunCommand.ReadEndPoint(text) : null;
        long? statusMs = arguments.GetNumber(s_status, 50, 3_600_000);
        string access = arguments.Get(s_access) ?? "problems";
        if (access is not ("all" or "problems" or "none"))
            throw new UsageException($"--access \"{access}\": is not all, problems or none.");
        string path = arguments.Positionals[0];
        await using var source = new RelaySource(path);
        RelaySpec spec = source.Load();
        CompleteInline();
        if (arguments.Has(s_check))
        {
            await output.Out.WriteLineAsync($"{path}: good, {spec.Listeners.Count} listeners, {spec.Authorization.Policies.Count} policies").ConfigureAwait(false);
            return ExitCode.Ok;
        }

        using var signals = new Signals(PosixSignal.SIGTERM, PosixSignal.SIGINT, PosixSignal.SIGQUIT, PosixSignal.SIGHUP);
        var print = new LinePrinter(output.Out);
        await using var records = new RecordPrinter(print);
        Action<AccessRecord>? noted = access switch
        {
            "all" => records.Add,
            "none" => null,
            _ => record =>
            {
                if (record.IsProblem || record.WouldDeny.Length > 0)
                    records.Add(record);
            }
        };
        await using var relay = new RelayServer(spec, noted, new LinePrinter(output.Error).Line);
        // Before anything is taken over: with an address that cannot be had all stays as it is.
        await using HttpService? server = metrics is null ? null : await RelayMetricsServer.StartAsync(metrics, relay, isShared: arguments.Has(s_handover)).ConfigureAwait(false);
        using RelaySuccession? before = arguments.Get(s_handover) is { } from ? await RelaySuccession.FollowAsync(from).ConfigureAwait(false) : null;
        relay.StartWith(before?.Sockets ?? []);
        if (before is not null)
            await before.TakeAsync().ConfigureAwait(false);
        foreach (ListenerSpec listener in spec.Listeners)
            print.Line($"listener {listener.Name}: {RelayStatusLine.NameOf(listener.Kind)} at {relay.AddressOf(listener.Name)}");
        if (server is not null)
            print.Line($"metrics at {server.Address}/metrics");
        print.Line("ready");
        await using (ITimer? status = statusMs is long ms ? print.Every(TimeSpan.FromMilliseconds(ms), () => RelayStatusLine.Write(relay.ReadStatus())) : null)
            await ServeAsync(relay, source, signals, print, output.Error, arguments.Get(s_handover), server).ConfigureAwait(false);
        foreach (string line in RelayStatusLine.Summary(relay.ReadStatus()))
            print.Line(line);
        return ExitCode.Ok;
    }

    /// <summary>
    /// Has what follows a socket's event run on the thread that waited for it, unless the environment says otherwise: the relay does little for each
    /// and never blocks, so handing it to another thread would cost more than the work. The runtime reads this once, before the first socket.
    /// </summary>
    private static void CompleteInline()
    {
        const string Key = "DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS";
        if (Environment.GetEnvironmentVariable(Key) is null)
            Environment.SetEnvironmentVariable(Key, "1");
    }

    private static async Task ServeAsync(RelayServer relay, RelaySource source, Signals signals, LinePrinter print, TextWriter error, string? handover, HttpService? server)
    {
        using var ending = new CancellationTokenSource();
        Task followed = handover is null ? Task.Delay(Timeout.Infinite, ending.Token) : RelaySuccession.WaitAsync(handover, relay, ending.Token);
        Task<PosixSignal> signal = signals.NextAsync(ending.Token).AsTask();
        Task unanswered = Task.CompletedTask;
        using var reloading = new SemaphoreSlim(1);
        source.Watch(() => _ = ReloadAsync(relay, source, reloading, print, error));
        while (true)
        {
            if (await Task.WhenAny(signal, followed).ConfigureAwait(false) == followed)
            {
                await followed.ConfigureAwait(false);
                relay.HandedOver();
                print.Line($"handover: taken over, {relay.Connections} connections");

                // The successor answers at the same address; while both did, the kernel would choose between them.
                unanswered = server?.DisposeAsync().AsTask() ?? unanswered;
                break;
            }

            PosixSignal came = await signal.ConfigureAwait(false);
            signal = signals.NextAsync(ending.Token).AsTask();
            if (came != PosixSignal.SIGHUP)
            {
                print.Line($"{came}: stopping, {relay.Connections} connections");
                break;
            }

            await ReloadAsync(relay, source, reloading, print, error).ConfigureAwait(false);
        }

        using var now = new CancellationTokenSource();
        Task stopping = relay.StopAsync(now.Token);
        await Task.WhenAny(stopping, signal).ConfigureAwait(false);
        await now.CancelAsync().ConfigureAwait(false);
        await stopping.ConfigureAwait(false);
        await ending.CancelAsync().ConfigureAwait(false);
        await Task.WhenAny(followed).ConfigureAwait(false);
        await unanswered.ConfigureAwait(false);
    }

    private static async Task ReloadAsync(RelayServer relay, RelaySource source, SemaphoreSlim reloading, LinePrinter print, TextWriter error)
    {
        await reloading.WaitAsync().ConfigureAwait(false);
        try
        {
            await relay.UpdateAsync(source.Load()).ConfigureAwait(false);
            print.Line("reloaded");
        }
        catch (ConfigurationException wrong)
        {
            new LinePrinter(error).Lines([.. wrong.Errors.Select(one => one.ToString()), "reload rejected, keeping the last good configuration"]);
        }
        catch (Exception refused) when (refused is IOException or InvalidOperationException)
        {
            new LinePrinter(error).Lines([refused.Message, "reload rejected, keeping the last good configuration"]);
        }
        finally
        {
            reloading.Release();
        }
    }
}
