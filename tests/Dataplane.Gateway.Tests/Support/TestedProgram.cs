using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Dataplane.Gateway.Tests.Support;

/// <summary>What a program has said and how it ended.</summary>
internal sealed record Ended(int ExitCode, string Output, string Error)
{
    public string[] Lines => Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    public string[] ErrorLines => Error.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Itself, when it ended as it should; otherwise a failure that shows all it said.</summary>
    public Ended With(int exitCode)
    {
        Assert.True(ExitCode == exitCode, $"exit code {ExitCode}, not {exitCode}\n{Output}\n{Error}");
        return this;
    }
}

/// <summary>The built program, or a built sample, run as its users run it: arguments, streams, signals, exit code.</summary>
internal sealed class TestedProgram : IAsyncDisposable
{
    /// <summary>How long anything may take on a machine that is very busy; no test asserts a time.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(120);

    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly StringBuilder _error = new();
    private readonly Task _read;
    private TaskCompletionSource _printed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private TestedProgram(ProcessStartInfo start)
    {
        start.RedirectStandardInput = start.RedirectStandardOutput = start.RedirectStandardError = true;
        _process = Process.Start(start)!;
        _read = Task.WhenAll(ReadAsync(_process.StandardOutput, _output), ReadAsync(_process.StandardError, _error));
    }

    public int Id => _process.Id;

    /// <summary>Starts the program of this repository.</summary>
    public static TestedProgram Start(params string[] arguments) => StartAssembly("Dataplane.Gateway", arguments);

    /// <summary>Starts a program that is built beside these tests.</summary>
    public static TestedProgram StartAssembly(string project, params string[] arguments)
    {
        // artifacts/bin/PROJECT/CONFIGURATION/: the other projects lie beside, in the same configuration.
        var own = new DirectoryInfo(AppContext.BaseDirectory.TrimEnd('/'));
        string assembly = Path.Combine(own.Parent!.Parent!.FullName, project, own.Name, project + ".dll");
        Assert.True(File.Exists(assembly), $"{assembly} has not been built");
        return new TestedProgram(new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", [assembly, .. arguments]));
    }

    /// <summary>Runs the program of this repository to its end.</summary>
    public static Task<Ended> RunAsync(params string[] arguments) => RunAsync("", arguments);

    /// <summary>Runs it with something on its standard input.</summary>
    public static async Task<Ended> RunAsync(string input, string[] arguments)
    {
        await using TestedProgram program = Start(arguments);
        await program._process.StandardInput.WriteAsync(input);
        program._process.StandardInput.Close();
        return await program.EndAsync();
    }

    /// <summary>Runs a sample to its end.</summary>
    public static async Task<Ended> RunSampleAsync(string project, params string[] arguments)
    {
        await using TestedProgram program = StartAssembly(project, arguments);
        return await program.EndAsync();
    }

    /// <summary>Waits until what it has printed, on both streams, has the text in it so many times.</summary>
    public async Task AwaitAsync(string text, int times = 1)
    {
        using var patience = new CancellationTokenSource(s_patience);
        while (true)
        {
            Task printed;
            lock (_output)
            {
                printed = _printed.Task;
                if (Said().Split(text).Length > times)
                {
                    return;
                }
            }

            Assert.False(patience.IsCancellationRequested, $"\"{text}\" is not in what it has printed:\n{Said()}");
            Assert.False(_read.IsCompleted, $"it has ended without \"{text}\":\n{Said()}");
            await Task.WhenAny(printed, _read, Task.Delay(1000, CancellationToken.None));
        }
    }

    /// <summary>Sends a signal such as TERM.</summary>
    public async Task SignalAsync(string signal)
    {
        using Process kill = Process.Start("kill", ["-" + signal, _process.Id.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync();
        Assert.Equal(0, kill.ExitCode);
    }

    /// <summary>Waits until it has ended.</summary>
    public async Task<Ended> EndAsync()
    {
        await Task.WhenAny(_read, Task.Delay(s_patience));
        Assert.True(_read.IsCompleted, $"it has not ended:\n{Said()}");
        await _process.WaitForExitAsync();
        return new Ended(_process.ExitCode, _output.ToString(), _error.ToString());
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
        }

        await _read;
        _process.Dispose();
    }

    /// <summary>What it has printed so far, on both streams.</summary>
    public string Said()
    {
        lock (_output)
        {
            return $"{_output}{_error}";
        }
    }

    private async Task ReadAsync(StreamReader reader, StringBuilder text)
    {
        while (await reader.ReadLineAsync() is { } line)
        {
            TaskCompletionSource printed;
            lock (_output)
            {
                text.Append(line).Append('\n');
                printed = _printed;
                _printed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }

            printed.SetResult();
        }
    }
}
