using Dataplane.Packets;

namespace Dataplane.Tests.Tracking;

/// <summary>
/// A TCP connection as seen from the middle, kept as plainly as can be: all numbers counted from the SYN in 64 bits, so that nothing wraps, and every
/// segment that has passed remembered. The tracker is held against it.
/// </summary>
internal sealed class TcpOracle(uint clientIsn, uint serverIsn)
{
    private readonly List<Segment> _passed = [];

    /// <summary>What one side has sent; numbers count from its SYN, which is 0.</summary>
    internal readonly record struct Segment(bool FromClient, long Sequence, int Bytes, long Acknowledgment, long Window, bool IsFin);

    /// <summary>The number on the wire.</summary>
    public uint OnWire(bool ofClient, long number) => unchecked((ofClient ? clientIsn : serverIsn) + (uint)number);

    /// <summary>Notes the three segments of the handshake: both have sent their SYN, and offer a window.</summary>
    public void Open(long clientWindow, long serverWindow)
    {
        _passed.Add(new Segment(true, 0, 1, 0, clientWindow, false));
        _passed.Add(new Segment(false, 0, 1, 1, serverWindow, false));
        _passed.Add(new Segment(true, 1, 0, 1, clientWindow, false));
    }

    /// <summary>Whether a segment can have been sent by an end that keeps to RFC 9293, as far as anybody in the middle can tell.</summary>
    public bool Allows(Segment segment)
    {
        Segment[] own = [.. _passed.Where(other => other.FromClient == segment.FromClient)], others = [.. _passed.Where(other => other.FromClient != segment.FromClient)];
        long end = segment.Sequence + segment.Bytes + (segment.IsFin ? 1 : 0);
        long offered = others.Where(other => other.Acknowledgment > 0).Select(other => other.Acknowledgment + Math.Max(other.Window, 1))
            .DefaultIfEmpty(1 + others[0].Window).Max();
        if (!segment.FromClient)
        {
            // The client's SYN has offered a window as well.
            offered = Math.Max(offered, 1 + others[0].Window);
        }

        long sent = own.Max(other => other.Sequence + other.Bytes + (other.IsFin ? 1 : 0)), back = others.Max(other => Math.Max(other.Window, 1));
        long received = others.Max(other => other.Sequence + other.Bytes + (other.IsFin ? 1 : 0));
        long slack = Math.Max(own.Max(other => Math.Max(other.Window, 1)), 66_000);
        return end <= offered && end >= sent - back && segment.Acknowledgment <= received && segment.Acknowledgment >= received - slack;
    }

    /// <summary>Remembers a segment that has passed.</summary>
    public void Pass(Segment segment) => _passed.Add(segment);

    /// <summary>The state by what has passed: both FINs acknowledged, one sent, or neither.</summary>
    public Dataplane.Tracking.TcpPhase Phase()
    {
        bool Finished(bool client) => _passed.Any(segment => segment.FromClient == client && segment.IsFin);
        bool Acknowledged(bool client) => Finished(client) && _passed.Any(segment => segment.FromClient != client
            && segment.Acknowledgment == _passed.Where(other => other.FromClient == client && other.IsFin).Max(other => other.Sequence + other.Bytes + 1));
        return Acknowledged(true) && Acknowledged(false) ? Dataplane.Tracking.TcpPhase.TimeWait
            : Finished(true) || Finished(false) ? Dataplane.Tracking.TcpPhase.Closing
            : Dataplane.Tracking.TcpPhase.Established;
    }
}
