namespace Dataplane.Ports;

/// <summary>What happened to connections how often, and why the last one ended. Any thread.</summary>
internal sealed class StreamEvents
{
    private readonly long[] _counts = new long[StreamReasons.Count];
    private readonly Lock _lock = new();
    private StreamEnd _last = new(StreamReason.NoPeer);

    /// <summary>Why the last connection ended, or was not made, in words.</summary>
    public string Last
    {
        get
        {
            lock (_lock)
                return _last.ToString();
        }
    }

    /// <summary>How often something happened.</summary>
    public long this[StreamReason reason] => Volatile.Read(ref _counts[(int)reason]);

    /// <summary>Notes why a peer is gone or was not let in.</summary>
    public void Note(StreamEnd end)
    {
        Interlocked.Increment(ref _counts[(int)end.Reason]);

        // That somebody else was turned away is no reason why the link is down.
        if (end.Reason is StreamReason.SecondPeer)
            return;
        lock (_lock)
            _last = end;
    }

    /// <summary>What happened, with the names of the counters.</summary>
    public IReadOnlyList<PortEvent> Read()
    {
        var result = new List<PortEvent>();
        for (int reason = 0; reason < _counts.Length; reason++)
        {
            string name = StreamReasons.NameOf((StreamReason)reason);
            long count = Volatile.Read(ref _counts[reason]);
            if (name.Length > 0 && count > 0)
                result.Add(new PortEvent(name, count));
        }

        return result;
    }
}
