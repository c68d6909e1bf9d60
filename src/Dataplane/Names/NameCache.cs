using System.Buffers.Binary;

namespace Dataplane.Names;

/// <summary>Responses from upstream, as long as they say they hold. Any thread.</summary>
/// <remarks>Bounded; when full, what has run out goes, and if nothing has, everything: a cache is no store.</remarks>
internal sealed class NameCache(TimeProvider time)
{
    private const int MaxEntries = 4096;

    /// <summary>No record is kept longer than a day, no denial longer than three hours (RFC 2308 5).</summary>
    private const uint MaxSeconds = 86400, MaxDeniedSeconds = 10800;

    private readonly Dictionary<string, (byte[] Message, long Stored, uint Seconds)> _entries = new(StringComparer.Ordinal);
    private readonly Lock _gate = new();

    /// <summary>What tells one question from another: server, name in lower case, type, class, and the flags that change answers.</summary>
    public static string KeyOf(string server, ReadOnlySpan<byte> message, in NameQuery query)
    {
        byte[] lowered = new byte[DomainName.MaxWireBytes + (2 * NameHash.TailBytes)];
        NameHash.Lower(message.Slice(DnsWire.HeaderBytes, query.NameBytes), lowered);
        string flags = $"{query.Type} {query.Class} {query.HasEdns} {query.DnssecOk} {query.Flags & (DnsWire.CheckingDisabled | DnsWire.RecursionDesired)}";
        return $"{server} {Convert.ToHexString(lowered, 0, query.NameBytes)} {flags}";
    }

    /// <summary>A response to the query, with what is left of its times; null when there is none.</summary>
    public byte[]? Find(string key, ReadOnlySpan<byte> query, int questionBytes)
    {
        byte[] message;
        uint age;
        lock (_gate)
        {
            if (!_entries.TryGetValue(key, out (byte[] Message, long Stored, uint Seconds) entry))
            {
                return null;
            }

            age = (uint)time.GetElapsedTime(entry.Stored).TotalSeconds;
            if (age >= entry.Seconds)
            {
                _entries.Remove(key);
                return null;
            }

            message = [.. entry.Message];
        }

        query[..2].CopyTo(message);
        query.Slice(DnsWire.HeaderBytes, questionBytes).CopyTo(message.AsSpan(DnsWire.HeaderBytes));
        DnsMessage.Age(message, age);
        return message;
    }

    /// <summary>Keeps a response, if it says for how long.</summary>
    public void Store(string key, byte[] message)
    {
        int rcode = message[3] & 15;
        bool isDenied = rcode == DnsWire.NxDomain || BinaryPrimitives.ReadUInt16BigEndian(message.AsSpan(6)) == 0;
        if (rcode is not (DnsWire.NoError or DnsWire.NxDomain) || (message[2] & (DnsWire.Truncated >> 8)) != 0
            || DnsMessage.Age([.. message], 0) is not { } seconds || seconds == 0)
        {
            return;
        }

        lock (_gate)
        {
            if (_entries.Count >= MaxEntries)
            {
                foreach (string old in _entries.Where(entry => time.GetElapsedTime(entry.Value.Stored).TotalSeconds >= entry.Value.Seconds).Select(entry => entry.Key).ToArray())
                {
                    _entries.Remove(old);
                }

                if (_entries.Count >= MaxEntries)
                {
                    _entries.Clear();
                }
            }

            _entries[key] = (message, time.GetTimestamp(), Math.Min(seconds, isDenied ? MaxDeniedSeconds : MaxSeconds));
        }
    }
}
