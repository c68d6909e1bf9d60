using System.Diagnostics;
using System.Globalization;

namespace Dataplane.SystemTests.Support;

/// <summary>What a program has printed and how it ended.</summary>
internal sealed record ProgramResult(string Command, int ExitCode, string Output, string Error)
{
    public string[] Lines => Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Itself, when the program ended well; otherwise a failure that shows all it said.</summary>
    public ProgramResult MustSucceed()
    {
        Assert.True(ExitCode == 0, $"{Command}: exit code {ExitCode}\n{Output}\n{Error}");
        return this;
    }
}

/// <summary>A program that runs in a network namespace while a test goes on, and the lines it prints.</summary>
internal sealed class ChildProgram : IAsyncDisposable
{
    /// <summary>How long anything may take on a machine that is very busy; no test asserts a time.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(180);

    private readonly Process _process;
    private readonly string _command;
    private readonly Lock _reading = new();
    private readonly List<string> _output = [];
    private readonly List<string> _error = [];
    private TaskCompletionSource _printed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private ChildProgram(Process process, string command)
    {
        _process = process;
        _command = command;
        Exited = WatchAsync();
    }

    /// <summary>Completes when the program has ended and all it printed has been read.</summary>
    public Task Exited { get; }

    public int ExitCode => _process.ExitCode;

    public int ProcessId => _process.Id;

    /// <summary>Lines of standard output so far.</summary>
    public string[] Output => Copy(_output);

    /// <summary>Lines of standard error so far.</summary>
    public string[] Error => Copy(_error);

    /// <summary>Starts a program in a namespace; "ip netns exec" becomes the program, so that the process identifier is the program's.</summary>
    public static ChildProgram Start(string networkNamespace, params string[] command)
    {
        string[] whole = ["netns", "exec", networkNamespace, Programs.Find(command[0]) ?? command[0], .. command[1..]];
        var start = new ProcessStartInfo(Programs.Find("ip")!, whole) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["LC_ALL"] = "C";
        return new ChildProgram(Process.Start(start)!, string.Join(' ', command));
    }

    /// <summary>Runs a program in a namespace to its end.</summary>
    public static async Task<ProgramResult> RunAsync(string networkNamespace, string[] command, string input = "")
    {
        await using ChildProgram program = Start(networkNamespace, command);
        await program._process.StandardInput.WriteAsync(input);
        program._process.StandardInput.Close();
        return await program.EndAsync();
    }

    /// <summary>Runs a command again and again until what it prints is as wanted.</summary>
    public static async Task RunUntilAsync(string networkNamespace, Func<string, bool> isWanted, params string[] command)
    {
        DateTime patience = DateTime.UtcNow + Patience;
        string output;
        while (!isWanted(output = (await RunAsync(networkNamespace, command)).Output))
        {
            Assert.True(DateTime.UtcNow < patience, $"{string.Join(' ', command)} has printed this to the end: {output}");
            await Task.Delay(20);
        }
    }

    /// <summary>Waits for its end.</summary>
    public async Task<ProgramResult> EndAsync()
    {
        try
        {
            await Exited.WaitAsync(Patience);
        }
        catch (TimeoutException)
        {
            throw new TimeoutException(Describe("has not ended"));
        }

        return new ProgramResult(_command, _process.ExitCode, Join(Output), Join(Error));
    }

    /// <summary>Waits until it has printed such a line, on either stream, after those already seen.</summary>
    public async Task<string> AwaitLineAsync(Func<string, bool> wanted, int seenOutput = 0, int seenError = 0)
    {
        using var patience = new CancellationTokenSource(Patience);
        while (true)
        {
            Task printed;
            lock (_reading)
            {
                printed = _printed.Task;
                if (_output.Skip(seenOutput).Concat(_error.Skip(seenError)).FirstOrDefault(wanted) is { } line)
                    return line;
            }

            bool ended = Exited.IsCompleted;
            if (ended || patience.IsCancellationRequested)
                throw new InvalidOperationException(Describe(ended ? "has ended" : "did not print what was waited for"));
            await Task.WhenAny(printed, Exited, Task.Delay(1000, CancellationToken.None));
        }
    }

    /// <summary>Writes a line to its standard input.</summary>
    public async Task SayAsync(string line)
    {
        await _process.StandardInput.WriteLineAsync(line);
        await _process.StandardInput.FlushAsync();
    }

    /// <summary>Asks it to end, as an operator does, and waits until it has.</summary>
    public async Task<ProgramResult> TerminateAsync(string signal = "TERM")
    {
        await SignalAsync(signal);
        return await EndAsync();
    }

    /// <summary>Sends it a signal.</summary>
    public async Task SignalAsync(string signal)
    {
        if (!_process.HasExited)
        {
            using Process kill = Process.Start("kill", ["-" + signal, _process.Id.ToString(CultureInfo.InvariantCulture)]);
            await kill.WaitForExitAsync();
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            _process.Kill(entireProcessTree: true);
        await Exited;
        _process.Dispose();
    }

    private static string Join(string[] lines) => string.Concat(lines.Select(line => line + "\n"));

    private string Describe(string what) => $"{_command} {what}\n{Join(Output)}\n{Join(Error)}";

    private string[] Copy(List<string> lines)
    {
        lock (_reading)
            return [.. lines];
    }

    private async Task WatchAsync()
    {
        await Task.WhenAll(ReadAsync(_process.StandardOutput, _output), ReadAsync(_process.StandardError, _error));
        await _process.WaitForExitAsync();
    }

    private async Task ReadAsync(StreamReader reader, List<string> lines)
    {
        while (await reader.ReadLineAsync() is { } line)
        {
            TaskCompletionSource printed;
            lock (_reading)
            {
                lines.Add(line);
                printed = _printed;
                _printed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }

            printed.SetResult();
        }
    }
}
