using System.Text.Json;
using Dataplane.Gateway.CommandLine;
using Dataplane.Gateway.Tests.Support;

namespace Dataplane.Gateway.Tests.Running;

public sealed class RunTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Run_MissingInterface_NamesCallErrnoInterfaceAndRemedy()
    {
        string file = _folder.Write("gateway.yaml",
            "ports: { wan: { kind: af_packet, interface: dp-not-here0 } }\ninterfaces: [ { port: wan, address: 198.51.100.1/24 } ]\n");
        Ended ended = (await TestedProgram.RunAsync("run", file)).With(ExitCode.Failed);
        Assert.DoesNotContain("ready", ended.Lines);

        // Without the privilege the socket is refused before the interface is looked for.
        Assert.Matches(Environment.IsPrivilegedProcess
            ? @"^dataplane run: ioctl\(SIOCGIFINDEX\) for dp-not-here0 failed: ENODEV \(no such device\)\. "
                + @"Remedy: check the interface name and its network namespace \(ip link\)\.\n$"
            : @"^dataplane run: [a-z]+\([A-Z_]+\) for dp-not-here0 failed: E[A-Z]+ \([a-z ]+\)\. Remedy: .+\.\n$", ended.Error);
    }

    [Fact]
    public async Task Run_WrongConfiguration_TellsAllErrorsAndStartsNothing()
    {
        string file = _folder.Write("gateway.yaml", "ports: { wan: { kind: memory, mtu: 1 } }\nzebra: 1\n");
        Ended ended = (await Called.WithAsync("run", file)).With(ExitCode.Usage);
        Assert.Equal($"{file}:1:36: ports.wan.mtu: \"1\": is not a link MTU from 576 to 9000", ended.ErrorLines[0]);
        Assert.Equal("2 errors", ended.ErrorLines[^1]);
        Assert.Empty(ended.Output);
    }

    [Theory]
    [InlineData("TERM", "SIGTERM: stopping")]
    [InlineData("INT", "SIGINT: stopping")]
    public async Task Run_UntilASignal_ReloadsKeepsTheLastGoodOneAndAccounts(string signal, string last)
    {
        string file = _folder.Write("gateway.yaml", TestGateway.Yaml);
        await using var program = TestedProgram.Start("run", file, "--status", "50");
        await program.AwaitAsync("ready\n");

        // A new file is there whole or not at all, as editors do it.
        string good = TestGateway.Yaml.Replace("weight: 2 }, { address: 10.1.0.12", "weight: 3 }, { address: 10.1.0.12", StringComparison.Ordinal);
        File.Move(_folder.Write("new.yaml", good), file, overwrite: true);
        await program.AwaitAsync("\nreloaded: version 2\n");
        await program.AwaitAsync("\n  longest pause of a worker meanwhile: ");
        string bad = TestGateway.Yaml.Replace("port: 80,", "port: 80800,", StringComparison.Ordinal);
        File.Move(_folder.Write("new.yaml", bad), file, overwrite: true);
        await program.AwaitAsync("reload rejected, keeping the last good configuration\n");
        await program.SignalAsync("HUP");
        await program.AwaitAsync("reload rejected, keeping the last good configuration\n", times: 2);
        await program.AwaitAsync("\"version\":2,");
        await program.SignalAsync(signal);
        Ended ended = (await program.EndAsync()).With(ExitCode.Ok);

        string[] words = [.. ended.Lines.Where(line => !line.StartsWith('{'))];
        Assert.Contains("  ~ service web backend 10.1.0.11:8080 weight 2 -> 10.1.0.11:8080 weight 3", words);
        string moved = words.Single(line => line.Contains("slots moved", StringComparison.Ordinal));
        Assert.Matches(@"^  service web: \d+ of 65537 slots moved, the least possible is \d+$", moved);
        string[] rejected =
        [
            $"{file}:25:47: services[0].port: \"80800\": is not a port from 1 to 65535, a range such as 8000-8100, or any",
            $"{file}:27:53: services[1].port: \"80800\": is not a port from 1 to 65535, a range such as 8000-8100, or any",
            "reload rejected, keeping the last good configuration",
        ];

        // Once for the file and once for the signal; a loaded machine may tell of the file again.
        Assert.InRange(ended.ErrorLines.Length, 2 * rejected.Length, 3 * rejected.Length);
        Assert.All(ended.ErrorLines.Chunk(rejected.Length), lines => Assert.Equal(rejected, lines));
        Assert.Equal([last, .. AccountingOfNothing], words[^6..]);
        JsonElement status = JsonDocument.Parse(ended.Lines.Last(line => line.StartsWith('{'))).RootElement;
        Assert.Equal(["running", "2", "0"], new[] { "state", "version", "received" }.Select(name => status.GetProperty(name).ToString()));
    }

    [Fact]
    public async Task Run_Metrics_AnswersPrometheusAndHealthChecks()
    {
        await using var program = TestedProgram.Start("run", _folder.Write("gateway.yaml", TestGateway.Yaml), "--metrics", "127.0.0.1:0");
        await program.AwaitAsync("\nready\n");
        string address = program.Said().Split('\n').Single(line => line.StartsWith("metrics at ", StringComparison.Ordinal))["metrics at ".Length..];
        using var client = new HttpClient { BaseAddress = new Uri(address) };
        Assert.Contains("\ndataplane_backend_weight{", await client.GetStringAsync("/metrics"), StringComparison.Ordinal);
        Assert.Equal("Healthy", await client.GetStringAsync("/health/live"));
        Assert.Equal("Healthy", await client.GetStringAsync("/health/ready"));
        await program.SignalAsync("TERM");
        (await program.EndAsync()).With(ExitCode.Ok);
    }

    private static string[] AccountingOfNothing =>
    [
        "received                     0",
        "originated                   0",
        "transmitted                  0",
        "dropped                      0",
        "held                         0",
    ];
}
