using Dataplane.Capturing;
using Dataplane.Overlays;
using Dataplane.Pipeline;
using Dataplane.Telemetry;

namespace Dataplane.Tests.Capturing;

/// <summary>Captures everything from here on, and holds what is captured against the counters and against the frames that came out.</summary>
/// <remarks>
/// Received + originated = transmitted + dropped + held holds for the counters; so that it holds for a capture as well, each of its sums is to be the counter of the same name: packets
/// received, packets sent but for those that another worker then could not send, and packets dropped, by reason. What the engine has used is seen where it was received only.
/// </remarks>
internal sealed class CaptureLedger
{
    private const int MostWords = 4096;

    private readonly DataplaneEngine _engine;
    private readonly PacketCapture _capture;
    private readonly Accounting _before;
    private readonly long[] _dropped = new long[DropReasonNames.Count];
    private readonly List<string> _sent = [];
    private long _received;
    private long _transmitted;

    public CaptureLedger(DataplaneEngine engine, int bufferBytes = 1 << 20)
    {
        _engine = engine;
        _capture = engine.Capture(new CaptureOptions { BufferBytes = bufferBytes });
        _before = engine.ReadAccounting();
    }

    /// <summary>Packets the capture had no room for: with any, nothing can be compared.</summary>
    public bool HasMissed => _capture.NotCaptured > 0;

    /// <summary>What has been captured, each in words; of very much only the end.</summary>
    public List<string> Words { get; } = [];

    /// <summary>Reads on, and compares the sums. While no worker runs.</summary>
    public void AssertSums()
    {
        Read();
        if (HasMissed)
        {
            return;
        }

        Accounting now = _engine.ReadAccounting();
        Assert.True(_received == now.Received - _before.Received, $"captured {_received} received of {now.Received - _before.Received}{Context()}");
        long transmitted = now.Transmitted - _before.Transmitted;
        Assert.True(_transmitted == transmitted, $"captured {_transmitted} sent of {transmitted}{Context()}");
        foreach (DropReason reason in Enum.GetValues<DropReason>())
        {
            long dropped = now.DroppedFor(reason) - _before.DroppedFor(reason), captured = _dropped[(int)reason];
            Assert.True(CaptureFacts.IsConsumed(reason) ? captured <= dropped : captured == dropped, $"captured {captured} {reason.ToName()} of {dropped}{Context()}");
        }
    }

    /// <summary>Compares the frames that came out of all ports with those captured as sent: the same, as often, and with one worker in the same order. Behind <see cref="AssertSums"/>.</summary>
    /// <remarks>For planes without super-frames and unfinished checksums, which the last step finishes.</remarks>
    public void AssertSent(IEnumerable<(string Port, byte[] Frame)> frames)
    {
        Assert.False(HasMissed, "the capture had no room");
        List<string> seen = [.. frames.Select(frame => $"{frame.Port} {Convert.ToHexString(frame.Frame)}").OrderBy(OrderOf, StringComparer.Ordinal)];
        List<string> captured = [.. _sent.OrderBy(OrderOf, StringComparer.Ordinal)];
        _sent.Clear();
        Assert.True(seen.SequenceEqual(captured),
            $"not captured: {string.Join(", ", seen.Except(captured))}; captured as sent, but did not come out: {string.Join(", ", captured.Except(seen))}; or not in this order{Context()}");
    }

    /// <summary>Several workers come to a port in no order that a capture could know.</summary>
    private string OrderOf(string sent) => _engine.Workers.Count > 1 ? sent : sent[..sent.IndexOf(' ', StringComparison.Ordinal)];

    private string Context() => "; the last: " + string.Join(" | ", Words.TakeLast(12));

    private void Read()
    {
        for (int worker = 0; worker < _engine.Workers.Count; worker++)
        {
            CaptureRing ring = _capture.LaneOf(worker).Ring;
            while (ring.TryPeek(out CaptureRecord record, out ReadOnlySpan<byte> frame))
            {
                Count(in record, frame);
                ring.Release();
            }
        }
    }

    private void Count(in CaptureRecord record, ReadOnlySpan<byte> frame)
    {
        string port = CaptureWords.PortOf(in record, record.Direction == CaptureDirection.Sent ? record.OutPort : record.InPort);
        if (Words.Count == MostWords)
        {
            Words.RemoveRange(0, MostWords / 2);
        }

        Words.Add($"{port} {record.Direction} {record.Origin} {CaptureWords.Outcome(in record)}");
        switch (record.Direction)
        {
            case CaptureDirection.Sent when record.Tables!.Ports[record.OutPort] is OverlayPort:
                return;                                  // Held by the counters: it leaves in the packet around it.
            case CaptureDirection.Sent:
                _transmitted++;
                _sent.Add($"{port} {Convert.ToHexString(frame)}");
                return;
            case CaptureDirection.Received when record.Origin == CaptureOrigin.Received:
                _received++;
                break;
        }

        if (record.Verdict == Verdict.Drop)
        {
            _dropped[(int)record.Reason]++;
            _transmitted -= record.Origin == CaptureOrigin.Relayed ? 1 : 0;
        }
    }
}
