using Dataplane.Benchmarks.Filtering;
using Dataplane.Filtering;
using Dataplane.Packets;
using Dataplane.Tests.Support;

namespace Dataplane.Tests.Filtering;

/// <summary>Rules change as fast as they can while other threads classify: every answer must be that of one whole rule set.</summary>
public sealed class FilterTortureTests
{
    [Fact]
    public void Match_WhileRulesComeAndGo_EveryAnswerWasTrueAtSomeMoment()
    {
        const int Versions = 400;
        var random = new Random(7);
        List<FilterRuleSpec> rules = [.. RuleSetTests.Rules("acl1", 1_500, IpFamily.V4, withFlags: false)];
        ParsedFrame[] frames = RuleSets.Trace(rules, 256);
        FilterRuleSpec[][] history = new FilterRuleSpec[Versions + 1][];
        history[0] = [.. rules];
        Published current = new(FilterProgram.Compile(new FilterSpec { Rules = rules }, _ => -1), 0);
        bool stop = false;
        var answers = new List<(int Version, int[] Rules)>[2];
        Thread[] readers = [.. Enumerable.Range(0, answers.Length).Select(number => new Thread(() =>
        {
            answers[number] = [];
            while (!Volatile.Read(ref stop) || answers[number].Count == 0)
            {
                // Between two batches a worker takes the program in force; it works on with it while the next are published.
                Published mine = Volatile.Read(ref current);
                int[] found = new int[256];
                mine.Program.Match(frames, 0, found);
                if (answers[number].Count < 2_000)
                {
                    answers[number].Add((mine.Version, found));
                }
            }
        }))];
        foreach (Thread reader in readers)
        {
            reader.Start();
        }

        FilterProgram program = current.Program;
        for (int version = 1; version <= Versions; version++)
        {
            int place = random.Next(rules.Count);
            if (version % 2 == 0)
            {
                rules.RemoveAt(place);
                program = program.Remove(place);
            }
            else
            {
                FilterRuleSpec rule = rules[random.Next(rules.Count)] with { Name = $"v{version}" };
                rules.Insert(place, rule);
                program = program.Insert(place, rule, _ => -1);
            }

            history[version] = [.. rules];
            Volatile.Write(ref current, new Published(program, version));
        }

        Volatile.Write(ref stop, true);
        foreach (Thread reader in readers)
        {
            reader.Join();
        }

        foreach ((int version, int[] found) in answers.SelectMany(list => list).DistinctBy(answer => answer.Version))
        {
            for (int i = 0; i < frames.Length; i++)
            {
                int expected = Array.FindIndex(history[version], rule => PlainFilter.Matches(rule, in frames[i].Key, in frames[i].Headers, 0, _ => -1));
                Assert.Equal(expected, found[i]);
            }
        }

        Assert.All(answers.SelectMany(list => list).GroupBy(answer => answer.Version), same => Assert.Single(same.Select(answer =>
            string.Join(',', answer.Rules)).Distinct()));
    }

    private sealed record Published(FilterProgram Program, int Version);
}
