using System.Numerics;
using System.Runtime.Intrinsics;
using Dataplane.Packets;

namespace Dataplane.Filtering;

/// <summary>The rules that can match packets of one family, compared eight at a time (see <see cref="RuleLanes"/>). Immutable.</summary>
/// <remarks>A packet's fields are spread over all lanes once and compared with block after block; the lowest lane left is the first match.</remarks>
internal sealed class RuleList
{
    private const uint AllLanes = (1 << RuleLanes.Count) - 1;

    private readonly uint[] _words;
    private readonly int _start;
    private readonly int[] _numbers;

    /// <summary>Lays out rules.</summary>
    /// <param name="rules">All rules in order.</param>
    /// <param name="numbers">Numbers of those to take, in order; what no packet of the family can match is left out.</param>
    /// <param name="family">The family.</param>
    public RuleList(ReadOnlySpan<CompiledRule> rules, ReadOnlySpan<int> numbers, IpFamily family)
    {
        (int blockLength, int addressWords) = family == IpFamily.V4 ? (RuleLanes.BlockLengthV4, 1) : (RuleLanes.BlockLengthV6, 4);
        var mine = new List<int>(numbers.Length);
        foreach (int number in numbers)
        {
            if (rules[number].Condition.CanMatch(family))
            {
                mine.Add(number);
            }
        }

        int blocks = (mine.Count + RuleLanes.Count - 1) / RuleLanes.Count;
        var words = new CacheLineArray<uint>(blocks * blockLength);
        (_words, _start) = (words.Elements, words.Start);
        _numbers = new int[blocks * RuleLanes.Count];
        for (int index = 0; index < _numbers.Length; index++)
        {
            (int block, int lane) = Math.DivRem(index, RuleLanes.Count);
            var rule = new RuleLane(_words.AsSpan(_start + (block * blockLength) + lane), addressWords);
            if (index < mine.Count)
            {
                _numbers[index] = mine[index];
                rule.Fill(rules[mine[index]].Condition);
            }
            else
            {
                _numbers[index] = int.MaxValue;
                rule.FillWithNothing();
            }
        }
    }

    /// <summary>Whether there is no rule to compare with.</summary>
    public bool IsEmpty => _numbers.Length == 0;

    /// <summary>Puts the first rule that each packet of the family matches in place of one that comes later, or of none.</summary>
    /// <param name="batch">The packets.</param>
    /// <param name="isV4">The family of this.</param>
    /// <param name="rules">Numbers of rules.</param>
    public void Find(in FilterInput batch, bool isV4, Span<int> rules)
    {
        byte family = isV4 ? (byte)IpFamily.V4 : (byte)IpFamily.V6;
        for (int packet = 0; packet < batch.Frames.Length && !IsEmpty; packet++)
        {
            ref readonly FlowKey key = ref batch.Frames[packet].Key;
            if (key.Family == family)
            {
                int rule = isV4 ? FindV4(in key, batch.Words[packet], FilterProgram.NoRule) : FindV6(in key, batch.Words[packet], FilterProgram.NoRule);
                rules[packet] = (int)Math.Min((uint)rules[packet], (uint)rule);
            }
        }
    }

    /// <summary>The number of the first rule that an IPv4 packet matches, or -1.</summary>
    /// <param name="key">The packet's flow key.</param>
    /// <param name="transport">From <see cref="TransportWord"/>.</param>
    /// <param name="after">Only rules behind the one of this number; -1: all.</param>
    public int FindV4(in FlowKey key, uint transport, int after)
    {
        int first = FirstBehind(after);
        uint lanes = AllLanes << (first % RuleLanes.Count);
        Vector256<uint> source = Vector256.Create((uint)key.SourceLow), destination = Vector256.Create((uint)key.DestinationLow);
        Vector256<uint> others = Vector256.Create(transport);
        Vector256<uint> sourcePort = Vector256.Create((uint)key.SourcePort), destinationPort = Vector256.Create((uint)key.DestinationPort);
        for (int index = first & -RuleLanes.Count; index < _numbers.Length; index += RuleLanes.Count, lanes = AllLanes)
        {
            ReadOnlySpan<uint> block = new(_words, _start + (index / RuleLanes.Count * RuleLanes.BlockLengthV4), RuleLanes.BlockLengthV4);
            Vector256<uint> differences = RuleLanes.Differences(block, RuleLanes.AddressField, source)
                | RuleLanes.Differences(block, RuleLanes.AddressField + 1, destination)
                | RuleLanes.Differences(block, RuleLanes.TransportField, others)
                | RuleLanes.OutOfRange(block, RuleLanes.SourcePortField, sourcePort)
                | RuleLanes.OutOfRange(block, RuleLanes.DestinationPortField, destinationPort);
            lanes &= Vector256.Equals(differences, Vector256<uint>.Zero).ExtractMostSignificantBits();
            if (lanes != 0)
            {
                return _numbers[index + BitOperations.TrailingZeroCount(lanes)];
            }
        }

        return FilterProgram.NoRule;
    }

    /// <summary>The number of the first rule that an IPv6 packet matches, or -1.</summary>
    /// <param name="key">The packet's flow key.</param>
    /// <param name="transport">From <see cref="TransportWord"/>.</param>
    /// <param name="after">Only rules behind the one of this number; -1: all.</param>
    public int FindV6(in FlowKey key, uint transport, int after)
    {
        int first = FirstBehind(after);
        uint lanes = AllLanes << (first % RuleLanes.Count);
        Vector256<uint> source0 = Vector256.Create((uint)(key.SourceHigh >> 32)), source1 = Vector256.Create((uint)key.SourceHigh);
        Vector256<uint> source2 = Vector256.Create((uint)(key.SourceLow >> 32)), source3 = Vector256.Create((uint)key.SourceLow);
        Vector256<uint> destination0 = Vector256.Create((uint)(key.DestinationHigh >> 32)), destination1 = Vector256.Create((uint)key.DestinationHigh);
        Vector256<uint> destination2 = Vector256.Create((uint)(key.DestinationLow >> 32)), destination3 = Vector256.Create((uint)key.DestinationLow);
        Vector256<uint> others = Vector256.Create(transport);
        Vector256<uint> sourcePort = Vector256.Create((uint)key.SourcePort), destinationPort = Vector256.Create((uint)key.DestinationPort);
        for (int index = first & -RuleLanes.Count; index < _numbers.Length; index += RuleLanes.Count, lanes = AllLanes)
        {
            ReadOnlySpan<uint> block = new(_words, _start + (index / RuleLanes.Count * RuleLanes.BlockLengthV6), RuleLanes.BlockLengthV6);
            Vector256<uint> sources = RuleLanes.Differences(block, RuleLanes.AddressField, source0)
                | RuleLanes.Differences(block, RuleLanes.AddressField + 1, source1)
                | RuleLanes.Differences(block, RuleLanes.AddressField + 2, source2)
                | RuleLanes.Differences(block, RuleLanes.AddressField + 3, source3);
            Vector256<uint> destinations = RuleLanes.Differences(block, RuleLanes.AddressField + 4, destination0)
                | RuleLanes.Differences(block, RuleLanes.AddressField + 5, destination1)
                | RuleLanes.Differences(block, RuleLanes.AddressField + 6, destination2)
                | RuleLanes.Differences(block, RuleLanes.AddressField + 7, destination3);
            Vector256<uint> differences = sources | destinations
                | RuleLanes.Differences(block, RuleLanes.TransportField, others)
                | RuleLanes.OutOfRange(block, RuleLanes.SourcePortField, sourcePort)
                | RuleLanes.OutOfRange(block, RuleLanes.DestinationPortField, destinationPort);
            lanes &= Vector256.Equals(differences, Vector256<uint>.Zero).ExtractMostSignificantBits();
            if (lanes != 0)
            {
                return _numbers[index + BitOperations.TrailingZeroCount(lanes)];
            }
        }

        return FilterProgram.NoRule;
    }

    private int FirstBehind(int after)
    {
        if (after < 0)
        {
            return 0;
        }

        int index = Array.BinarySearch(_numbers, after + 1);
        return index >= 0 ? index : ~index;
    }
}
