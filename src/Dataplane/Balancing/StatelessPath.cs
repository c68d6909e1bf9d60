namespace Dataplane.Balancing;

/// <summary>Whether a worker serves new connections without flows, since there is no room for them, and for whom it has done so. Written by the worker, read by any thread.</summary>
/// <remarks>
/// Memory is fixed, 64 KB: two sets of hashes, of a bit each, of what answers will look like; the older one is forgotten every minute. So an answer is known to belong to
/// a connection that came by the service, but for one in a hundred thousand times the connections of the last two minutes over three (2^18 bits): a backend may be
/// spoken to past its service meanwhile.
/// </remarks>
internal sealed class StatelessPath
{
    /// <summary>How long after the last packet that found no room answers are looked for that belong to no flow.</summary>
    public const long HoldNs = 60_000_000_000;

    private const int Words = 4096;

    private ulong[] _now = new ulong[Words], _before = new ulong[Words];
    private long _untilNs = long.MinValue;
    private long _turnNs;
    private long _packets;
    private long _switches;

    /// <summary>Packets forwarded without a flow, both ways.</summary>
    public long Packets => Volatile.Read(ref _packets);

    /// <summary>How often it was begun with.</summary>
    public long Switches => Volatile.Read(ref _switches);

    /// <summary>Whether a packet has found no room within the last minute.</summary>
    public bool IsOn(long nowNs) => nowNs < Volatile.Read(ref _untilNs);

    /// <summary>Notes a packet to a service that is forwarded without a flow.</summary>
    /// <param name="nowNs">Worker time.</param>
    /// <param name="back">Hash of what its answer looks like.</param>
    public void Note(long nowNs, uint back)
    {
        if (!IsOn(nowNs))
        {
            Volatile.Write(ref _switches, _switches + 1);
            Array.Clear(_now);
            Array.Clear(_before);
            _turnNs = nowNs + HoldNs;
        }
        else if (nowNs >= _turnNs)
        {
            (_now, _before) = (_before, _now);
            Array.Clear(_now);
            _turnNs = nowNs + HoldNs;
        }

        Volatile.Write(ref _untilNs, nowNs + HoldNs);
        _now[back >> 6 & (Words - 1)] |= 1UL << (int)(back & 63);
        Count();
    }

    /// <summary>Whether an answer is one to a packet that was forwarded without a flow.</summary>
    public bool Expects(uint hash) => ((_now[hash >> 6 & (Words - 1)] | _before[hash >> 6 & (Words - 1)]) >> (int)(hash & 63) & 1) != 0;

    /// <summary>Counts a packet.</summary>
    public void Count() => Volatile.Write(ref _packets, _packets + 1);
}
