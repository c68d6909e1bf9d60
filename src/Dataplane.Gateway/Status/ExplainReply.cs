using System.Buffers;
using System.Text.Json;
using Dataplane.Pipeline;
using Dataplane.Telemetry;

namespace Dataplane.Gateway.Status;

/// <summary>What a running gateway says about a packet.</summary>
/// <param name="Text">For people.</param>
/// <param name="IsForAnother">Whether it is dropped because its destination is another station's hardware address.</param>
/// <param name="Explanation">For programs.</param>
internal sealed record ExplainReply(string Text, bool IsForAnother, JsonElement Explanation)
{
    public static ExplainReply Of(Explanation explanation)
    {
        var text = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(text))
        {
            explanation.WriteJson(json);
        }

        using var document = JsonDocument.Parse(text.WrittenMemory);
        return new ExplainReply(explanation.ToString(), explanation.Reason == DropReason.NotForUs, document.RootElement.Clone());
    }
}
