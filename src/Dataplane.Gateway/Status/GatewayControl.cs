using System.Globalization;
using Dataplane.Configuration;
using Dataplane.Gateway.Commands;
using Dataplane.Gateway.Networks;
using Dataplane.Hosting.Configuration;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Telemetry;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Dataplane.Gateway.Status;

/// <summary>What a running gateway is asked and told by its owner: HTTP and JSON over a Unix socket, unlike metrics, which may be read by others and change nothing.</summary>
internal static class GatewayControl
{
    public const string DefaultSocket = "/run/dataplane/gateway.sock";

    /// <exception cref="IOException">Another process listens there, or the directory cannot be made.</exception>
    public static Task<ControlServer> StartAsync(string socket, DataplaneEngine engine) => ControlServer.StartAsync("--control", socket, web =>
    {
        ControlServer.On(web, "GET", "/v1/bridges", StatusJson.Default.BridgeReport, _ => Task.FromResult(BridgeReport.Of(engine)));
        ControlServer.On(web, "DELETE", "/v1/bridges/{name}/addresses", StatusJson.Default.Flushed, context => Task.FromResult(Flush(engine, context)));
        ControlServer.On(web, "GET", "/v1/flows", StatusJson.Default.FlowReport, context => Task.FromResult(FlowReport.Of(engine, name => Asked(context, name))));
        ControlServer.On(web, "POST", "/v1/explain", StatusJson.Default.ExplainReply, context => ExplainAsync(engine, context));
        ControlServer.On(web, "POST", "/v1/what-if", StatusJson.Default.WhatIfReply, context => WhatIfAsync(engine, context));
        new CaptureService(engine).Map(web);
    });

    private static async Task<ExplainReply> ExplainAsync(DataplaneEngine engine, HttpContext context)
    {
        using var frame = new MemoryStream();
        await context.Request.Body.CopyToAsync(frame, context.RequestAborted).ConfigureAwait(false);
        return frame.Length <= ushort.MaxValue ? ExplainReply.Of(engine.Explain(frame.ToArray(), Asked(context, "port") ?? ""))
            : throw new ArgumentException($"The packet has {frame.Length} bytes; 65535 is the most.");
    }

    private static async Task<WhatIfReply> WhatIfAsync(DataplaneEngine engine, HttpContext context)
    {
        using var reader = new StreamReader(context.Request.Body);
        string text = await reader.ReadToEndAsync(context.RequestAborted).ConfigureAwait(false);
        LoadResult candidate = ConfigurationFile.Parse(text, "candidate");
        if (candidate.Spec is not { } spec)
        {
            throw new FormatException(string.Join('\n', candidate.Errors));
        }

        DataplaneSpec before = engine.Spec;
        spec = TakeOver(before, spec, Asked(context, "names") is not null, out List<string> notCompared);
        try
        {
            ChangeReceipt receipt = await engine.PreviewAsync(spec, context.RequestAborted).ConfigureAwait(false);
            return WhatIfReply.Of(receipt, SpecDifferences.Lines(before, spec), notCompared);
        }
        catch (ConfigurationException wrong)
        {
            throw new FormatException(string.Join('\n', wrong.Errors), wrong);
        }
    }

    /// <summary>A candidate with what files cannot say as the running configuration has it: name servers, which have no flows, and ports that a program has made.</summary>
    private static DataplaneSpec TakeOver(DataplaneSpec before, DataplaneSpec candidate, bool hasNames, out List<string> notCompared)
    {
        notCompared = [];
        if (hasNames || before.Names.Count > 0)
        {
            notCompared.Add("what name servers answer (names of a mesh): flows do not depend on it");
        }

        Dictionary<string, PortSpec> made = before.Ports.Where(port => port.Factory is not null).ToDictionary(port => port.Name);
        string[] taken = [.. candidate.Ports.Where(port => made.ContainsKey(port.Name)).Select(port => port.Name)];
        notCompared.AddRange(taken.Select(port => $"how port {port} is opened: the program that runs has made it"));
        return candidate with
        {
            Names = before.Names,
            Ports = taken.Length == 0 ? candidate.Ports
                : [.. candidate.Ports.Select(port => made.TryGetValue(port.Name, out PortSpec? running) ? port with { Kind = running.Kind, Factory = running.Factory } : port)],
        };
    }

    private static string? Asked(HttpContext context, string name) => context.Request.Query[name] is [{ Length: > 0 } value] ? value : null;

    private static BridgeReport.Flushed Flush(DataplaneEngine engine, HttpContext context)
    {
        int? vlan = Asked(context, "vlan") is not { } text ? null : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number
            : throw new FormatException($"VLAN \"{text}\" is not a number from 0 to 4095.");
        MacAddress? mac = Asked(context, "mac") is { } address ? MacAddress.Parse(address) : null;
        return new BridgeReport.Flushed(engine.ForgetBridgeAddresses((string)context.GetRouteValue("name")!, Asked(context, "port"), vlan, mac));
    }
}
