using System.Diagnostics;

namespace Dataplane.Gateway.Demo.Namespaces;

/// <summary>A program that runs in a network namespace, as long as the demo runs.</summary>
internal sealed class ChildProcess : IAsyncDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(3);

    private readonly Process _process;
    private readonly string _name;
    private readonly Lock _reading = new();
    private readonly List<string> _errors = [];
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Action<string>? _line;

    private ChildProcess(Process process, string name, Action<string>? line)
    {
        _process = process;
        _name = name;
        _line = line;
        Exited = WatchAsync();
    }

    /// <summary>Completes when the program has ended and all it printed has been read.</summary>
    public Task Exited { get; }

    /// <summary>What it printed on its standard error, the last lines.</summary>
    public string Errors
    {
        get
        {
            lock (_reading)
            {
                return string.Join(Environment.NewLine, _errors);
            }
        }
    }

    /// <summary>Starts a program.</summary>
    /// <param name="name">What messages call it.</param>
    /// <param name="networkNamespace">Where.</param>
    /// <param name="command">Program and arguments.</param>
    /// <param name="line">Told of every line it prints, on any thread.</param>
    public static ChildProcess Start(string name, string networkNamespace, IEnumerable<string> command, Action<string>? line = null)
    {
        // "ip netns exec" becomes setsid, and that the program, so that its process identifier is the program's. Without a session of its own
        // it would be sent the terminal's Ctrl-C as well, and end before the demo has told it to and has read what it says at the end.
        string ip = IpCommand.Find("ip") ?? throw new FileNotFoundException("The program ip (package iproute2) is not installed.");
        string[] session = IpCommand.Find("setsid") is { } setsid ? [setsid] : [];
        var start = new ProcessStartInfo(ip, ["netns", "exec", networkNamespace, .. session, .. command])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        return new ChildProcess(Process.Start(start) ?? throw new IOException($"{name} did not start."), name, line);
    }

    /// <summary>The program itself, to be started again with other arguments.</summary>
    public static IEnumerable<string> Self(params IEnumerable<string> arguments)
    {
        string path = Environment.ProcessPath ?? throw new IOException("The program's own path is not known.");
        bool isHost = Path.GetFileNameWithoutExtension(path) == "dotnet";
        return isHost ? [path, Path.Combine(AppContext.BaseDirectory, "Dataplane.Gateway.dll"), .. arguments] : [path, .. arguments];
    }

    /// <summary>Waits until the program prints <c>ready</c>.</summary>
    /// <exception cref="IOException">It ended instead; the message is what it said.</exception>
    public async Task WaitUntilReadyAsync(CancellationToken cancellationToken)
    {
        await Task.WhenAny(_ready.Task, Exited).WaitAsync(cancellationToken).ConfigureAwait(false);
        if (!_ready.Task.IsCompleted)
        {
            throw new IOException($"{_name} ended before it was ready: {Errors}");
        }
    }

    /// <summary>Ends it at once, as a crash would.</summary>
    public async Task KillAsync()
    {
        try
        {
            _process.Kill();
        }
        catch (InvalidOperationException)
        {
            // It has ended by itself.
        }

        await Exited.ConfigureAwait(false);
    }

    /// <summary>Closes its standard input, at which our own programs stop, and waits until it has ended.</summary>
    public async Task StopAsync()
    {
        try
        {
            _process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It has ended by itself.
        }

        await Task.WhenAny(Exited, Task.Delay(s_patience)).ConfigureAwait(false);
        await KillAsync().ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync()
    {
        await KillAsync().ConfigureAwait(false);
        _process.Dispose();
    }

    private async Task WatchAsync()
    {
        try
        {
            await Task.WhenAll(ReadAsync(_process.StandardOutput, OnLine), ReadAsync(_process.StandardError, OnError)).ConfigureAwait(false);
        }
#pragma warning disable CA1031 // A line that cannot be understood is told like an error of the program.
        catch (Exception fault)
#pragma warning restore CA1031
        {
            OnError(fault.Message);
            _process.Kill();
        }

        await _process.WaitForExitAsync().ConfigureAwait(false);
    }

    private static async Task ReadAsync(StreamReader reader, Action<string> read)
    {
        while (await reader.ReadLineAsync().ConfigureAwait(false) is { } line)
        {
            read(line);
        }
    }

    private void OnLine(string line)
    {
        if (line == "ready")
        {
            _ready.TrySetResult();
        }

        _line?.Invoke(line);
    }

    private void OnError(string line)
    {
        lock (_reading)
        {
            _errors.Add(line);
            if (_errors.Count > 20)
            {
                _errors.RemoveAt(0);
            }
        }
    }
}
