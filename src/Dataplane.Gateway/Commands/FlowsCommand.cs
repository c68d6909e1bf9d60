using System.Globalization;
using System.Text.Json;
using Dataplane.Gateway.CommandLine;
using Dataplane.Gateway.Networks;
using Dataplane.Gateway.Status;

namespace Dataplane.Gateway.Commands;

/// <summary>Lists the flows of a running gateway.</summary>
internal sealed class FlowsCommand : Command
{
    private static readonly Option s_protocol = new("--protocol", "NAME", "tcp, udp, icmp or a number");
    private static readonly Option s_address = new("--address", "ADDRESS", "flows of an address or a prefix, at either end, before or behind the translation");
    private static readonly Option s_port = new("--port", "NUMBER", "flows of a port, likewise");
    private static readonly Option s_state = new("--state", "STATE", "tcp_transitory, tcp_established, tcp_closing, udp, icmp_query or other");
    private static readonly Option s_both = new("--both", "", "the way back of each flow as well, not only the way of its first packet");
    private static readonly Option s_most = new("--most", "NUMBER", $"how many to list, up to {FlowReport.MostFlows}; 1000 without it");

    private static readonly string[] s_columns = ["PROTOCOL", "SOURCE", "DESTINATION", "LEAVES FROM", "LEAVES FOR", "STATE", "IDLE s"];

    public override string Name => "flows";

    public override string Summary => "list the flows of a running gateway: what comes, how it leaves, state and idle time";

    public override IReadOnlyList<Option> Options => [s_protocol, s_address, s_port, s_state, s_both, s_most, BridgeOptions.Socket, BridgeOptions.Json];

    public override async Task<int> RunAsync(Arguments arguments, Output output)
    {
        using ControlClient client = BridgeOptions.Connect(arguments);
        FlowReport report = await client.SendAsync(HttpMethod.Get, "/v1/flows?" + Query(arguments), null, StatusJson.Default.FlowReport).ConfigureAwait(false);
        if (arguments.Has(BridgeOptions.Json))
        {
            await output.Out.WriteLineAsync(JsonSerializer.Serialize(report, StatusJson.Default.FlowReport)).ConfigureAwait(false);
            return ExitCode.Ok;
        }

        string[][] lines = [s_columns, .. report.Flows.Select(Cells)];
        int[] widths = [.. s_columns.Select((_, column) => lines.Max(line => line[column].Length))];
        foreach (string[] line in lines)
        {
            await output.Out.WriteLineAsync(string.Join("  ", line.Select((cell, column) => cell.PadRight(widths[column]))).TrimEnd()).ConfigureAwait(false);
        }

        string count = string.Create(CultureInfo.InvariantCulture, $"{report.Flows.Count} {(report.Flows.Count == 1 ? "flow" : "flows")}");
        await output.Out.WriteLineAsync(report.HasMore ? $"{count}, and there are more: ask for some (--address, --port, ...) or for more (--most)" : count).ConfigureAwait(false);
        return ExitCode.Ok;
    }

    private static string Query(Arguments arguments)
    {
        (string Name, string? Value)[] asked =
        [
            ("protocol", arguments.Get(s_protocol)), ("address", arguments.Get(s_address)), ("port", arguments.GetNumber(s_port, 0, ushort.MaxValue)?.ToString(CultureInfo.InvariantCulture)),
            ("state", arguments.Get(s_state)), ("both", arguments.Has(s_both) ? "1" : null), ("most", arguments.GetNumber(s_most, 1, FlowReport.MostFlows)?.ToString(CultureInfo.InvariantCulture)),
        ];
        return string.Join('&', asked.Where(each => each.Value is not null).Select(each => $"{each.Name}={Uri.EscapeDataString(each.Value!)}"));
    }

    private static string[] Cells(FlowReport.Flow flow) =>
    [
        flow.Protocol, At(flow.Source, flow.SourcePort), At(flow.Destination, flow.DestinationPort), At(flow.NewSource, flow.NewSourcePort), At(flow.NewDestination, flow.NewDestinationPort),
        flow.State, flow.IdleSeconds.ToString("F1", CultureInfo.InvariantCulture),
    ];

    private static string At(string address, int port) => address.Contains(':', StringComparison.Ordinal) ? $"[{address}]:{port}" : $"{address}:{port}";
}
