using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Tracking;

namespace Dataplane.Filtering;

internal sealed partial class FilterProgram
{
    /// <summary>So many rules are compared one by one; beyond, a classifier is faster.</summary>
    internal const int MaxListed = 24;

    /// <summary>So many rules may wait in the list beside a classifier before it is built anew.</summary>
    internal const int MaxPending = 64;

    private FilterProgram(CompiledRule[] rules, FilterAction byDefault, RuleCounter[] counters)
        : this(rules, byDefault, counters, rules.Length <= MaxListed ? [.. Enumerable.Range(0, rules.Length)] : [])
    {
        if (rules.Length > MaxListed)
        {
            _v4 = [.. RuleClassifier.Build(rules, IpFamily.V4).Select(LiveRules.All)];
            _v6 = [.. RuleClassifier.Build(rules, IpFamily.V6).Select(LiveRules.All)];
            _builtFor = rules.Length;
        }
    }

    private FilterProgram(CompiledRule[] rules, FilterAction byDefault, RuleCounter[] counters, FilterProgram previous, List<RuleEdit> edits)
        : this(rules, byDefault, counters, Pending(previous._pending, edits))
    {
        _builtFor = previous._builtFor;
        _v4 = Array.ConvertAll(previous._v4, live => live.After(edits));
        _v6 = Array.ConvertAll(previous._v6, live => live.After(edits));
    }

    private FilterProgram(CompiledRule[] rules, FilterAction byDefault, RuleCounter[] counters, int[] pending)
    {
        _rules = rules;
        _counters = counters;
        _actions = new FilterAction[rules.Length + 1];
        for (int rule = 0; rule < rules.Length; rule++)
        {
            _actions[rule] = rules[rule].Spec.Action;
            FlagsLookedAt |= rules[rule].Spec.TcpFlags?.Mask ?? 0;
            LooksAtTransport |= rules[rule].Spec is { TcpFlags: not null } or { FromPort: not null } or { ToPort: not null };
            HasStates |= rules[rule].Spec.State != ConnectionStates.None;
        }

        _actions[^1] = byDefault;
        _pending = pending;
        _pendingV4 = new RuleList(rules, pending, IpFamily.V4);
        _pendingV6 = new RuleList(rules, pending, IpFamily.V6);
    }

    /// <summary>The same rules with other counters.</summary>
    private FilterProgram(FilterProgram other, RuleCounter[] counters)
    {
        (_rules, _actions, _counters) = (other._rules, other._actions, counters);
        (_v4, _v6, _builtFor) = (other._v4, other._v6, other._builtFor);
        (_pending, _pendingV4, _pendingV6) = (other._pending, other._pendingV4, other._pendingV6);
        (FlagsLookedAt, LooksAtTransport, HasStates) = (other.FlagsLookedAt, other.LooksAtTransport, other.HasStates);
    }

    /// <summary>This program with the counters of a worker; for the first worker it is this one.</summary>
    public FilterProgram OfWorker(int worker) => worker == 0 ? this : new FilterProgram(this, Array.ConvertAll(_counters, counter => counter.OfWorker(worker)));

    /// <summary>Bytes of what lookups read, the list of a few rules aside.</summary>
    public long SizeBytes => _v4.Concat(_v6).Sum(part => part.SizeBytes);

    /// <summary>Compiles a valid specification.</summary>
    /// <param name="spec">The rules.</param>
    /// <param name="portIndexByName">Index of a port, 0 to 254; below 0 when there is none of that name.</param>
    /// <param name="previous">
    /// The program this one follows: rules that are in both, with the same name, go on with their counters, and so does an unchanged default. Where few
    /// rules differ, its classifier is used on.
    /// </param>
    /// <exception cref="ArgumentException">A rule names a port that does not exist.</exception>
    public static FilterProgram Compile(FilterSpec spec, Func<string, int> portIndexByName, FilterProgram? previous = null)
    {
        ArgumentNullException.ThrowIfNull(spec);
        ArgumentNullException.ThrowIfNull(portIndexByName);
        var rules = new CompiledRule[spec.Rules.Count];
        int before = previous?.RuleCount ?? 0;
        for (int number = 0; number < rules.Length; number++)
        {
            // Rules are mostly the very objects they were: near the front under the same number, near the end counted from there.
            FilterRuleSpec rule = spec.Rules[number];
            int portIndex = PortIndexOf(rule, number, portIndexByName, nameof(spec));
            int fromEnd = number - rules.Length + before;
            rules[number] = number < before && previous!._rules[number].Is(rule, portIndex) ? previous._rules[number]
                : fromEnd >= 0 && fromEnd < before && previous!._rules[fromEnd].Is(rule, portIndex) ? previous._rules[fromEnd]
                : new CompiledRule(rule, portIndex);
        }

        RuleCounter[] counters = MakeCounters(rules, spec.Default, previous);
        return Follow(rules, spec.Default, counters, previous, null);
    }

    /// <summary>The program with one rule more.</summary>
    /// <param name="number">The number it will have, 0 to <see cref="RuleCount"/>.</param>
    /// <param name="rule">The rule.</param>
    /// <param name="portIndexByName">As for <see cref="Compile"/>.</param>
    public FilterProgram Insert(int number, FilterRuleSpec rule, Func<string, int> portIndexByName)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)number, (uint)RuleCount, nameof(number));
        var rules = new CompiledRule[RuleCount + 1];
        _rules.AsSpan(0, number).CopyTo(rules);
        rules[number] = new CompiledRule(rule, PortIndexOf(rule, number, portIndexByName, nameof(rule)));
        _rules.AsSpan(number).CopyTo(rules.AsSpan(number + 1));
        return Follow(rules, DefaultAction, MakeCounters(rules, DefaultAction, this), this, [new RuleEdit(number, true)]);
    }

    /// <summary>The program with one rule less.</summary>
    /// <param name="number">Its number.</param>
    public FilterProgram Remove(int number)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)number, (uint)RuleCount, nameof(number));
        var rules = new CompiledRule[RuleCount - 1];
        _rules.AsSpan(0, number).CopyTo(rules);
        _rules.AsSpan(number + 1).CopyTo(rules.AsSpan(number));
        return Follow(rules, DefaultAction, MakeCounters(rules, DefaultAction, this), this, [new RuleEdit(number, false)]);
    }

    /// <summary>Goes on with the previous classifier where little has changed, and else builds one.</summary>
    private static FilterProgram Follow(CompiledRule[] rules, FilterAction byDefault, RuleCounter[] counters, FilterProgram? previous, List<RuleEdit>? edits)
    {
        if (previous is { _builtFor: > 0 } && rules.Length > MaxListed)
        {
            edits ??= RuleEdit.Between(previous._rules, rules, 2 * MaxPending);
            int most = edits is null ? int.MaxValue : previous._pending.Length + edits.Count(edit => edit.IsInsert);

            // Rules no longer in force cost room and time as well.
            if (most <= MaxPending && previous._builtFor <= (2 * rules.Length) + MaxPending)
            {
                return new FilterProgram(rules, byDefault, counters, previous, edits!);
            }
        }

        return new FilterProgram(rules, byDefault, counters);
    }

    private static int[] Pending(int[] previous, List<RuleEdit> edits)
    {
        var pending = new List<int>(previous);
        foreach (RuleEdit edit in edits)
        {
            int place = pending.BinarySearch(edit.Number);
            if (!edit.IsInsert && place >= 0)
            {
                pending.RemoveAt(place);
            }

            place = place >= 0 ? place : ~place;
            for (int i = place; i < pending.Count; i++)
            {
                pending[i] += edit.IsInsert ? 1 : -1;
            }

            if (edit.IsInsert)
            {
                pending.Insert(place, edit.Number);
            }
        }

        return [.. pending];
    }

    private static int PortIndexOf(FilterRuleSpec rule, int number, Func<string, int> portIndexByName, string parameter)
    {
        int portIndex = rule.Port.Length == 0 ? -1 : portIndexByName(rule.Port);
        return rule.Port.Length == 0 || portIndex is >= 0 and <= FilterPortNumbers.Most ? portIndex
            : throw new ArgumentException($"Filter {NameOf(rule, number)} asks for port '{rule.Port}', which is not among the ports configured.", parameter);
    }

    private static RuleCounter[] MakeCounters(CompiledRule[] rules, FilterAction byDefault, FilterProgram? previous)
    {
        var counters = new RuleCounter[rules.Length + 1];
        counters[^1] = previous?.DefaultAction == byDefault ? previous.CounterOf(NoRule) : new RuleCounter("default");
        int front = 0, back = 0, before = previous?.RuleCount ?? 0, both = Math.Min(before, rules.Length);
        while (front < both && rules[front].Spec == previous!._rules[front].Spec)
        {
            counters[front] = previous._counters[front];
            front++;
        }

        // From the end only rules with a name of their own are the same: the others are called by their number.
        bool sameLength = before == rules.Length;
        while (back < both - front && rules[^(back + 1)].Spec is var spec && spec == previous!._rules[^(back + 1)].Spec && (sameLength
            || spec.Name.Length != 0))
        {
            counters[rules.Length - 1 - back] = previous._counters[before - 1 - back];
            back++;
        }

        var kept = new Dictionary<string, int>();
        for (int rule = front; rule < before - back; rule++)
        {
            kept.TryAdd(previous!.NameOf(rule), rule);
        }

        for (int rule = front; rule < rules.Length - back; rule++)
        {
            string name = NameOf(rules[rule].Spec, rule);
            bool same = kept.Remove(name, out int old) && previous!._rules[old].Spec == rules[rule].Spec;
            counters[rule] = same ? previous!._counters[old] : new RuleCounter(name);
        }

        return counters;
    }
}
