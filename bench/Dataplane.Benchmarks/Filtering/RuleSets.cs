using Dataplane.Filtering;
using Dataplane.Packets;

namespace Dataplane.Benchmarks.Filtering;

/// <summary>Rule sets in the shapes of ClassBench and packets for them, the same for the same seed.</summary>
internal sealed class RuleSets
{
    private readonly Random _random;
    private readonly RuleShape _shape;
    private readonly IpFamily _family;
    private readonly PortRange[] _sourcePorts;
    private readonly PortRange[] _destinationPorts;

    // Addresses come in sites, sites in subnets, so that prefixes lie in one another; of each length there is a pool to draw from.
    private readonly UInt128[] _sites;
    private readonly Dictionary<(bool IsSource, int Length), List<IpPrefix>> _pools = [];

    private RuleSets(RuleShape shape, int count, int seed, IpFamily family)
    {
        (_shape, _random, _family) = (shape, new Random(seed), family);
        _sites = [.. Enumerable.Range(0, Math.Max(4, count / 48)).Select(_ => Site())];
        _sourcePorts = Ports(shape.SourcePorts);
        _destinationPorts = Ports(shape.DestinationPorts);
    }

    /// <summary>Makes rules; longer prefixes mostly come first, no two ask for the same.</summary>
    /// <param name="shape">What they are like.</param>
    /// <param name="count">How many.</param>
    /// <param name="seed">The same gives the same.</param>
    /// <param name="family">Of their addresses.</param>
    /// <param name="withFlags">Whether TCP rules ask for flags as often as in the shape.</param>
    public static FilterRuleSpec[] Make(RuleShape shape, int count, int seed = 1, IpFamily family = IpFamily.V4, bool withFlags = false)
    {
        var maker = new RuleSets(shape, count, seed, family);
        var rules = new HashSet<FilterRuleSpec>();
        while (rules.Count < count)
        {
            rules.Add(maker.Rule(count, withFlags));
        }

        int name = 0;
        return [.. rules.OrderByDescending(rule => (rule.From?.Length ?? 0) + (rule.To?.Length ?? 0) + maker._random.Next(16)).Select(rule =>
            rule with { Name = $"r{name++}" })];
    }

    /// <summary>
    /// Makes packets, each inside some rule, and some of them many times (Pareto, by which a tenth of the headers makes half of the packets).
    /// </summary>
    public static ParsedFrame[] Trace(IReadOnlyList<FilterRuleSpec> rules, int count, int seed = 1)
    {
        var random = new Random(seed);
        var frames = new ParsedFrame[count];
        for (int i = 0; i < count;)
        {
            FilterRuleSpec rule = rules[random.Next(rules.Count)];
            IpFamily family = rule.From?.Family ?? rule.To?.Family ?? IpFamily.V4;
            byte protocol = rule.Protocol ?? (random.Next(2) == 0 ? (byte)6 : (byte)17);
            FlowKey key = FlowKey.Create(Inside(rule.From, family, random), Inside(rule.FromPort, random), Inside(rule.To, family, random),
                Inside(rule.ToPort, random), protocol);
            TcpFlagMatch flags = rule.TcpFlags ?? default;
            byte seen = protocol == 6 ? (byte)(flags.Value | (random.Next(256) & ~flags.Mask)) : (byte)0;
            for (int copies = Math.Min(100, (int)(1 / Math.Sqrt(1 - random.NextDouble()))); copies > 0 && i < count; copies--, i++)
            {
                frames[i] = new ParsedFrame
                {
                    Key = key,
                    Headers = new PacketHeaders
                    {
                        TransportOffset = 34,
                        Protocol = protocol,
                        IpVersion = (byte)family,
                        TcpFlags = seen
                    }
                };
            }
        }

        random.Shuffle(frames);
        return frames;
    }

    private FilterRuleSpec Rule(int count, bool withFlags)
    {
        (int source, int destination, _) = Pick(_shape.Lengths, entry => entry.Weight);
        (int protocol, _, (PortClass Source, PortClass Destination, double Weight)[] ports) = Pick(_shape.Protocols, entry => entry.Weight);
        (PortClass sourceClass, PortClass destinationClass, _) = Pick(ports, entry => entry.Weight);
        return new FilterRuleSpec
        {
            Action = _random.Next(2) == 0 ? FilterAction.Allow : FilterAction.Deny,
            From = Prefix(source, isSource: true, count),
            To = Prefix(destination, isSource: false, count),
            Protocol = protocol < 0 ? null : (byte)protocol,
            FromPort = Ports(sourceClass, _sourcePorts),
            ToPort = Ports(destinationClass, _destinationPorts),
            TcpFlags = withFlags && protocol == 6
                && _random.NextDouble() < _shape.Flags ? (_random.Next(2) == 0 ? new TcpFlagMatch(18, 2) : new TcpFlagMatch(16, 16)) : null,
        };
    }

    /// <summary>A prefix from the pool of its length, the first of which come most often.</summary>
    private IpPrefix? Prefix(int length, bool isSource, int count)
    {
        if (length == 0)
        {
            return null;
        }

        if (!_pools.TryGetValue((isSource, length), out List<IpPrefix>? pool))
        {
            _pools[(isSource, length)] = pool = [];
        }

        double share = _shape.Lengths.Where(entry => (isSource ? entry.Source : entry.Destination) == length).Sum(entry =>
            entry.Weight) / _shape.Lengths.Sum(entry => entry.Weight);
        int size = Math.Max(2, (int)(count * share * (isSource ? _shape.Sources : _shape.Destinations)));
        if (pool.Count < size)
        {
            pool.Add(NewPrefix(length));
            return pool[^1];
        }

        return pool[(int)(size * _random.NextDouble() * Math.Sqrt(_random.NextDouble()))];
    }

    private IpPrefix NewPrefix(int length)
    {
        // IPv4: a site of 16 bits, one of some subnets of 8 in it, a host. IPv6: the same in 48, 16 and 64 bits.
        int bits = _family == IpFamily.V4 ? 32 : 128, site = _family == IpFamily.V4 ? 16 : 48, subnet = _family == IpFamily.V4 ? 24 : 64;
        UInt128 address = _sites[(int)(_sites.Length * Math.Pow(_random.NextDouble(), 2))];
        address |= (UInt128)_random.Next(_random.Next(1, 1 << 8)) << (bits - (_family == IpFamily.V4 ? subnet : site + 8));
        address |= (UInt128)(_random.Next(4) == 0 ? (ulong)_random.NextInt64() : (ulong)_random.Next(256)) & ((UInt128.One << (bits - subnet)) - 1);
        int scaled = _family == IpFamily.V4 ? length : length switch
        {
            32 => 128,
            > 24 => 64 + ((length - 24) * 8),
            > 16 =>
            48 + ((length - 16) * 2),
            _ => length * 3
        };
        return new IpPrefix(IpAddress.FromBits(_family, address), scaled).Network;
    }

    private UInt128 Site() => _family == IpFamily.V4
        ? (UInt128)(uint)_random.Next(0x0100, 0xE000) << 16
        : ((UInt128)0x2001 << 112) | ((UInt128)(uint)_random.Next() << 80);

    private PortRange[] Ports(int count)
    {
        var ports = new PortRange[count];
        for (int i = 0; i < count; i++)
        {
            int first = _random.Next(3) == 0 ? _random.Next(1 << 16) : _random.Next(1 << 13);
            ports[i] = new PortRange((ushort)first, (ushort)Math.Min(ushort.MaxValue, first + 1 + _random.Next(1 << _random.Next(1, 12))));
        }

        return ports;
    }

    private PortRange? Ports(PortClass kind, PortRange[] pool)
    {
        // The first of the pool come most often, as 80, 53 and 443 do.
        PortRange some = pool[(int)(pool.Length * Math.Pow(_random.NextDouble(), 2))];
        return kind switch
        {
            PortClass.Any => null,
            PortClass.High => new PortRange(1024, ushort.MaxValue),
            PortClass.Range => some,
            _ =>
            new PortRange(some.First, some.First)
        };
    }

    private T Pick<T>(T[] entries, Func<T, double> weight)
    {
        double at = _random.NextDouble() * entries.Sum(weight);
        foreach (T entry in entries)
        {
            at -= weight(entry);
            if (at < 0)
            {
                return entry;
            }
        }

        return entries[^1];
    }

    private static IpAddress Inside(IpPrefix? prefix, IpFamily family, Random random)
    {
        UInt128 any = new((ulong)random.NextInt64(), (ulong)random.NextInt64());
        if (prefix is not IpPrefix given)
        {
            return IpAddress.FromBits(family, family == IpFamily.V4 ? any & uint.MaxValue : any);
        }

        return IpAddress.FromBits(family, given.First.Bits | (any & (given.First.Bits ^ given.Last.Bits)));
    }

    private static ushort Inside(PortRange? range, Random random)
    {
        PortRange given = range ?? PortRange.All;
        return (ushort)random.Next(given.First, given.Last + 1);
    }
}
