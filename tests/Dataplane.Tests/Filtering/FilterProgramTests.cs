using Dataplane.Filtering;
using Dataplane.Packets;
using Dataplane.Tests.Support;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Filtering;

public class FilterProgramTests
{
    internal static readonly Func<string, int> Ports = name => name switch { "wan" => 0, "lan" => 7, "last" => 254, _ => -1 };

    private static readonly Gen<IpAddress> s_address = Gen.Elements(
        "10.0.0.0", "10.0.0.1", "10.0.1.1", "10.1.0.1", "192.0.2.1", "255.255.255.255", "0.0.0.0",
        "::", "2001:db8::", "2001:db8::1", "2001:db8::1:0:0:1", "2001:db8:0:1::1", "2001:db8:1::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")
        .Select(text => IpAddress.Parse(text));

    private static readonly Gen<IpPrefix?> s_prefix = Optional(
        from address in s_address
        from length in Gen.Elements(0, 1, 8, 16, 23, 24, 31, 32, 33, 48, 63, 64, 65, 96, 127, 128)
        select new IpPrefix(address, Math.Min(length, address.BitLength)));

    private static readonly Gen<ushort> s_port = Gen.Elements<ushort>(0, 1, 22, 23, 79, 80, 81, 1024, 32768, 65534, 65535);

    private static readonly Gen<PortRange?> s_range = Optional(s_port.SelectMany(a => s_port.Select(b => new PortRange(Math.Min(a, b), Math.Max(a, b)))));

    private static readonly Gen<byte> s_protocol = Gen.Elements<byte>(1, 6, 6, 17, 17, 58, 255);

    internal static readonly Gen<FilterRuleSpec> Rules =
        from addresses in s_prefix.SelectMany(a => s_prefix.Select(b => (a, b)))
        from protocol in Optional(s_protocol)
        from ranges in s_range.SelectMany(a => s_range.Select(b => (a, b)))
        from flags in Gen.Frequency((4, Gen.Constant<TcpFlagMatch?>(null)), (1, Gen.Elements<TcpFlagMatch?>(new(2, 2), new(18, 2), new(255, 16),
            new(4, 0), new(0, 0))))
        from port in Gen.Elements("", "", "wan", "lan", "last")
        from action in Gen.Elements(FilterAction.Allow, FilterAction.Deny)
        select new FilterRuleSpec
        {
            Action = action,
            From = addresses.a,
            To = addresses.b,
            Protocol = protocol,
            FromPort = ranges.a,
            ToPort = ranges.b,
            TcpFlags = flags,
            Port = port,
        };

    internal static readonly Gen<(FlowKey Key, PacketHeaders Headers, byte Port)> Packets =
        from source in s_address
        from destination in s_address.Where(address => address.Family == source.Family)
        from protocol in s_protocol
        from sourcePort in s_port
        from destinationPort in s_port
        from fragment in Gen.Elements(FragmentKind.None, FragmentKind.None, FragmentKind.First, FragmentKind.Later)
        from transport in Gen.Elements<ushort>(34, 34, 54, 0)
        from flags in Gen.Elements<byte>(0, 2, 4, 16, 18)
        from port in Gen.Elements<byte>(0, 1, 7, 254)
        select (
            FlowKey.Create(source, sourcePort, destination, destinationPort, protocol),
            new PacketHeaders { Fragment = fragment, TransportOffset = transport, TcpFlags = protocol == 6 ? flags : (byte)0, Protocol = protocol },
            port);

    [Fact]
    public void Match_AnyRules_AgreesWithTheirWording() =>
        Prop.ForAll(Rules.ListOf().ToArbitrary(), Packets.ArrayOf(40).ToArbitrary(), (rules, packets) =>
        {
            var spec = new FilterSpec { Rules = [.. rules] };
            FilterProgram program = FilterProgram.Compile(spec, Ports);
            return packets.All(packet =>
            {
                int[] expected = [.. PlainFilter.AllMatches(spec, packet.Key, packet.Headers, packet.Port, Ports)];
                return program.Match(in packet.Key, in packet.Headers, packet.Port) == expected.FirstOrDefault(FilterProgram.NoRule)
                    && Bulk.Match(program, packet) == expected.FirstOrDefault(FilterProgram.NoRule)
                    && AllMatches(program, packet.Key, packet.Headers, packet.Port).SequenceEqual(expected);
            });
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(500).WithEndSize(120));

    /// <summary>Every number of rules around the borders of blocks, the one that matches at every place.</summary>
    [Theory]
    [InlineData("192.0.2.9")]
    [InlineData("2001:db8::9")]
    public void Match_RuleAtEveryPlace_IsFound(string address)
    {
        IpAddress wanted = IpAddress.Parse(address);
        FlowKey key = FlowKey.Create(wanted, 1, wanted, 2, 17), other = FlowKey.Create(wanted, 1, IpAddress.FromBits(wanted.Family, wanted.Bits ^ 1), 2, 17);
        for (int count = 1; count <= 33; count++)
        {
            for (int place = 0; place < count; place++)
            {
                var rules = Enumerable.Range(0, count).Select(_ => new FilterRuleSpec { Protocol = 6 }).ToArray();
                rules[place] = new FilterRuleSpec { To = IpPrefix.Host(wanted) };
                FilterProgram program = FilterProgram.Compile(new FilterSpec { Rules = rules }, Ports);
                Assert.Equal(place, program.Match(in key, default, 0));
                Assert.Equal(FilterProgram.NoRule, program.MatchAfter(place, in key, default, 0));
                Assert.Equal(FilterProgram.NoRule, program.Match(in other, default, 0));
            }
        }
    }

    [Fact]
    public void Match_NotIp_IsNoRule()
    {
        FilterProgram program = FilterProgram.Compile(new FilterSpec { Rules = [new FilterRuleSpec()] }, Ports);
        Assert.Equal(FilterProgram.NoRule, program.Match(default, default, 0));
    }

    [Fact]
    public void Match_LaterFragment_PassesOverRulesThatNeedItsTransportHeader()
    {
        FlowKey key = FlowKey.Create(IpAddress.Parse("10.0.0.1"), 0, IpAddress.Parse("10.0.0.2"), 0, 6);
        FilterProgram program = FilterProgram.Compile(
            new FilterSpec
            {
                Rules = [new() { ToPort = PortRange.All, Protocol = 6 }, new() { TcpFlags = new(2, 0), Protocol = 6 }, new() { Protocol = 6 }],
            },
            Ports);
        Assert.Equal(0, program.Match(in key, new PacketHeaders { TransportOffset = 34, Fragment = FragmentKind.First }, 0));
        Assert.Equal(2, program.Match(in key, new PacketHeaders { TransportOffset = 34, Fragment = FragmentKind.Later }, 0));
        Assert.Equal(2, program.Match(in key, new PacketHeaders { TransportOffset = 0 }, 0));
    }

    [Theory]
    [InlineData(FilterAction.Allow, 0, true)]
    [InlineData(FilterAction.Deny, 0, false)]
    [InlineData(FilterAction.Allow, 1, false)]
    public void IsEmpty_OnlyWhenNothingCanBeDropped(FilterAction action, int rules, bool expected)
    {
        var spec = new FilterSpec { Default = action, Rules = [.. Enumerable.Repeat(new FilterRuleSpec(), rules)] };
        Assert.Equal(expected, FilterProgram.Compile(spec, Ports).IsEmpty);
    }

    [Fact]
    public void Compile_Rules_HaveNamesAndActions()
    {
        var spec = new FilterSpec { Default = FilterAction.Deny, Rules = [new() { Name = "web" }, new() { Action = FilterAction.Deny }] };
        FilterProgram program = FilterProgram.Compile(spec, Ports);
        Assert.Equal(["web", "rule-2", "default"], program.Counters.Select(counter => counter.Name));
        Assert.Equal(("default", "web", "rule-2"), (program.NameOf(FilterProgram.NoRule), program.NameOf(0), program.NameOf(1)));
        Assert.Equal((FilterAction.Deny, FilterAction.Allow, FilterAction.Deny), (program.ActionOf(FilterProgram.NoRule), program.ActionOf(0),
            program.ActionOf(1)));
        Assert.Equal((FilterAction.Deny, 2), (program.DefaultAction, program.RuleCount));
    }

    [Fact]
    public void Compile_UnknownPort_ThrowsAndNamesRuleAndPort()
    {
        var spec = new FilterSpec { Rules = [new(), new() { Port = "dmz" }] };
        ArgumentException error = Assert.Throws<ArgumentException>(() => FilterProgram.Compile(spec, Ports));
        Assert.Contains("rule-2", error.Message, StringComparison.Ordinal);
        Assert.Contains("'dmz'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Compile_WithPrevious_EqualRulesGoOnCounting()
    {
        FilterRuleSpec web = new() { Name = "web", ToPort = new PortRange(80, 80) }, ssh = new() { Name = "ssh", Protocol = 6 },
            unnamed = new() { Protocol = 17 };
        FilterProgram before = FilterProgram.Compile(new FilterSpec { Rules = [web, ssh, unnamed] }, Ports);
        for (int rule = FilterProgram.NoRule; rule < 3; rule++)
        {
            before.Count(rule, 100 + rule);
        }

        // ssh moves to the front, web changes, the third stays rule-3, and "rule-4" is new.
        var changed = new FilterSpec { Rules = [ssh with { }, web with { ToPort = new PortRange(81, 81) }, unnamed with { }, unnamed with { }] };
        FilterProgram after = FilterProgram.Compile(changed, Ports, before);
        Assert.Same(before.CounterOf(1), after.CounterOf(0));
        Assert.Equal((0, 0), (after.CounterOf(1).Packets, after.CounterOf(1).Bytes));
        Assert.Equal((1, 102), (after.CounterOf(2).Packets, after.CounterOf(2).Bytes));
        Assert.Equal(0, after.CounterOf(3).Packets);
        Assert.Same(before.CounterOf(FilterProgram.NoRule), after.CounterOf(FilterProgram.NoRule));

        FilterProgram denies = FilterProgram.Compile(changed with { Default = FilterAction.Deny }, Ports, after);
        Assert.Equal(0, denies.CounterOf(FilterProgram.NoRule).Packets);
    }

    [Fact]
    public void Compile_WithPreviousWhereRulesMoved_UnnamedOnesStartAnew()
    {
        FilterRuleSpec rule = new() { Protocol = 17 };
        FilterProgram before = FilterProgram.Compile(new FilterSpec { Rules = [rule] }, Ports);
        before.CounterOf(0).Add(5, 500);
        FilterProgram after = FilterProgram.Compile(new FilterSpec { Rules = [new() { Protocol = 6 }, rule] }, Ports, before);
        Assert.Equal((0, 0), (after.CounterOf(0).Packets, after.CounterOf(1).Packets));
    }

    [Fact]
    public void Match_Always_AllocatesNothing()
    {
        FilterProgram program = FilterProgram.Compile(new FilterSpec
        {
            Rules = [new() { From = IpPrefix.AllV6, Protocol = 6 },
            new() { From = IpPrefix.AllV4 }]
        }, Ports);
        FlowKey v4 = FlowKey.Create(IpAddress.FromV4(1), 1, IpAddress.FromV4(2), 2, 6), v6 = FlowKey.Create(IpAddress.FromV6(1, 1), 1,
            IpAddress.FromV6(2, 2), 2, 6);
        int sum = 0, matches = 0;
        Allocations.AssertNone(10_000, () =>
        {
            int rule = program.Match(in v4, default, 0);
            program.Count(rule, 64);
            sum += rule + program.MatchAfter(0, in v6, default, 0);
            matches++;
        });
        Assert.Equal(matches, program.CounterOf(1).Packets);
        Assert.NotEqual(-1, sum);
    }

    internal static List<int> AllMatches(FilterProgram program, FlowKey key, PacketHeaders headers, byte port)
    {
        var matches = new List<int>();
        for (int rule = program.Match(in key, in headers, port); rule != FilterProgram.NoRule; rule = program.MatchAfter(rule, in key, in headers, port))
        {
            matches.Add(rule);
        }

        return matches;
    }

    private static Gen<T?> Optional<T>(Gen<T> gen)
        where T : struct => Gen.Frequency((1, Gen.Constant<T?>(null)), (1, gen.Select(value => (T?)value)));
}
