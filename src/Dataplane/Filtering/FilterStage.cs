using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Reassembly;
using Dataplane.Telemetry;
using Dataplane.Tracking;

namespace Dataplane.Filtering;

/// <summary>Applies the filter rules in order.</summary>
/// <remarks>
/// Input: packets that may enter. Output: the same, less those denied. Drops: by rule, by default. State: a counter per rule.
/// Cost: nothing without rules; a few rules are compared one after the other; for more, a packet costs nearly the same however many there are.
/// </remarks>
internal static class FilterStage
{
    public static void Process<TTracing>(WorkerContext context, PacketBatch batch)
        where TTracing : struct, ITracing
    {
        FilterProgram program = context.Tables.Filter;
        Span<int> rules = batch.FilterRules.AsSpan(0, batch.Count);
        if (program.IsEmpty && !TTracing.IsOn)
        {
            rules.Fill(FilterProgram.NoRule);
            return;
        }

        program.Match(batch.Parsed.Slice(0, batch.Count), context.Tables.FilterPorts[batch.Port.Value], rules, batch.States.AsSpan(0, program.HasStates ? batch.Count : 0));
        for (int i = 0; batch.HasFragments && i < batch.Count; i++)
        {
            if ((batch.Marks[i] & PacketMarks.Followed) != 0)
            {
                rules[i] = program.Match(in batch.Parsed[i].Key, FragmentStage.ForRules(batch, i), context.Tables.FilterPorts[batch.Port.Value],
                    program.HasStates ? batch.States[i] : ConnectionStates.None);
            }
        }

        Decide<TTracing>(context, batch, program, rules);
    }

    private static void Decide<TTracing>(WorkerContext context, PacketBatch batch, FilterProgram program, ReadOnlySpan<int> rules)
        where TTracing : struct, ITracing
    {
        for (int i = 0; i < batch.Count; i++)
        {
            if (batch.Verdicts[i] != Verdict.Continue)
            {
                continue;
            }

            int rule = rules[i];
            FilterAction action = rule < 0 ? program.DefaultAction : program.ActionOf(rule);
            if (action == FilterAction.Deny)
            {
                batch.Drop(i, rule < 0 ? DropReason.FilterDefault : DropReason.FilterRule);
            }

            if (TTracing.IsOn)
            {
                Explain(context, batch, i, program, rule, action);
            }
            else
            {
                program.Count(rule, batch.Lengths[i]);
            }
        }
    }

    /// <summary>Says which rule decided, and which would have otherwise.</summary>
    public static void Explain(WorkerContext context, PacketBatch batch, int i, FilterProgram program, int rule, FilterAction action)
    {
        string name = rule < 0 ? "default" : program.NameOf(rule);
        ConnectionStates state = program.HasStates ? batch.States[i] : ConnectionStates.None;
        int next = rule < 0 ? -1 : program.MatchAfter(rule, in batch.Parsed[i].Key, FragmentStage.ForRules(batch, i), context.Tables.FilterPorts[batch.Port.Value], state);
        string otherwise = next < 0 ? "default" : program.NameOf(next);
        string outcome = action == FilterAction.Deny ? "denied" : "allowed";
        string detail = rule < 0
            ? $"no rule matches; the default is {program.DefaultAction.ToString().ToLowerInvariant()}"
                : $"rule {name} matches first; without it {otherwise} would decide";
        context.Trace!.Add(batch, "filter", outcome, detail, ("rule", name), ("rule_index", rule), ("otherwise", rule < 0 ? null : otherwise),
            ("tables_version", context.Tables.Version));
    }
}
