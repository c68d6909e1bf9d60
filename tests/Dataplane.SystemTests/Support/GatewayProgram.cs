using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Dataplane.SystemTests.Support;

/// <summary>The program under test, running a file in the gateway's namespace.</summary>
internal sealed partial class GatewayProgram : IAsyncDisposable
{
    private readonly ChildProgram _program;
    private readonly string _path;

    private GatewayProgram(ChildProgram program, string path)
    {
        _program = program;
        _path = path;
    }

    /// <summary>Starts it and waits until every port forwards.</summary>
    public static Task<GatewayProgram> StartAsync(string networkNamespace, string path, GatewayConfiguration configuration, params string[] options) =>
        StartAsync(networkNamespace, path, configuration.ToYaml(), options);

    /// <summary>Starts it with a file of this text and waits until every port forwards.</summary>
    public static async Task<GatewayProgram> StartAsync(string networkNamespace, string path, string yaml, params string[] options)
    {
        await File.WriteAllTextAsync(path, yaml);
        var program = ChildProgram.Start(networkNamespace, [.. Programs.Dataplane, "run", path, "--status", "200", .. options]);
        await program.AwaitLineAsync(line => line == "ready");
        return new GatewayProgram(program, path);
    }

    /// <summary>Writes another file over the one it runs, as editors do, and waits for its word; returns the lines it said, on both streams.</summary>
    public async Task<string[]> ReloadAsync(string yaml)
    {
        int seenOutput = _program.Output.Length, seenError = _program.Error.Length;
        await File.WriteAllTextAsync(_path + ".new", yaml);
        File.Move(_path + ".new", _path, overwrite: true);
        string last = await _program.AwaitLineAsync(line => line.StartsWith("reload", StringComparison.Ordinal), seenOutput, seenError);

        // What changed follows the word indented; a status line follows that. Errors come before their word.
        if (last.StartsWith("reloaded", StringComparison.Ordinal))
            await ReadStatusAsync();
        return [.. _program.Output.Skip(seenOutput).Where(line => !line.StartsWith('{')), .. _program.Error.Skip(seenError)];
    }

    /// <summary>Waits until it has said something.</summary>
    public Task<string> AwaitSaidAsync(Func<string, bool> wanted) => _program.AwaitLineAsync(line => !line.StartsWith('{') && wanted(line));

    /// <summary>The next line of counters that it prints; two, so that what was counted before the call is in it.</summary>
    public async Task<JsonElement> ReadStatusAsync()
    {
        await _program.AwaitLineAsync(IsStatus, _program.Output.Length);
        string line = await _program.AwaitLineAsync(IsStatus, _program.Output.Length);
        return JsonDocument.Parse(line).RootElement.Clone();

        static bool IsStatus(string line) => line.StartsWith('{');
    }

    /// <summary>What it says of a port.</summary>
    public async Task<JsonElement> ReadPortAsync(string name) =>
        (await ReadStatusAsync()).GetProperty("ports").EnumerateArray().Single(port => port.GetProperty("name").GetString() == name);

    /// <summary>Waits until what it says of a port is as wanted.</summary>
    public async Task<JsonElement> AwaitPortAsync(string name, Func<JsonElement, bool> wanted)
    {
        long end = Environment.TickCount64 + (long)ChildProgram.Patience.TotalMilliseconds;
        while (true)
        {
            JsonElement port = await ReadPortAsync(name);
            if (wanted(port))
                return port;
            Assert.True(Environment.TickCount64 < end, $"waited in vain: {port}");
        }
    }

    /// <summary>Packets that the filter rule has matched.</summary>
    public async Task<long> ReadRuleAsync(string rule)
    {
        JsonElement status = await ReadStatusAsync();
        return status.GetProperty("rules").EnumerateArray().Single(entry => entry.GetProperty("name").GetString() == rule).GetProperty("packets").GetInt64();
    }

    public int ProcessId => _program.ProcessId;

    /// <summary>Sends it a signal, and waits for nothing.</summary>
    public Task SignalAsync(string signal) => _program.SignalAsync(signal);

    /// <summary>Ends it as an operator does and asserts that it knows what became of every packet.</summary>
    public async Task StopAsync() => AssertAccount(await _program.TerminateAsync());

    /// <summary>Waits until it has ended by itself, and asserts the same.</summary>
    public async Task EndAsync() => AssertAccount(await _program.EndAsync());

    /// <summary>Ends it as a crash does.</summary>
    public Task KillAsync() => _program.TerminateAsync("KILL");

    public ValueTask DisposeAsync() => _program.DisposeAsync();

    private static void AssertAccount(ProgramResult result)
    {
        result.MustSucceed();
        Dictionary<string, long> figures = AccountingLine().Matches(result.Output)
            .ToDictionary(match => match.Groups[1].Value, match => long.Parse(match.Groups[2].Value, CultureInfo.InvariantCulture));
        Assert.True(figures.Keys.ToHashSet().IsSupersetOf(["received", "originated", "transmitted", "dropped", "held"]), result.Output);
        Assert.Equal(figures["received"] + figures["originated"], figures["transmitted"] + figures["dropped"] + figures["held"]);
        Assert.Equal(figures["dropped"], ReasonLine().Matches(result.Output).Sum(match => long.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture)));
    }

    [GeneratedRegex(@"^(received|originated|transmitted|dropped|held) +([0-9]+)$", RegexOptions.Multiline)]
    private static partial Regex AccountingLine();

    [GeneratedRegex(@"^  [a-z0-9_-]+ +([0-9]+)$", RegexOptions.Multiline)]
    private static partial Regex ReasonLine();
}
