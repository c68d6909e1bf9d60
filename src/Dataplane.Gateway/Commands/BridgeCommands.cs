using System.Globalization;
using System.Text.Json;
using Dataplane.Gateway.CommandLine;
using Dataplane.Gateway.Networks;
using Dataplane.Gateway.Status;
using Dataplane.Packets;
using Dataplane.Telemetry;

namespace Dataplane.Gateway.Commands;

/// <summary>What the commands about learning bridges have in common: which gateway, and which addresses.</summary>
internal static class BridgeOptions
{
    public static readonly Option Socket = new("--socket", "PATH", $"control socket of the gateway (run --control); {GatewayControl.DefaultSocket} by default");
    public static readonly Option Bridge = new("--bridge", "NAME", "this bridge only");
    public static readonly Option Port = new("--port", "NAME", "addresses behind this port only");
    public static readonly Option Vlan = new("--vlan", "NUMBER", "addresses of this VLAN only, 0 to 4095; 0: of frames without a tag");
    public static readonly Option Mac = new("--mac", "MAC", "this address only");
    public static readonly Option Json = new("--json", "", "print JSON");

    public static ControlClient Connect(Arguments arguments) => new(arguments.Get(Socket) ?? GatewayControl.DefaultSocket, "gateway", "dataplane run FILE --control PATH");

    public static async Task<BridgeReport> ReadAsync(Arguments arguments)
    {
        using ControlClient client = Connect(arguments);
        BridgeReport report = await client.SendAsync(HttpMethod.Get, "/v1/bridges", null, StatusJson.Default.BridgeReport).ConfigureAwait(false);
        if (arguments.Get(Bridge) is not { } name)
        {
            return report;
        }

        return report.Bridges.Any(bridge => bridge.Name == name)
            ? new BridgeReport([.. report.Bridges.Where(bridge => bridge.Name == name)], [.. report.Addresses.Where(known => known.Bridge == name)])
            : throw new NetworkException(NetworkFault.NotFound, $"There is no bridge {name}; dataplane bridge show lists those there are.");
    }

    public static string? MacOf(Arguments arguments) => arguments.Get(Mac) is not { } text ? null
        : MacAddress.TryParse(text, out MacAddress mac) ? mac.ToString() : throw new UsageException($"{Mac.Name} \"{text}\": is not a MAC address.");
}

/// <summary>Shows bridges and their ports.</summary>
internal sealed class BridgeShowCommand : Command
{
    public override string Name => "bridge show";

    public override string Summary => "show the learning bridges of a running gateway, and what their ports have seen";

    public override IReadOnlyList<Option> Options => [BridgeOptions.Bridge, BridgeOptions.Socket, BridgeOptions.Json];

    public override async Task<int> RunAsync(Arguments arguments, Output output)
    {
        BridgeReport report = await BridgeOptions.ReadAsync(arguments).ConfigureAwait(false);
        if (arguments.Has(BridgeOptions.Json))
        {
            await output.Out.WriteLineAsync(JsonSerializer.Serialize(report, StatusJson.Default.BridgeReport)).ConfigureAwait(false);
            return ExitCode.Ok;
        }

        await output.Out.WriteLineAsync("BRIDGE               PORT             ADDRESSES       FRAMES     LEARNT   UNLEARNT      MOVES    REFUSED    FLOODED    LIMITED").ConfigureAwait(false);
        foreach (BridgeStatus bridge in report.Bridges)
        {
            foreach (BridgePortStatus port in bridge.Ports)
            {
                long flooded = port.FloodedBroadcast + port.FloodedMulticast + port.FloodedUnknown, limited = port.LimitedBroadcast + port.LimitedMulticast + port.LimitedUnknown;
                await output.Out.WriteLineAsync(string.Create(CultureInfo.InvariantCulture,
                    $"{bridge.Name,-20} {port.Port,-16} {port.Addresses,9} {port.Frames,12} {port.Learnt,10} {port.Unlearnt,10} {port.Moves,10} {port.MovesRefused,10} {flooded,10} {limited,10}")).ConfigureAwait(false);
            }

            await output.Out.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"{bridge.Name}: {bridge.Ports.Sum(port => port.Addresses)} of {bridge.Capacity} addresses")).ConfigureAwait(false);
        }

        return ExitCode.Ok;
    }
}

/// <summary>Lists the addresses that bridges know.</summary>
internal sealed class BridgeAddressesCommand : Command
{
    public override string Name => "bridge addresses";

    public override string Summary => "list the hardware addresses that learning bridges know";

    public override IReadOnlyList<Option> Options => [BridgeOptions.Bridge, BridgeOptions.Port, BridgeOptions.Vlan, BridgeOptions.Mac, BridgeOptions.Socket, BridgeOptions.Json];

    public override async Task<int> RunAsync(Arguments arguments, Output output)
    {
        string? mac = BridgeOptions.MacOf(arguments), port = arguments.Get(BridgeOptions.Port);
        long? vlan = arguments.GetNumber(BridgeOptions.Vlan, 0, 4095);
        BridgeReport report = await BridgeOptions.ReadAsync(arguments).ConfigureAwait(false);
        report = report with { Addresses = [.. report.Addresses.Where(known => (mac is null || known.Mac == mac) && (port is null || known.Port == port) && (vlan is null || known.Vlan == vlan))] };
        if (arguments.Has(BridgeOptions.Json))
        {
            await output.Out.WriteLineAsync(JsonSerializer.Serialize(report, StatusJson.Default.BridgeReport)).ConfigureAwait(false);
            return ExitCode.Ok;
        }

        await output.Out.WriteLineAsync("BRIDGE               MAC                VLAN PORT              AGE s").ConfigureAwait(false);
        foreach (BridgeReport.Address known in report.Addresses)
        {
            await output.Out.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"{known.Bridge,-20} {known.Mac,-17} {known.Vlan,5} {known.Port,-16} {known.AgeSeconds,6}")).ConfigureAwait(false);
        }

        return ExitCode.Ok;
    }
}

/// <summary>Has a bridge forget addresses.</summary>
internal sealed class BridgeFlushCommand : Command
{
    public override string Name => "bridge flush";

    public override string Summary => "have a learning bridge forget addresses: all of it, or those behind a port, of a VLAN, or one";

    public override IReadOnlyList<string> Positionals => ["BRIDGE"];

    public override IReadOnlyList<Option> Options => [BridgeOptions.Port, BridgeOptions.Vlan, BridgeOptions.Mac, BridgeOptions.Socket];

    public override async Task<int> RunAsync(Arguments arguments, Output output)
    {
        (string Name, string? Value)[] which =
        [
            ("port", arguments.Get(BridgeOptions.Port)), ("vlan", arguments.GetNumber(BridgeOptions.Vlan, 0, 4095)?.ToString(CultureInfo.InvariantCulture)), ("mac", BridgeOptions.MacOf(arguments)),
        ];
        string query = string.Join('&', which.Where(each => each.Value is not null).Select(each => $"{each.Name}={Uri.EscapeDataString(each.Value!)}"));
        using ControlClient client = BridgeOptions.Connect(arguments);
        BridgeReport.Flushed flushed = await client.SendAsync(
            HttpMethod.Delete, $"/v1/bridges/{Uri.EscapeDataString(arguments.Positionals[0])}/addresses{(query.Length > 0 ? "?" : "")}{query}", null, StatusJson.Default.Flushed).ConfigureAwait(false);
        await output.Out.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"{flushed.Forgotten} forgotten")).ConfigureAwait(false);
        return ExitCode.Ok;
    }
}
