using System.Globalization;
using System.Text;
using System.Text.Json;
using Dataplane.Pipeline;

namespace Dataplane.Telemetry;

/// <summary>Why the engine does with a packet what it does: every stage, what it looked at, what it decided.</summary>
public sealed record Explanation
{
    /// <summary>Name of the port the packet was said to come by.</summary>
    public required string Port { get; init; }

    /// <summary>The packet as it came.</summary>
    public required ReadOnlyMemory<byte> Frame { get; init; }

    /// <summary>What the parser found in it.</summary>
    public required ParsedPacket Parsed { get; init; }

    /// <summary>The stages in order.</summary>
    public required IReadOnlyList<ExplainStep> Steps { get; init; }

    /// <summary>What becomes of it: transmit, drop or hold.</summary>
    public required Verdict Verdict { get; init; }

    /// <summary>Why it is dropped; <see cref="DropReason.None"/> otherwise.</summary>
    public required DropReason Reason { get; init; }

    /// <summary>Name of the port it leaves by; null when it does not.</summary>
    public required string? OutPort { get; init; }

    /// <summary>The packet as it leaves; empty when it does not.</summary>
    public required ReadOnlyMemory<byte> Output { get; init; }

    /// <summary>Frames the engine makes because of it, such as an ICMP error or an ARP request.</summary>
    public required IReadOnlyList<byte[]> Originated { get; init; }

    /// <summary>Version of the tables that were asked.</summary>
    public required int TablesVersion { get; init; }

    /// <summary>Writes everything as one JSON object.</summary>
    public void WriteJson(Utf8JsonWriter json)
    {
        ArgumentNullException.ThrowIfNull(json);
        json.WriteStartObject();
        json.WriteString("port", Port);
        json.WriteNumber("length", Frame.Length);
        json.WritePropertyName("parsed");
        Parsed.WriteJson(json);
        json.WriteStartArray("steps");
        foreach (ExplainStep step in Steps)
        {
            json.WriteStartObject();
            json.WriteString("stage", step.Stage);
            json.WriteString("outcome", step.Outcome);
            json.WriteString("detail", step.Detail);
            foreach ((string name, object? value) in step.Values)
            {
                WriteValue(json, name, value);
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteString("verdict", VerdictName);
        json.WriteString("reason", Reason == DropReason.None ? null : Reason.ToName());
        json.WriteString("out_port", OutPort);
        json.WriteString("frame", Output.IsEmpty ? null : Convert.ToHexStringLower(Output.Span));
        json.WriteStartArray("originated");
        foreach (byte[] frame in Originated)
        {
            json.WriteStringValue(Convert.ToHexStringLower(frame));
        }

        json.WriteEndArray();
        json.WriteNumber("tables_version", TablesVersion);
        json.WriteEndObject();
    }

    /// <summary>The explanation as lines of text, one per stage.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{Frame.Length} {(Frame.Length == 1 ? "byte" : "bytes")} on {Port}: {Summary()}").AppendLine();
        foreach (ExplainStep step in Steps)
        {
            text.Append(CultureInfo.InvariantCulture, $"  {step.Stage,-20} {step.Outcome,-18} {step.Detail}").AppendLine();
        }

        string end = Verdict == Verdict.Drop ? $"dropped: {Reason.ToName()}" : OutPort is null ? VerdictName : $"{VerdictName} by {OutPort}, {Output.Length} bytes";
        text.Append(CultureInfo.InvariantCulture, $"  => {end}");
        if (Originated.Count > 0)
        {
            text.Append(CultureInfo.InvariantCulture, $"; the engine sends {Originated.Count} packet{(Originated.Count == 1 ? "" : "s")} of its own");
        }

        return text.ToString();
    }

    private string VerdictName => Verdict.ToString().ToLowerInvariant();

    private string Summary()
    {
        if (Parsed.Source is null)
        {
            return string.Create(CultureInfo.InvariantCulture, $"ether type 0x{Parsed.EtherType:x4}");
        }

        string protocol = Parsed.Protocol switch { 1 => "ICMP", 6 => "TCP", 17 => "UDP", 58 => "ICMPv6", _ => $"protocol {Parsed.Protocol}" };
        string from = Parsed.SourcePort is null ? $"{Parsed.Source}" : $"{Parsed.Source} port {Parsed.SourcePort}";
        string to = Parsed.DestinationPort is null ? $"{Parsed.Destination}" : $"{Parsed.Destination} port {Parsed.DestinationPort}";
        return $"{protocol} {from} > {to}";
    }

    private static void WriteValue(Utf8JsonWriter json, string name, object? value)
    {
        switch (value)
        {
            case null:
                json.WriteNull(name);
                break;
            case bool flag:
                json.WriteBoolean(name, flag);
                break;
            case int or long or uint or byte or ushort:
                json.WriteNumber(name, Convert.ToInt64(value, CultureInfo.InvariantCulture));
                break;
            case string[] list:
                json.WriteStartArray(name);
                foreach (string item in list)
                {
                    json.WriteStringValue(item);
                }

                json.WriteEndArray();
                break;
            default:
                json.WriteString(name, value.ToString());
                break;
        }
    }
}
