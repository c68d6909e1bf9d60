using Dataplane.Filtering;
using Dataplane.Packets;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Filtering;

/// <summary>Rules that come and go one by one, and programs that follow one another: each must answer as if it had been compiled from nothing.</summary>
public sealed class FilterUpdateTests
{
    private static readonly Gen<(bool IsInsert, int Place, FilterRuleSpec Rule)> s_change =
        from isInsert in Gen.Elements(true, true, false)
        from place in Gen.Choose(0, 1 << 20)
        from rule in FilterProgramTests.Rules
        select (isInsert, place, rule);

    [Fact]
    public void InsertAndRemove_AnySequence_AnswersAsCompiledAnew() =>
        Prop.ForAll(FilterProgramTests.Rules.ListOf(40).ToArbitrary(), s_change.ListOf(100).ToArbitrary(),
            FilterProgramTests.Packets.ArrayOf(20).ToArbitrary(), (start, changes, packets) =>
        {
            List<FilterRuleSpec> rules = [.. start];
            FilterProgram program = FilterProgram.Compile(new FilterSpec { Rules = rules }, FilterProgramTests.Ports);
            for (int step = 0; step < changes.Count; step++)
            {
                (bool isInsert, int place, FilterRuleSpec rule) = changes[step];
                if (isInsert || rules.Count == 0)
                {
                    place %= rules.Count + 1;
                    rules.Insert(place, rule);
                    program = program.Insert(place, rule, FilterProgramTests.Ports);
                }
                else
                {
                    place %= rules.Count;
                    rules.RemoveAt(place);
                    program = program.Remove(place);
                }

                Check(program, rules, packets.AsSpan(step % packets.Length, 1));
            }

            Check(program, rules, packets);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(30));

    [Fact]
    public void Compile_AfterAnyChange_AnswersAsCompiledAnew() =>
        Prop.ForAll(FilterProgramTests.Rules.ListOf(60).ToArbitrary(), s_change.ListOf().ToArbitrary(),
            FilterProgramTests.Packets.ArrayOf(20).ToArbitrary(), (start, changes, packets) =>
        {
            List<FilterRuleSpec> rules = [.. start];
            FilterProgram program = FilterProgram.Compile(new FilterSpec { Rules = [.. rules] }, FilterProgramTests.Ports);
            for (int round = 0; round < 3; round++)
            {
                foreach ((bool isInsert, int place, FilterRuleSpec rule) in changes)
                {
                    if (isInsert)
                    {
                        rules.Insert(place % (rules.Count + 1), rule);
                    }
                    else if (rules.Count > 0)
                    {
                        rules.RemoveAt(place % rules.Count);
                    }
                }

                program = FilterProgram.Compile(new FilterSpec { Rules = [.. rules] }, FilterProgramTests.Ports, program);
                Check(program, rules, packets);
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(100).WithEndSize(40));

    private static void Check(FilterProgram program, List<FilterRuleSpec> rules, ReadOnlySpan<(FlowKey Key, PacketHeaders Headers, byte Port)> packets)
    {
        var spec = new FilterSpec { Rules = rules };
        Assert.Equal(rules.Count, program.RuleCount);
        foreach ((FlowKey Key, PacketHeaders Headers, byte Port) packet in packets)
        {
            int[] expected = [.. PlainFilter.AllMatches(spec, packet.Key, packet.Headers, packet.Port, FilterProgramTests.Ports)];
            Assert.Equal(expected, FilterProgramTests.AllMatches(program, packet.Key, packet.Headers, packet.Port));
            Assert.Equal(expected.FirstOrDefault(FilterProgram.NoRule), Bulk.Match(program, packet));
        }
    }
}
