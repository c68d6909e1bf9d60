using System.Text.Json;
using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Telemetry;

/// <summary>Writes one line of JSON for every packet received: what was decided, and why.</summary>
internal sealed class DecisionLog : IBatchObserver, IAsyncDisposable
{
    private readonly Stream _stream;
    private readonly string[] _ports;
    private readonly MemoryStream _line = new();
    private readonly Utf8JsonWriter _json;
    private long _number;

    public DecisionLog(Stream stream, string[] ports)
    {
        _stream = new BufferedStream(stream, 1 << 16);
        _ports = ports;
        _json = new Utf8JsonWriter(_line);
    }

    public void Observe(PacketBatch batch)
    {
        for (int i = 0; i < batch.Count; i++)
        {
            Verdict verdict = batch.VerdictOf(i);
            _line.SetLength(0);
            _json.Reset();
            _json.WriteStartObject();
            _json.WriteNumber("packet", ++_number);
            _json.WriteNumber("time_ns", batch.NowNs);
            _json.WriteString("port", _ports[batch.Port.Value]);
            _json.WriteString("verdict", verdict.ToString().ToLowerInvariant());
            _json.WriteString("reason", verdict == Verdict.Drop ? batch.ReasonOf(i).ToName() : null);
            _json.WriteString("out_port", verdict == Verdict.Transmit ? _ports[batch.OutPortOf(i).Value] : null);
            _json.WriteEndObject();
            _json.Flush();
            _line.WriteByte((byte)'\n');
            _stream.Write(_line.GetBuffer(), 0, (int)_line.Length);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stream.FlushAsync().ConfigureAwait(false);
        await _json.DisposeAsync().ConfigureAwait(false);
    }
}
