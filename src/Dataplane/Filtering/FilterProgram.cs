using Dataplane.Packets;
using Dataplane.Tracking;

namespace Dataplane.Filtering;

/// <summary>Filter rules compiled for workers: ordered, the first that matches decides.</summary>
/// <remarks>
/// Immutable but for its counters, which have one writer; a change makes a new program, which shares with the old one what it can. Rules are known
/// by their index in the specification. A few rules are compared one block after the other (<see cref="RuleList"/>), more are
/// classified (<see cref="RuleClassifier"/>); rules that came since the classifier was built are in a list beside it.
/// </remarks>
internal sealed partial class FilterProgram
{
    /// <summary>In place of a rule: none matched, the default decides.</summary>
    public const int NoRule = -1;

    /// <summary>In place of a rule: the packet has not been filtered under these rules.</summary>
    public const int Unknown = -2;

    private readonly CompiledRule[] _rules;

    // Of each rule in order, and of the default behind them.
    private readonly FilterAction[] _actions;
    private readonly RuleCounter[] _counters;

    // What is looked up: the rules as they were when this was last built anew, those of them still in force, and the rules that came since.
    private readonly LiveRules[] _v4 = [];
    private readonly LiveRules[] _v6 = [];
    private readonly int _builtFor;
    private readonly int[] _pending;
    private readonly RuleList _pendingV4;
    private readonly RuleList _pendingV6;

    /// <summary>Whether it lets everything pass without looking, so that the stage can be left out.</summary>
    public bool IsEmpty => RuleCount == 0 && DefaultAction == FilterAction.Allow;

    /// <summary>The TCP flags that any rule looks at: packets of a flow that differ in others only are decided alike.</summary>
    public byte FlagsLookedAt { get; }

    /// <summary>Whether any rule looks at ports or flags, which later fragments have from the first of their datagram alone.</summary>
    public bool LooksAtTransport { get; }

    /// <summary>Whether any rule asks for states of connections.</summary>
    public bool HasStates { get; }

    /// <summary>The number of rules.</summary>
    public int RuleCount => _rules.Length;

    /// <summary>What happens to packets that no rule matches.</summary>
    public FilterAction DefaultAction => _actions[^1];

    /// <summary>The counters of the rules in order, then that of the default.</summary>
    public IReadOnlyList<RuleCounter> Counters => _counters;

    /// <summary>The first rule that each packet of a batch matches, or <see cref="NoRule"/>.</summary>
    /// <param name="frames">What the parser found, 256 at most; packets that are not IP match no rule.</param>
    /// <param name="port">Index of the port they came by.</param>
    /// <param name="rules">Receives a rule for each packet.</param>
    /// <param name="states">The state of each packet; needed when <see cref="HasStates"/>.</param>
    public void Match(ReadOnlySpan<ParsedFrame> frames, byte port, Span<int> rules, ReadOnlySpan<ConnectionStates> states = default)
    {
        rules[..frames.Length].Fill(NoRule);
        if (!HasStates && _v4.Length == 1 && _pending.Length == 0 && _v4[0].TryFindAllV4(frames, port, rules))
        {
            return;
        }

        Span<uint> words = stackalloc uint[PacketBatch.Capacity];
        Span<byte> v4 = stackalloc byte[PacketBatch.Capacity], v6 = stackalloc byte[PacketBatch.Capacity];
        (int v4Count, int v6Count) = Sort(frames, port, words, v4, v6);
        if (HasStates)
        {
            for (int i = 0; i < states.Length; i++)
            {
                words[i] |= TransportWord.Of(states[i]);
            }
        }

        var batch = new FilterInput(frames, words);
        Find(_v4, in batch, v4[..v4Count], isV4: true, rules);
        Find(_v6, in batch, v6[..v6Count], isV4: false, rules);
        if (_pending.Length > 0)
        {
            _pendingV4.Find(in batch, isV4: true, rules);
            _pendingV6.Find(in batch, isV4: false, rules);
        }
    }

    /// <summary>The first rule that a packet matches, or <see cref="NoRule"/>.</summary>
    /// <param name="key">Its flow key; packets that are not IP match no rule.</param>
    /// <param name="headers">Where its headers are.</param>
    /// <param name="port">Index of the port it came by.</param>
    /// <param name="state">Its state, where rules ask for it.</param>
    public int Match(in FlowKey key, in PacketHeaders headers, byte port, ConnectionStates state = ConnectionStates.None) =>
        MatchAfter(NoRule, in key, in headers, port, state);

    /// <summary>The first rule behind another that a packet would match if those up to it did not, or <see cref="NoRule"/>.</summary>
    public int MatchAfter(int rule, in FlowKey key, in PacketHeaders headers, byte port, ConnectionStates state = ConnectionStates.None)
    {
        uint word = TransportWord.Of(in key, in headers, port) | TransportWord.Of(state);
        return key.Family switch
        {
            (byte)IpFamily.V4 => First(Find(_v4, in key, word, rule), _pendingV4.FindV4(in key, word, rule)),
            (byte)IpFamily.V6 => First(Find(_v6, in key, word, rule), _pendingV6.FindV6(in key, word, rule)),
            _ => NoRule,
        };
    }

    /// <summary>What a rule does; the default for <see cref="NoRule"/>.</summary>
    public FilterAction ActionOf(int rule) => _actions[IndexOf(rule)];

    /// <summary>The name of a rule; <c>default</c> for <see cref="NoRule"/>.</summary>
    public string NameOf(int rule) => CounterOf(rule).Name;

    /// <summary>The counter of a rule; the default's for <see cref="NoRule"/>.</summary>
    public RuleCounter CounterOf(int rule) => _counters[IndexOf(rule)];

    /// <summary>Counts a packet that a rule, or the default, has decided on. By the one writer only.</summary>
    /// <param name="rule">The rule, or <see cref="NoRule"/>.</param>
    /// <param name="bytes">Length of its frame.</param>
    public void Count(int rule, int bytes) => CounterOf(rule).Add(1, bytes);

    private int IndexOf(int rule) => rule < 0 ? _rules.Length : rule;

    /// <summary>The transport words of packets, and which are of which family.</summary>
    private static (int V4, int V6) Sort(ReadOnlySpan<ParsedFrame> frames, byte port, Span<uint> words, Span<byte> v4, Span<byte> v6)
    {
        int v4Count = 0, v6Count = 0;
        for (int i = 0; i < frames.Length; i++)
        {
            ref readonly FlowKey key = ref frames[i].Key;
            words[i] = TransportWord.Of(in key, in frames[i].Headers, port);
            v4[v4Count] = v6[v6Count] = (byte)i;

            // Without branches: 4 and 6 differ in one bit, and a key of neither has both clear.
            v4Count += (key.Family >> 2) & ~(key.Family >> 1) & 1;
            v6Count += (key.Family >> 1) & 1;
        }

        return (v4Count, v6Count);
    }

    private static void Find(LiveRules[] parts, in FilterInput batch, Span<byte> picks, bool isV4, Span<int> rules)
    {
        if (picks.Length == 0)
        {
            return;
        }

        int open = picks.Length;
        for (int part = 0; part < parts.Length && open > 0; part++)
        {
            open = part == 0 ? open : Unmatched(picks[..open], rules);
            parts[part].Find(in batch, picks[..open], isV4, rules);
        }

    }

    private static int Find(LiveRules[] parts, in FlowKey key, uint word, int after)
    {
        int rule = NoRule;
        for (int part = 0; part < parts.Length && rule < 0; part++)
        {
            rule = parts[part].Find(in key, word, after);
        }

        return rule;
    }

    /// <summary>Moves those without a rule to the front: rules of later parts come behind those of earlier ones.</summary>
    private static int Unmatched(Span<byte> picks, ReadOnlySpan<int> rules)
    {
        int count = 0;
        for (int i = 0; i < picks.Length; i++)
        {
            picks[count] = picks[i];
            count += rules[picks[i]] < 0 ? 1 : 0;
        }

        return count;
    }

    // None is the highest number there is when compared without sign.
    private static int First(int a, int b) => (int)Math.Min((uint)a, (uint)b);

    private static string NameOf(FilterRuleSpec rule, int index) => rule.Name.Length != 0 ? rule.Name : $"rule-{index + 1}";
}
