using System.Globalization;
using System.Text.Json;
using Dataplane.Gateway.CommandLine;
using Dataplane.Gateway.Networks;
using Dataplane.Gateway.Networks.Measuring;

namespace Dataplane.Gateway.Commands.Network;

/// <summary>Tests a network by traffic between its endpoints.</summary>
internal sealed class TestCommand : Command
{
    private static readonly Option s_datagrams = new("--datagrams", "COUNT", "datagrams for latency and loss of each pair, 1 to 10000; 20 by default");
    private static readonly Option s_throughput = new("--throughput", "MS", "milliseconds of TCP for each pair, 0 to 60000; 300 by default, 0: not measured");

    public override string Name => "test";

    public override string Summary => "test a network: reachability, latency, loss, throughput, isolation";

    public override string Details => """
        Traffic goes from inside each endpoint's namespace to each other endpoint of the network, at each of its addresses, and to the endpoints of
        other networks, which must not be reached unless the networks reach each other. Endpoints attached by memif have no socket to send from: the
        others ask them by ICMP echo, which the program there answers. Exit code 1 when anything is not as it should be.
        """;

    public override IReadOnlyList<string> Positionals => ["NETWORK"];

    public override IReadOnlyList<Option> Options => [s_datagrams, s_throughput, NetworkOptions.Socket, NetworkOptions.Json];

    public override async Task<int> RunAsync(Arguments arguments, Output output)
    {
        using var client = new ControlClient(NetworkOptions.SocketOf(arguments));
        ServiceStatus status = await client.StatusAsync().ConfigureAwait(false);
        var tester = new NetworkTester(await client.ListAsync().ConfigureAwait(false), arguments.Positionals[0], status.Memif)
        {
            Datagrams = (int)(arguments.GetNumber(s_datagrams, 1, 10_000) ?? 20),
            Throughput = TimeSpan.FromMilliseconds(arguments.GetNumber(s_throughput, 0, 60_000) ?? 300),
        };
        NetworkReport report = await tester.RunAsync().ConfigureAwait(false);
        IEnumerable<string> lines = arguments.Has(NetworkOptions.Json) ? [JsonSerializer.Serialize(report, ReportJson.Default.NetworkReport)] : Table(report);
        foreach (string line in lines)
        {
            await output.Out.WriteLineAsync(line).ConfigureAwait(false);
        }

        return report.Unreachable == 0 && report.Leaks == 0 ? ExitCode.Ok : ExitCode.Failed;
    }

    private static IEnumerable<string> Table(NetworkReport report)
    {
        yield return $"{"FROM",-20} {"TO",-20} {"ADDRESS",-26} {"LOSS",6} {"MIN",8} {"MEDIAN",8} {"MAX us",8} {"Mbit/s",9}  VERDICT";
        foreach (PairReport pair in report.Pairs)
        {
            string verdict = pair switch
            {
                { Expected: true, Reached: true, By: { } by } => $"reached by {by}",
                { Expected: true, Reached: true } => "reached",
                { Expected: true, Detail: { } detail } => $"NOT REACHED: {detail}",
                { Expected: true } => "NOT REACHED",
                { Reached: true } => $"LEAK into {pair.Network}",
                _ => $"kept apart ({pair.Network})",
            };
            string loss = pair.Sent > 0 ? string.Create(CultureInfo.InvariantCulture, $"{100.0 * pair.Lost / pair.Sent:0.#}%") : "";
            yield return string.Create(CultureInfo.InvariantCulture,
                $"{pair.From,-20} {pair.To,-20} {pair.Address,-26} {(pair.Expected ? loss : ""),6} {pair.MinUs,8} {pair.MedianUs,8} {pair.MaxUs,8} {pair.MegabitsPerSecond,9}  {verdict}");
        }

        yield return string.Create(CultureInfo.InvariantCulture,
            $"{report.Endpoints.Count} endpoints, {report.Pairs.Count} ways: {report.Pairs.Count(pair => pair.IsAsExpected)} as they should be, {report.Unreachable} not reached, {report.Leaks} leaks");
        if (report.OnlyAsked.Count > 0)
        {
            yield return $"by memif, and asked by echo alone: {string.Join(", ", report.OnlyAsked)}";
        }
    }
}
