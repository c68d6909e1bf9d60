using Dataplane.Packets;

namespace Dataplane.Balancing;

/// <summary>Which part of a service's backends clients go to, by the longest prefix that their address lies in. Immutable; the parts are a worker's, as services are.</summary>
/// <remarks>Cost: a probe of a hash for each length that any prefix has, once per flow.</remarks>
internal sealed class SourceSteering
{
    private readonly Level[] _levels;
    private readonly Part[] _parts;

    private SourceSteering(Level[] levels, Part[] parts) => (_levels, _parts) = (levels, parts);

    /// <summary>Compiles the rules of a service.</summary>
    /// <param name="rules">The rules; valid, all of one family.</param>
    /// <param name="compile">Makes what chooses among the backends of some groups.</param>
    public static SourceSteering Compile(IReadOnlyList<SteerSpec> rules, Func<string, ServiceRuntime> compile)
    {
        Part[] parts = [.. rules.Select(rule => rule.To).Distinct().Select(groups => new Part(groups, compile(groups)))];
        Level[] levels = [.. rules.GroupBy(rule => rule.From.Length).OrderByDescending(level => level.Key)
            .Select(level => new Level([.. level], rule => Array.FindIndex(parts, part => part.Groups == rule.To)))];
        return new SourceSteering(levels, parts);
    }

    /// <summary>The part of the backends for a client's packet; null when no prefix holds the client.</summary>
    public ServiceRuntime? Find(in FlowKey key) => Find(in key, out _, out _);

    /// <summary>The same, with the length of the prefix and the names of the groups.</summary>
    public ServiceRuntime? Find(in FlowKey key, out int length, out string groups)
    {
        foreach (Level level in _levels)
        {
            if (level.TryFind(in key, out int part))
            {
                (length, groups) = (level.Length, _parts[part].Groups);
                return _parts[part].Backends;
            }
        }

        (length, groups) = (-1, "");
        return null;
    }

    /// <summary>The part of these groups; null when no rule has them.</summary>
    public ServiceRuntime? OfGroups(string groups) => Array.Find(_parts, part => part.Groups == groups)?.Backends;

    /// <summary>The same for another worker.</summary>
    /// <param name="worker">Its number.</param>
    /// <param name="before">What it had before.</param>
    public SourceSteering OfWorker(int worker, SourceSteering? before) =>
        new(_levels, Array.ConvertAll(_parts, part => part with { Backends = part.Backends.OfWorker(worker, before?.OfGroups(part.Groups)) }));

    /// <summary>Names of groups as a rule or a backend has them.</summary>
    public static string[] Split(string? groups) => string.IsNullOrEmpty(groups) ? [] : groups.Split(',', StringSplitOptions.TrimEntries);

    private sealed record Part(string Groups, ServiceRuntime Backends);

    /// <summary>The prefixes of one length.</summary>
    private sealed class Level
    {
        private readonly ulong _maskHigh, _maskLow;
        private readonly EndpointMap<int> _parts;

        public Level(SteerSpec[] rules, Func<SteerSpec, int> partOf)
        {
            IpFamily family = rules[0].From.Family;
            Length = rules[0].From.Length;
            IpPrefix ones = new(IpAddress.FromBits(family, family == IpFamily.V4 ? uint.MaxValue : UInt128.MaxValue), Length);
            (_maskHigh, _maskLow) = (ones.First.High, ones.First.Low);
            _parts = new EndpointMap<int>(rules.Length);
            foreach (SteerSpec rule in rules)
            {
                _parts.Add(rule.From.First, 0, 0, out _) = partOf(rule);
            }
        }

        public int Length { get; }

        public bool TryFind(in FlowKey key, out int part) =>
            _parts.TryFind(key.SourceHigh & _maskHigh, key.SourceLow & _maskLow, EndpointMap<int>.Pack(0, 0, key.Family), out part);
    }
}
