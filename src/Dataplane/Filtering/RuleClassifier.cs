using System.Numerics;
using System.Runtime.Intrinsics;
using Dataplane.Packets;

namespace Dataplane.Filtering;

/// <summary>The rules of one family as rows of bits, so that a packet costs the same however many rules there are. Immutable.</summary>
/// <remarks>
/// Source, destination and service of a packet are looked up for their classes. Each class has a row with a bit for every rule that its packets can match;
/// the rules that all three rows and the row of live rules have in common match, and as bits stand in the order of rules, the lowest is
/// the first match (Lakshman and Stiliadis, SIGCOMM 1998, here with classes as in recursive flow classification).
/// Work is done in passes over the batch, so that many packets wait for memory at the same time.
/// </remarks>
internal sealed partial class RuleClassifier
{
    private readonly PrefixMap _source;
    private readonly PrefixMap _destination;
    private readonly ServiceMap _service;
    private readonly RuleService[] _services;

    // Rows of the classes one behind the other, each of _words 64-bit words.
    private readonly CacheLineArray<ulong> _sourceRows;
    private readonly CacheLineArray<ulong> _destinationRows;
    private readonly CacheLineArray<ulong> _serviceRows;
    private readonly int _words;

    /// <summary>By slot, which is the position of a rule's bit: the rule's number when this was built.</summary>
    public int[] Numbers { get; }

    /// <summary>64-bit words in a row.</summary>
    public int Words => _words;

    /// <summary>Bytes of what lookups read.</summary>
    public long SizeBytes => _source.SizeBytes + _destination.SizeBytes + _service.SizeBytes
        + (8L * (_sourceRows.Elements.Length + _destinationRows.Elements.Length + _serviceRows.Elements.Length));

    /// <summary>The first rule that each of some packets matches; others are left as they are.</summary>
    /// <remarks>The loops are in methods of their own: one that takes memory from the stack is compiled once and for all before anything is known about it.</remarks>
    /// <param name="live">Which of the rules are in force, and their numbers.</param>
    /// <param name="batch">The packets.</param>
    /// <param name="picks">Which of them, all of the family of this.</param>
    /// <param name="isV4">The family.</param>
    /// <param name="rules">Receives numbers of rules.</param>
    public void Find(LiveRules live, in FilterInput batch, ReadOnlySpan<byte> picks, bool isV4, Span<int> rules)
    {
        Span<int> sources = stackalloc int[PacketBatch.Capacity], destinations = stackalloc int[PacketBatch.Capacity];
        Span<int> services = stackalloc int[PacketBatch.Capacity];
        if (isV4)
        {
            _source.FindV4(batch.Frames, picks, isSource: true, sources);
            _destination.FindV4(batch.Frames, picks, isSource: false, destinations);
        }
        else
        {
            _source.FindV6(batch.Frames, picks, isSource: true, sources);
            _destination.FindV6(batch.Frames, picks, isSource: false, destinations);
        }

        _service.Find(batch, picks, services);
        if (_service.IsExact)
        {
            FindExact(live, picks, sources, destinations, services, rules);
        }
        else
        {
            FindAndCompare(live, batch, picks, sources, destinations, services, rules);
        }
    }

    /// <summary>The first live rule behind another that one packet matches, or <see cref="FilterProgram.NoRule"/>. Not for the fast path.</summary>
    /// <param name="live">Which of the rules are in force, and their numbers.</param>
    /// <param name="key">The packet's flow key, of the family of this.</param>
    /// <param name="word">From <see cref="TransportWord"/>.</param>
    /// <param name="after">Only rules behind the one of this number; -1: all.</param>
    public int Find(LiveRules live, in FlowKey key, uint word, int after)
    {
        bool isV4 = key.Family == (byte)IpFamily.V4;
        int source = isV4 ? _source.FindV4((uint)key.SourceLow) : _source.FindV6(key.SourceHigh, key.SourceLow);
        int destination = isV4 ? _destination.FindV4((uint)key.DestinationLow) : _destination.FindV6(key.DestinationHigh, key.DestinationLow);
        int service = _service.Find(word, key.SourcePort, key.DestinationPort);
        return FirstBehind(live, (source, destination, service), in key, word, after);
    }

    private void FindAndCompare(LiveRules live, in FilterInput batch, ReadOnlySpan<byte> picks, ReadOnlySpan<int> sources, ReadOnlySpan<int> destinations,
        ReadOnlySpan<int> services, Span<int> rules)
    {
        for (int i = 0; i < picks.Length; i++)
        {
            int packet = picks[i];
            rules[packet] = FirstBehind(live, (sources[i], destinations[i], services[i]), in batch.Frames[packet].Key, batch.Words[packet], FilterProgram.NoRule);
        }
    }

    private void FindExact(LiveRules live, ReadOnlySpan<byte> picks, ReadOnlySpan<int> sources, ReadOnlySpan<int> destinations, ReadOnlySpan<int> services, Span<int> rules)
    {
        ReadOnlySpan<int> numbers = live.Numbers;
        ReadOnlySpan<ulong> inForce = live.Bits;
        for (int i = 0; i < picks.Length; i++)
        {
            ReadOnlySpan<ulong> source = Row(in _sourceRows, sources[i]), destination = Row(in _destinationRows, destinations[i]);
            ReadOnlySpan<ulong> service = Row(in _serviceRows, services[i]);
            int word = FirstCommon(source, destination, service, inForce);
            if (word < inForce.Length)
            {
                ulong bits = source[word] & destination[word] & service[word] & inForce[word];
                rules[picks[i]] = numbers[(word * 64) + BitOperations.TrailingZeroCount(bits)];
            }
        }
    }

    /// <summary>The first word in which four rows have a bit in common; beyond the last when there is none.</summary>
    private static int FirstCommon(ReadOnlySpan<ulong> a, ReadOnlySpan<ulong> b, ReadOnlySpan<ulong> c, ReadOnlySpan<ulong> d)
    {
        if (VectorPaths.Use512)
        {
            if (d.Length == Vector512<ulong>.Count)
            {
                Vector512<ulong> only = Vector512.Create(a) & Vector512.Create(b) & Vector512.Create(c) & Vector512.Create(d);
                return BitOperations.TrailingZeroCount(NonZero(only) | (1u << Vector512<ulong>.Count));
            }

            int word = 0;
            for (; word <= d.Length - (2 * Vector512<ulong>.Count); word += 2 * Vector512<ulong>.Count)
            {
                Vector512<ulong> first = Vector512.Create(a[word..]) & Vector512.Create(b[word..]) & Vector512.Create(c[word..]) & Vector512.Create(d[word..]);
                int next = word + Vector512<ulong>.Count;
                Vector512<ulong> second = Vector512.Create(a[next..]) & Vector512.Create(b[next..]) & Vector512.Create(c[next..]) & Vector512.Create(d[next..]);
                uint lanes = NonZero(first) | (NonZero(second) << Vector512<ulong>.Count);
                if (lanes != 0)
                {
                    return word + BitOperations.TrailingZeroCount(lanes);
                }
            }

            return word;
        }

        if (VectorPaths.Use256)
        {
            for (int word = 0; word < d.Length; word += Vector256<ulong>.Count)
            {
                Vector256<ulong> common = Vector256.Create(a[word..]) & Vector256.Create(b[word..]) & Vector256.Create(c[word..]) & Vector256.Create(d[word..]);
                if (common != Vector256<ulong>.Zero)
                {
                    return word + BitOperations.TrailingZeroCount(~Vector256.Equals(common, Vector256<ulong>.Zero).ExtractMostSignificantBits());
                }
            }

            return d.Length;
        }

        int at = 0;
        while (at < d.Length && (a[at] & b[at] & c[at] & d[at]) == 0)
        {
            at++;
        }

        return at;
    }

    private static uint NonZero(Vector512<ulong> lanes) => (uint)~Vector512.Equals(lanes, Vector512<ulong>.Zero).ExtractMostSignificantBits() & 0xFF;

    private ReadOnlySpan<ulong> Row(in CacheLineArray<ulong> rows, int @class) => rows.Elements.AsSpan(rows.Start + (@class * _words), _words);

    private int FirstBehind(LiveRules live, (int Source, int Destination, int Service) classes, in FlowKey key, uint transport, int after)
    {
        ReadOnlySpan<ulong> source = Row(in _sourceRows, classes.Source), destination = Row(in _destinationRows, classes.Destination);
        ReadOnlySpan<ulong> service = Row(in _serviceRows, classes.Service), inForce = live.Bits;
        for (int word = 0; word < inForce.Length; word++)
        {
            for (ulong bits = source[word] & destination[word] & service[word] & inForce[word]; bits != 0; bits &= bits - 1)
            {
                int slot = (word * 64) + BitOperations.TrailingZeroCount(bits);
                if (live.Numbers[slot] > after && (_service.IsExact || _services[slot].Matches(transport, key.SourcePort, key.DestinationPort)))
                {
                    return live.Numbers[slot];
                }
            }
        }

        return FilterProgram.NoRule;
    }
}
