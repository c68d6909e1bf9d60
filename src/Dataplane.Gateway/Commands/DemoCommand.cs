using System.Diagnostics;
using System.Runtime.InteropServices;
using Dataplane.Gateway.CommandLine;
using Dataplane.Gateway.Demo;
using Dataplane.Gateway.Demo.Memory;
using Dataplane.Gateway.Demo.Namespaces;
using Dataplane.Gateway.Demo.Screen;

namespace Dataplane.Gateway.Commands;

/// <summary>Builds a small world, sends real traffic through the gateway and shows it.</summary>
internal sealed class DemoCommand : Command
{
    private static readonly Option s_seconds = new("--seconds", "N", "how long it runs, 5 to 3600; 30 without it");
    private static readonly Option s_memory = new("--memory", "", "use in-memory ports even as root");

    public override string Name => "demo";

    public override string Summary => "build a small world, send real traffic through it and show it live";

    public override string Details => """
        As root: network namespaces for a client, the gateway and the backends, the kernel's TCP and UDP (and nginx, if it
        is installed) at both ends, and "dataplane run" on mapped rings between them. A backend is killed, one is added,
        a client is denied, and a packet is explained. Needs ip (iproute2).
        Without root: the same engine on in-memory ports, between hosts simulated in the same process.
        Nothing of it stays: namespaces and programs are removed at the end, on Ctrl-C and on SIGTERM too.
        Without a terminal, or with NO_COLOR set, it prints plain lines.
        """;

    public override IReadOnlyList<Option> Options => [s_seconds, s_memory];

    public override async Task<int> RunAsync(Arguments arguments, Output output)
    {
        TimeSpan length = TimeSpan.FromSeconds(arguments.GetNumber(s_seconds, 5, 3600) ?? 30);
        using var signals = new Signals(PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP, PosixSignal.SIGQUIT);
        using var ended = new CancellationTokenSource();
        _ = EndOnSignalAsync(signals, ended);
        using IDemoScreen screen = IsTerminal() ? new AnsiScreen(output.Out) : new PlainScreen(output.Out);

        string? obstacle = arguments.Has(s_memory) ? "--memory was given" : Obstacle();
        if (obstacle is null)
        {
            screen.Progress("root: real traffic in network namespaces");
            try
            {
                return await RunAsync(new NamespaceWorld(), length, screen, output, ended.Token).ConfigureAwait(false);
            }
            catch (WorldNotBuiltException refused)
            {
                obstacle = $"this machine refused: {refused.Message}";
            }
        }

        screen.Progress($"in-memory ports instead of network namespaces, because {obstacle}");
        screen.Progress("for real interfaces and kernels: run it as root (sudo), with iproute2 installed; in a container with --privileged");
        return await RunAsync(new MemoryWorld(), length, screen, output, ended.Token).ConfigureAwait(false);
    }

    private static async Task<int> RunAsync(IDemoWorld world, TimeSpan length, IDemoScreen screen, Output output, CancellationToken ended)
    {
        await using (world)
        {
            var board = new DemoBoard(world.Description, length) { Scenes = DemoStory.Scenes };
            bool isCut = false;
            try
            {
                await BuildAsync(world, screen, ended).ConfigureAwait(false);
                await PlayAsync(world, board, screen, ended).ConfigureAwait(false);
            }
            catch (Exception cut) when (cut is OperationCanceledException or IOException && ended.IsCancellationRequested)
            {
                // Whatever it was about to do, and whoever was sent the signal as well, is not worth a word now.
                isCut = true;
            }

            IReadOnlyList<string> accounting = board.Scene == 0 ? [] : await world.StopAsync().ConfigureAwait(false);
            screen.Leave(board.Scene == 0 ? null : board);
            foreach (string line in DemoSummary.Lines(board, accounting, isCut))
            {
                await output.Out.WriteLineAsync(line).ConfigureAwait(false);
            }

            return world.Broken.IsFaulted && !isCut ? throw new IOException(world.Broken.Exception.InnerException!.Message) : ExitCode.Ok;
        }
    }

    private static async Task BuildAsync(IDemoWorld world, IDemoScreen screen, CancellationToken ended)
    {
        long start = Stopwatch.GetTimestamp();
        try
        {
            await world.StartAsync(DemoConfiguration.First, screen.Progress, ended).ConfigureAwait(false);
            while (world.Read().Gateway is null)
            {
                await Task.Delay(50, ended).ConfigureAwait(false);
            }
        }
        catch (IOException refused) when (!ended.IsCancellationRequested)
        {
            throw new WorldNotBuiltException(refused.Message, refused);
        }

        screen.Progress($"everything forwards after {Stopwatch.GetElapsedTime(start).TotalSeconds:0.0} s");
    }

    private static async Task PlayAsync(IDemoWorld world, DemoBoard board, IDemoScreen screen, CancellationToken ended)
    {
        var story = new DemoStory(world, board);
        long start = Stopwatch.GetTimestamp();
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(250));
        while (board.Elapsed < board.Length && !world.Broken.IsCompleted)
        {
            (Demo.Traffic.TrafficReport traffic, Status.GatewayStatus? gateway) = world.Read();
            board.Add(new DemoSample(Stopwatch.GetElapsedTime(start), traffic, gateway));
            await story.ContinueAsync().ConfigureAwait(false);
            screen.Show(board);
            await tick.WaitForNextTickAsync(ended).ConfigureAwait(false);
        }
    }

    /// <summary>Why there can be no network namespaces; null when there can.</summary>
    private static string? Obstacle()
    {
        if (!OperatingSystem.IsLinux())
        {
            return "this is not Linux";
        }

        return !Environment.IsPrivilegedProcess ? "this is not root"
            : IpCommand.Find("ip") is null ? "the program ip (package iproute2) is not installed"
            : null;
    }

    private static bool IsTerminal() => !Console.IsOutputRedirected && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"))
        && Environment.GetEnvironmentVariable("TERM") is { Length: > 0 } and not "dumb";

    private static async Task EndOnSignalAsync(Signals signals, CancellationTokenSource ended)
    {
        await signals.NextAsync().ConfigureAwait(false);
        await ended.CancelAsync().ConfigureAwait(false);
    }
}
