using System.Buffers;
using System.Text;
using System.Text.Json;
using Dataplane.Gateway.CommandLine;
using Dataplane.Gateway.Networks;
using Dataplane.Gateway.Status;
using Dataplane.Hosting.Configuration;
using Dataplane.Mesh;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Telemetry;

namespace Dataplane.Gateway.Commands;

/// <summary>Tells what a gateway of a configuration would do with one packet, stage by stage.</summary>
internal sealed class ExplainCommand : Command
{
    private static readonly Option s_port = new("--port", "NAME", "the port the packet comes by") { IsRequired = true };
    private static readonly Option s_hex = new("--hex", "BYTES",
        "the packet from its first MAC byte, in hexadecimal digits; blanks and colons do not matter; - reads them from standard input");
    private static readonly Option s_pcap = new("--pcap", "FILE", "take the packet from a capture file (pcap or pcapng)");
    private static readonly Option s_packet = new("--packet", "N", "which packet of the capture file, from 1; 1 without it");
    private static readonly Option s_json = new("--json", "", "print JSON, for programs");

    public override string Name => "explain";

    public override string Summary => "tell what would become of one packet, stage by stage";

    public override string Details => """
        The code is the one that forwards; nothing is opened or sent: all ports are in memory. A port has the hardware
        address that the configuration says, else that of its interface if this machine has it, else one derived from its name.
        Flows and neighbours that a running gateway has learned are not known here. Without FILE a running
        gateway is asked (run --control), which knows them: what would become of the packet now. Nothing is changed or sent either.
        """;

    public override IReadOnlyList<string> Positionals => ["[FILE]"];

    public override IReadOnlyList<Option> Options => [s_port, s_hex, s_pcap, s_packet, s_json, BridgeOptions.Socket];

    public override async Task<int> RunAsync(Arguments arguments, Output output)
    {
        if (arguments.Positionals.Count == 0)
        {
            return await AskAsync(arguments, output).ConfigureAwait(false);
        }

        DataplaneSpec spec = ConfigurationFile.Load(arguments.Positionals[0], MeshRuntime.ExpandOnce).GetSpec();
        string port = arguments.Get(s_port)!;
        if (spec.Ports.All(known => known.Name != port))
        {
            throw new UsageException($"--port \"{port}\": there is no such port; the ports are {string.Join(", ", spec.Ports.Select(known => known.Name))}.");
        }

        byte[] frame = ReadFrame(arguments);
        await using DataplaneEngine engine = OfflineEngine.Start(spec);
        Explanation explanation = engine.Explain(frame, port);
        if (arguments.Has(s_json))
        {
            await output.Out.WriteLineAsync(Json(explanation)).ConfigureAwait(false);
            return ExitCode.Ok;
        }

        await output.Out.WriteLineAsync(explanation.ToString()).ConfigureAwait(false);
        if (explanation.Reason == DropReason.NotForUs)
        {
            string remedy = HardwareAddresses.Remedy(HardwareAddresses.Complete(spec), port);
            await output.Error.WriteLineAsync($"The packet is for another station: {remedy}.").ConfigureAwait(false);
        }

        return ExitCode.Ok;
    }

    private static async Task<int> AskAsync(Arguments arguments, Output output)
    {
        using var frame = new ByteArrayContent(ReadFrame(arguments));
        using ControlClient client = BridgeOptions.Connect(arguments);
        ExplainReply reply = await client.SendAsync(HttpMethod.Post, $"/v1/explain?port={Uri.EscapeDataString(arguments.Get(s_port)!)}", frame, StatusJson.Default.ExplainReply).ConfigureAwait(false);
        await output.Out.WriteLineAsync(arguments.Has(s_json) ? Indented(reply.Explanation) : reply.Text).ConfigureAwait(false);
        if (reply.IsForAnother && !arguments.Has(s_json))
        {
            await output.Error.WriteLineAsync("The packet is for another station: its destination is not the hardware address of the port.").ConfigureAwait(false);
        }

        return ExitCode.Ok;
    }

    private static string Indented(JsonElement element)
    {
        var text = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(text, new JsonWriterOptions { Indented = true }))
        {
            element.WriteTo(json);
        }

        return Encoding.UTF8.GetString(text.WrittenSpan);
    }

    private static string Json(Explanation explanation)
    {
        var text = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(text, new JsonWriterOptions { Indented = true }))
        {
            explanation.WriteJson(json);
        }

        return Encoding.UTF8.GetString(text.WrittenSpan);
    }

    private static byte[] ReadFrame(Arguments arguments)
    {
        if (arguments.Has(s_hex) == arguments.Has(s_pcap))
        {
            throw new UsageException("Say which packet: either --hex BYTES or --pcap FILE.");
        }

        long? number = arguments.GetNumber(s_packet, 1, int.MaxValue);
        byte[] frame = arguments.Get(s_hex) is { } hex
            ? number is null ? HexText.Read(hex == "-" ? Console.In.ReadToEnd() : hex) : throw new UsageException("--packet belongs to --pcap.")
            : ReadCapture(arguments.Get(s_pcap)!, (int)(number ?? 1));
        return frame.Length <= ushort.MaxValue ? frame : throw new UsageException($"The packet has {frame.Length} bytes; 65535 is the most.");
    }

    private static byte[] ReadCapture(string path, int number)
    {
        if (!File.Exists(path))
        {
            throw new FileNotFoundException($"--pcap \"{path}\": there is no such file.");
        }

        using var capture = CaptureFileReader.Open(path);
        int count = 0;
        while (capture.Read())
        {
            if (++count == number)
            {
                return capture.Current.IsTruncated
                    ? throw new UsageException($"--packet {number}: {path} holds only {capture.Current.Bytes.Length} of its {capture.Current.OriginalLengthBytes} bytes.")
                    : capture.Current.Bytes.ToArray();
            }
        }

        throw new UsageException($"--packet {number}: {path} holds {count} packet{(count == 1 ? "" : "s")}.");
    }
}
