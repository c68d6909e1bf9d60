using System.Numerics;
using System.Runtime.InteropServices;
using Dataplane.Native;
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

    private readonly BitRowTable _rows;
    private readonly RuleTables _tables;

    /// <summary>By slot, which is the position of a bit: the number of a rule when this was built, or -1. A rule may have several.</summary>
    public int[] Numbers { get; }

    /// <summary>64-bit words in a row.</summary>
    public int Words => _rows.Words;

    /// <summary>Bytes of what lookups read.</summary>
    public long SizeBytes => _tables.SizeBytes;

    /// <summary>The first rule that each of some packets matches; others are left as they are.</summary>
    /// <param name="live">Which of the rules are in force, and their numbers.</param>
    /// <param name="batch">The packets.</param>
    /// <param name="picks">Which of them, all of the family of this.</param>
    /// <param name="isV4">The family.</param>
    /// <param name="rules">Receives numbers of rules.</param>
    public void Find(LiveRules live, in FilterInput batch, ReadOnlySpan<byte> picks, bool isV4, Span<int> rules)
    {
        if (_service.IsExact)
        {
            _tables.Find(isV4, MemoryMarshal.AsBytes(batch.Frames), batch.Words, picks, live.Bits, live.Numbers, rules);
            return;
        }

        for (int i = 0; i < picks.Length; i++)
        {
            rules[picks[i]] = Find(live, in batch.Frames[picks[i]].Key, batch.Words[picks[i]], FilterProgram.NoRule);
        }
    }

    /// <summary>The first rule that each packet of a batch matches, if all are IPv4 and no more has to be looked at than their ports; else false.</summary>
    public bool TryFindAllV4(LiveRules live, ReadOnlySpan<ParsedFrame> frames, byte port, Span<int> rules) =>
        _service.IsExact && _tables.TryFindAll4(MemoryMarshal.AsBytes(frames), port, live.Bits, live.Numbers, rules[..frames.Length]);

    /// <summary>The first live rule behind another that one packet matches, or <see cref="FilterProgram.NoRule"/>. Not for the fast path.</summary>
    /// <param name="live">Which of the rules are in force, and their numbers.</param>
    /// <param name="key">The packet's flow key, of the family of this.</param>
    /// <param name="word">From <see cref="TransportWord"/>.</param>
    /// <param name="after">Only rules behind the one of this number; -1: all.</param>
    public int Find(LiveRules live, in FlowKey key, uint word, int after)
    {
        bool isV4 = key.Family == (byte)IpFamily.V4;
        int source = _source.Table.Find(isV4, key.SourceHigh, key.SourceLow), destination = _destination.Table.Find(isV4, key.DestinationHigh,
            key.DestinationLow);
        int service = _service.Find(word, key.SourcePort, key.DestinationPort);
        return FirstBehind(live, (source, destination, service), in key, word, after);
    }

    private int FirstBehind(LiveRules live, (int Source, int Destination, int Service) classes, in FlowKey key, uint transport, int after)
    {
        ReadOnlySpan<ulong> inForce = live.Bits;
        int first = int.MaxValue;
        for (int word = 0; word < inForce.Length; word++)
        {
            ulong common = _rows.Common(classes.Source, classes.Destination, classes.Service, word) & inForce[word];
            for (ulong bits = common; bits != 0; bits &= bits - 1)
            {
                int slot = (word * 64) + BitOperations.TrailingZeroCount(bits), number = live.Numbers[slot];
                if (number > after && number < first && (_service.IsExact || _services[slot].Matches(transport, key.SourcePort, key.DestinationPort)))
                {
                    first = number;
                }
            }
        }

        return first == int.MaxValue ? FilterProgram.NoRule : first;
    }
}
