using System.Diagnostics;
using System.Globalization;
using Dataplane.Gateway.CommandLine;
using Dataplane.Gateway.Tests.Support;
using Dataplane.Native.Tests;

namespace Dataplane.Gateway.Tests.Running;

/// <summary>The demo in memory, for everybody.</summary>
public class MemoryDemoTests
{
    [Fact]
    public async Task Demo_InMemory_SaysSoShowsEverythingAndBalances()
    {
        Ended ended = (await TestedProgram.RunAsync("demo", "--memory", "--seconds", "5")).With(ExitCode.Ok);
        Assert.Equal("in-memory ports instead of network namespaces, because --memory was given", ended.Lines[0]);
        string[] shown =
        [
            "web2 killed", "web2 removed from gateway.yaml, reloaded: version 2", "web4 added to gateway.yaml, reloaded: version 3",
            "rule no-guest added to gateway.yaml, reloaded: version 4", "ONE PACKET EXPLAINED", "✓ exact",
        ];
        Assert.All(shown, text => Assert.Contains(text, ended.Output, StringComparison.Ordinal));
        Assert.DoesNotContain("\e", ended.Output, StringComparison.Ordinal);
        Assert.True(Demos.Accounted(ended)["received"] > 0);
    }
}

/// <summary>The demo with real programs in network namespaces: however it ends, nothing of it stays.</summary>
public class NamespaceDemoTests
{
    [PrivilegedTheory]
    [InlineData("TERM")]
    [InlineData("INT")]
    public async Task Demo_Signalled_EndsWellAndLeavesNothing(string signal)
    {
        await using var demo = TestedProgram.Start("demo", "--seconds", "600");
        await demo.AwaitAsync("the client has begun");
        Assert.NotEmpty(Demos.NamespacesOf(demo));
        await demo.SignalAsync(signal);
        Ended ended = (await demo.EndAsync()).With(ExitCode.Ok);
        Assert.Contains("Interrupted. What was seen until then:", ended.Lines);
        Assert.NotEmpty(Demos.Accounted(ended));
        Assert.Empty(Demos.NamespacesOf(demo));
    }

    [PrivilegedFact]
    public async Task Demo_SignalledWhileItBuilds_EndsWellAndLeavesNothing()
    {
        await using var demo = TestedProgram.Start("demo");
        await demo.AwaitAsync("making network namespaces");
        await demo.SignalAsync("TERM");
        Ended ended = (await demo.EndAsync()).With(ExitCode.Ok);
        Assert.Contains("interrupted while the world was being built; everything is removed again", ended.Lines);
        Assert.Empty(Demos.NamespacesOf(demo));
    }

    [PrivilegedFact]
    public async Task Demo_ToItsEnd_BalancesAndLeavesNothing()
    {
        await using var demo = TestedProgram.Start("demo", "--seconds", "5");
        Ended ended = (await demo.EndAsync()).With(ExitCode.Ok);
        Assert.Equal("root: real traffic in network namespaces", ended.Lines[0]);
        Assert.Contains("What was seen:", ended.Lines);
        Assert.Matches(@"\n  http   [1-9][0-9,]* answered", ended.Output);
        Assert.True(Demos.Accounted(ended)["received"] > 0);
        Assert.Empty(Demos.NamespacesOf(demo));
    }
}

internal static class Demos
{
    /// <summary>Namespaces that a demo has made: their names have its process identifier in them.</summary>
    public static string[] NamespacesOf(TestedProgram demo)
    {
        using Process ip = Process.Start(new ProcessStartInfo("ip", ["netns", "list"]) { RedirectStandardOutput = true })!;
        return [.. ip.StandardOutput.ReadToEnd().Split('\n').Where(line => line.StartsWith($"dataplane-demo-{demo.Id}-", StringComparison.Ordinal))];
    }

    /// <summary>The figures of the accounting at the end, which must balance.</summary>
    public static Dictionary<string, long> Accounted(Ended ended)
    {
        int at = Array.FindIndex(ended.Lines, line => line.StartsWith("What became of every packet", StringComparison.Ordinal));
        Assert.True(at >= 0, ended.Output);
        Dictionary<string, long> figures = ended.Lines[(at + 1)..].Where(line => line.StartsWith("  ", StringComparison.Ordinal) && line[2] != ' ')
            .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .ToDictionary(words => words[0], words => long.Parse(words[1], CultureInfo.InvariantCulture));
        Assert.Equal(figures["received"] + figures["originated"], figures["transmitted"] + figures["dropped"] + figures["held"]);
        return figures;
    }
}
