using System.Collections;
using System.Runtime.CompilerServices;

namespace Dataplane.Ports;

/// <summary>A list of traffic rules that is equal to another with the same rules, so that a reload finds a port unchanged. Immutable.</summary>
[CollectionBuilder(typeof(TrafficRules), nameof(Create))]
public sealed class TrafficRules : IReadOnlyList<TrafficRule>, IEquatable<TrafficRules>
{
    private readonly TrafficRule[] _rules;

    private TrafficRules(TrafficRule[] rules) => _rules = rules;

    /// <summary>No rules.</summary>
    public static TrafficRules Empty { get; } = new([]);

    /// <inheritdoc/>
    public int Count => _rules.Length;

    /// <inheritdoc/>
    public TrafficRule this[int index] => _rules[index];

    /// <summary>Makes a list of a copy of the rules.</summary>
    public static TrafficRules Create(ReadOnlySpan<TrafficRule> rules) => rules.IsEmpty ? Empty : new TrafficRules(rules.ToArray());

    /// <inheritdoc/>
    public bool Equals(TrafficRules? other) => other is not null && _rules.AsSpan().SequenceEqual(other._rules);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as TrafficRules);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = default(HashCode);
        foreach (TrafficRule rule in _rules)
        {
            hash.Add(rule);
        }

        return hash.ToHashCode();
    }

    /// <inheritdoc/>
    public IEnumerator<TrafficRule> GetEnumerator() => ((IEnumerable<TrafficRule>)_rules).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
