using System.Runtime.InteropServices;
using Dataplane.Benchmarks.Filtering;
using Dataplane.Filtering;
using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Tests.Support;

namespace Dataplane.Tests.Filtering;

/// <summary>Large rule sets in the shapes of ClassBench, against a linear scan.</summary>
public sealed class RuleSetTests
{
    public static TheoryData<string, IpFamily, int> Sets
    {
        get
        {
            var sets = new TheoryData<string, IpFamily, int>();
            foreach (RuleShape shape in RuleShape.All)
            {
                foreach (IpFamily family in new[] { IpFamily.V4, IpFamily.V6 })
                {
                    sets.Add(shape.Name, family, 300);
                    sets.Add(shape.Name, family, 1_000);
                    sets.Add(shape.Name, family, 10_000);
                }
            }

            return sets;
        }
    }

    [Theory]
    [MemberData(nameof(Sets))]
    public void Match_RulesOfAShape_AgreesWithLinearScan(string shape, IpFamily family, int count)
    {
        FilterRuleSpec[] rules = Rules(shape, count, family, withFlags: true);
        ParsedFrame[] frames = RuleSets.Trace(rules, 512);
        Check(FilterProgram.Compile(new FilterSpec { Rules = rules }, _ => -1), rules, frames);
    }

    /// <summary>Without flags and in IPv4 alone a batch takes a shorter way.</summary>
    [Theory]
    [InlineData("acl1", 1_000)]
    [InlineData("fw1", 400)]
    [InlineData("ipc1", 10_000)]
    public void Match_RulesWithoutFlags_AgreesWithLinearScan(string shape, int count)
    {
        FilterRuleSpec[] rules = Rules(shape, count, IpFamily.V4, withFlags: false);
        ParsedFrame[] frames = RuleSets.Trace(rules, 1024);
        frames[3].Headers.Fragment = FragmentKind.Later;
        frames[5].Headers.TransportOffset = 0;
        frames[7].Headers.Fragment = FragmentKind.First;
        FilterProgram program = FilterProgram.Compile(new FilterSpec { Rules = rules }, _ => -1);
        Check(program, rules, frames);
        frames[300] = default;
        frames[301].Key = FlowKey.Create(IpAddress.FromV6(1, 1), 1, IpAddress.FromV6(2, 2), 2, 6);
        Check(program, rules, frames);
    }

    [Theory]
    [InlineData("fw1", IpFamily.V4)]
    [InlineData("acl1", IpFamily.V6)]
    public void Match_HundredThousandRules_AgreesWithLinearScan(string shape, IpFamily family)
    {
        FilterRuleSpec[] rules = Rules(shape, 100_000, family, withFlags: false);
        ParsedFrame[] frames = RuleSets.Trace(rules, 256);
        FilterProgram program = FilterProgram.Compile(new FilterSpec { Rules = rules }, _ => -1);
        Check(program, rules, frames);
    }

    /// <summary>Ranges that have nothing in common: their borders are too many to be told apart, and the rules found are compared.</summary>
    [Fact]
    public void Match_ThousandsOfPortRanges_AgreesWithLinearScan()
    {
        var random = new Random(1);
        FilterRuleSpec[] rules = [.. Enumerable.Range(0, 3_000).Select(_ =>
            new FilterRuleSpec { Protocol = 17, FromPort = Range(random), ToPort = Range(random) })];
        ParsedFrame[] frames = RuleSets.Trace(rules, 512);
        FilterProgram program = FilterProgram.Compile(new FilterSpec { Rules = rules }, _ => -1);
        Check(program, rules, frames);
        Assert.InRange(program.SizeBytes, 1, 200 << 20);
    }

    [Fact]
    public void Match_EveryBatchLength_AnswersThatManyPackets()
    {
        FilterRuleSpec[] rules = Rules("acl1", 500, IpFamily.V4, withFlags: false);
        ParsedFrame[] frames = RuleSets.Trace(rules, 256);
        FilterProgram program = FilterProgram.Compile(new FilterSpec { Rules = rules }, _ => -1);
        int[] all = new int[256], some = new int[257];
        program.Match(frames, 0, all);
        for (int count = 0; count <= 256; count++)
        {
            Array.Fill(some, -7);
            program.Match(frames.AsSpan(0, count), 0, some);
            Assert.Equal(all[..count], some[..count]);
            Assert.Equal(-7, some[count]);
        }
    }

    /// <summary>The frames end where the memory ends, and so do the answers: a step too far ends the process.</summary>
    [Theory]
    [InlineData(IpFamily.V4, false)]
    [InlineData(IpFamily.V4, true)]
    [InlineData(IpFamily.V6, false)]
    public void Match_BeforeAGuardPage_StaysInside(IpFamily family, bool withFlags)
    {
        FilterRuleSpec[] rules = Rules("ipc1", 2_000, family, withFlags);
        ParsedFrame[] frames = RuleSets.Trace(rules, 256);
        FilterProgram program = FilterProgram.Compile(new FilterSpec { Rules = rules }, _ => -1);
        int[] expected = new int[256];
        program.Match(frames, 0, expected);
        foreach (int count in new[] { 1, 2, 7, 63, 64, 255, 256 })
        {
            using MappedRegion memory = MappedRegion.WithGuardPage(count * 64), answers = MappedRegion.WithGuardPage(count * sizeof(int));
            Span<ParsedFrame> copy = MemoryMarshal.Cast<byte, ParsedFrame>(memory.Span);
            Span<int> found = MemoryMarshal.Cast<byte, int>(answers.Span);
            frames.AsSpan(0, count).CopyTo(copy);
            program.Match(copy, 0, found);
            Assert.Equal(expected.AsSpan(0, count), found);
        }
    }

    [Fact]
    public void Match_Batches_AllocateNothing()
    {
        FilterRuleSpec[] rules = [.. Rules("ipc1", 2_000, IpFamily.V4, withFlags: true), .. Rules("ipc1", 500, IpFamily.V6, withFlags: true)];
        rules = [.. rules.Select((rule, i) => rule with { Name = $"n{i}" })];
        ParsedFrame[] frames = RuleSets.Trace(rules, 256);
        FilterProgram program = FilterProgram.Compile(new FilterSpec { Rules = rules }, _ =>
            -1).Insert(17, new FilterRuleSpec { Name = "late", Protocol = 1 }, _ => -1);
        int[] found = new int[256];
        Allocations.AssertNone(1_000, () => program.Match(frames, 0, found));
        Assert.Contains(found, rule => rule != FilterProgram.NoRule);
    }

    internal static FilterRuleSpec[] Rules(string shape, int count, IpFamily family, bool withFlags) =>
        RuleSets.Make(RuleShape.All.Single(entry => entry.Name == shape), count, seed: count, family, withFlags);

    internal static void Check(FilterProgram program, IReadOnlyList<FilterRuleSpec> rules, ParsedFrame[] frames)
    {
        int[] found = new int[frames.Length];
        int matched = 0;
        for (int i = 0; i < frames.Length; i += 256)
        {
            program.Match(frames.AsSpan(i, 256), 0, found.AsSpan(i, 256));
        }

        for (int i = 0; i < frames.Length; i++)
        {
            int first = Next(rules, 0, in frames[i].Key, in frames[i].Headers);
            Assert.Equal(first, found[i]);
            Assert.Equal(first, program.Match(in frames[i].Key, in frames[i].Headers, 0));
            if (first >= 0)
            {
                Assert.Equal(Next(rules, first + 1, in frames[i].Key, in frames[i].Headers), program.MatchAfter(first, in frames[i].Key,
                    in frames[i].Headers, 0));
                matched++;
            }
        }

        Assert.InRange(matched, frames.Length / 2, frames.Length);
    }

    private static int Next(IReadOnlyList<FilterRuleSpec> rules, int from, in FlowKey key, in PacketHeaders headers)
    {
        for (int rule = from; key.Family != 0 && rule < rules.Count; rule++)
        {
            if (PlainFilter.Matches(rules[rule], in key, in headers, 0, _ => -1))
            {
                return rule;
            }
        }

        return FilterProgram.NoRule;
    }

    private static PortRange Range(Random random)
    {
        int a = random.Next(1 << 16), b = random.Next(1 << 16);
        return new PortRange((ushort)Math.Min(a, b), (ushort)Math.Max(a, b));
    }
}
