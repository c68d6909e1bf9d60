using Dataplane.Filtering;
using Dataplane.Packets;
using Dataplane.Tracking;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Filtering;

/// <summary>Rules that ask for states, in a list and in a classifier, one packet and many, against the rules read one by one.</summary>
public sealed class FilterStatesTests
{
    private static readonly ConnectionStates[] s_states =
        [ConnectionStates.None, ConnectionStates.New, ConnectionStates.Established, ConnectionStates.Related, ConnectionStates.Invalid];

    [Theory]
    [InlineData(FilterProgram.MaxListed)]
    [InlineData(120)]
    [InlineData(1500)]
    public void AnyRules_TheFirstThatAsksForTheStateDecides(int count)
    {
        Gen<FilterRuleSpec> rule =
            from states in Gen.Choose(0, 15)
            from protocol in Gen.Elements<byte?>(null, 6, 17, 47)
            from port in Gen.Choose(0, 5)
            from flags in Gen.Elements<TcpFlagMatch?>(null, null, new TcpFlagMatch(2, 2))
            from net in Gen.Choose(0, 40)
            select new FilterRuleSpec
            {
                State = (ConnectionStates)states,
                Protocol = protocol,
                From = net == 0 ? null : IpPrefix.Parse($"10.{net}.0.0/16"),
                ToPort = port > 0 && protocol is 6 or 17 ? new PortRange((ushort)port, (ushort)(port + 2)) : null,
                TcpFlags = protocol == 6 ? flags : null,
            };
        Gen<(uint Source, byte Protocol, ushort Port, byte Flags, ConnectionStates State)[]> packets =
            (from net in Gen.Choose(0, 41)
             from protocol in Gen.Elements<byte>(6, 17, 47)
             from port in Gen.Choose(0, 8)
             from flags in Gen.Elements<byte>(0, 2, 16)
             from state in Gen.Elements(s_states)
             select (0x0A00_0001u | ((uint)net << 16), protocol, (ushort)port, protocol == 6 ? flags : (byte)0, state)).ArrayOf(200);
        Prop.ForAll(rule.ArrayOf(count).ToArbitrary(), packets.ToArbitrary(), Check).Check(Config.QuickThrowOnFailure.WithMaxTest(count > 1000 ? 3 : 15));
    }

    /// <summary>A rule that comes later stands beside the classifier; a packet whose state nobody has asked for meets none that asks.</summary>
    [Fact]
    public void Insert_ARuleWithStates_IsAskedFromThenOn()
    {
        FilterRuleSpec[] rules = [.. Enumerable.Range(1, 60).Select(net => new FilterRuleSpec { From = IpPrefix.Parse($"10.{net}.0.0/16") })];
        var program = FilterProgram.Compile(new FilterSpec { Rules = rules }, _ => -1);
        Assert.False(program.HasStates);
        FilterProgram stateful = program.Insert(0, new FilterRuleSpec { State = ConnectionStates.Established }, _ => -1);
        Assert.True(stateful.HasStates);
        var key = FlowKey.Create(IpAddress.Parse("10.7.0.1"), 1, IpAddress.Parse("10.0.0.1"), 2, 17);
        var headers = new PacketHeaders { TransportOffset = 34 };
        Assert.Equal(0, stateful.Match(in key, in headers, 0, ConnectionStates.Established));
        Assert.Equal(7, stateful.Match(in key, in headers, 0, ConnectionStates.New));
        Assert.Equal(7, stateful.Match(in key, in headers, 0));
        Assert.False(stateful.Remove(0).HasStates);
    }

    private static void Check(FilterRuleSpec[] rules, (uint Source, byte Protocol, ushort Port, byte Flags, ConnectionStates State)[] packets)
    {
        var program = FilterProgram.Compile(new FilterSpec { Rules = rules }, _ => -1);
        ParsedFrame[] frames = [.. packets.Select(packet => new ParsedFrame
        {
            Key = FlowKey.Create(IpAddress.FromV4(packet.Source), 9, IpAddress.Parse("192.0.2.1"), packet.Port, packet.Protocol),
            Headers = new PacketHeaders { TransportOffset = 34, Protocol = packet.Protocol, TcpFlags = packet.Flags, IpVersion = 4 },
        })];
        int[] found = new int[frames.Length];
        program.Match(frames, 0, found, packets.Select(packet => packet.State).ToArray());
        for (int i = 0; i < packets.Length; i++)
        {
            (uint source, byte protocol, ushort port, byte flags, ConnectionStates state) = packets[i];
            int expected = Array.FindIndex(rules, rule => (rule.State == ConnectionStates.None || (rule.State & state) != 0)
                && (rule.Protocol is null || rule.Protocol == protocol) && (rule.From is null || rule.From.Value.Contains(IpAddress.FromV4(source)))
                && (rule.ToPort is null || rule.ToPort.Value.Contains(port)) && (rule.TcpFlags is null || (flags & rule.TcpFlags.Value.Mask) == rule.TcpFlags.Value.Value));
            Assert.Equal(expected, found[i]);
            Assert.Equal(expected, program.Match(in frames[i].Key, in frames[i].Headers, 0, state));
        }
    }
}
