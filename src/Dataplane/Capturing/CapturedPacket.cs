using System.Globalization;
using Dataplane.Pipeline;

namespace Dataplane.Capturing;

/// <summary>One packet of a capture, and what became of it.</summary>
public sealed record CapturedPacket
{
    /// <summary>When its worker began the round in which it was seen, in nanoseconds since 1970-01-01 UTC: packets of one round have the same.</summary>
    public required long UnixNs { get; init; }

    /// <summary>Name of the port it was seen at; empty for packets of the engine that were not sent.</summary>
    public required string Port { get; init; }

    /// <summary>Where it was seen.</summary>
    public required CaptureDirection Direction { get; init; }

    /// <summary>Its first bytes, from the first MAC byte, as many as the capture keeps.</summary>
    public required ReadOnlyMemory<byte> Frame { get; init; }

    /// <summary>Bytes of the whole frame, without FCS.</summary>
    public required int LengthBytes { get; init; }

    /// <summary>What became of it: transmit, drop or hold.</summary>
    public required Verdict Verdict { get; init; }

    /// <summary>Why it was dropped; <see cref="DropReason.None"/> otherwise.</summary>
    public required DropReason Reason { get; init; }

    /// <summary>What became of it and what decided, in words: ways in and out, drop reason, rule, service, backend, next hop.</summary>
    public required string Outcome { get; init; }

    /// <summary>One line: time of day (UTC), port, direction, addresses, length, outcome.</summary>
    public override string ToString()
    {
        string direction = Direction switch { CaptureDirection.Received => "in", CaptureDirection.Sent => "out", _ => "-" };
        string time = DateTime.UnixEpoch.AddTicks(UnixNs / 100).ToString("HH:mm:ss.fffffff", CultureInfo.InvariantCulture);
        return string.Create(CultureInfo.InvariantCulture, $"{time}{UnixNs % 100:D2} {(Port.Length == 0 ? "-" : Port)} {direction} {CaptureWords.Summary(Frame.Span)}, length {LengthBytes}: {Outcome}");
    }
}
