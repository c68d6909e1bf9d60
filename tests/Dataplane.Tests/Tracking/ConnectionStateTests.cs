using Dataplane.Filtering;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;
using Dataplane.Tests.Flows;
using Dataplane.Tests.Pipeline;
using Dataplane.Tracking;
using static Dataplane.Tests.Tracking.TrackedNet;

namespace Dataplane.Tests.Tracking;

/// <summary>Packets in, packets out, under rules that ask for states: each case names what it is taken from.</summary>
public sealed class ConnectionStateTests
{
    private const TcpFlags Syn = TcpFlags.Syn, Ack = TcpFlags.Ack, Fin = TcpFlags.Fin, Rst = TcpFlags.Rst, SynAck = Syn | Ack, FinAck = Fin | Ack;

    public static TheoryData<int> Families => [4, 6];

    [Theory]
    [MemberData(nameof(Families))]
    public async Task Tcp_WholeConnection_PassesUnchangedAndEnds(int family)
    {
        TrackedNet net = Of(family);
        await using TestPlane plane = Create(builder => builder.Filter(filter => filter.Timeouts(new() { TcpEstablished = TimeSpan.FromSeconds(150) })));
        Denied(plane, "wan", net.In(Syn, 500, 0));
        net.Open(plane);
        for (uint sent = 0; sent < 5000; sent += 500)
        {
            Pass(plane, "lan", net.Out(Ack | TcpFlags.Psh, 101 + sent, 501, 500));
            Pass(plane, "wan", net.In(Ack, 501, 601 + sent));
        }

        Assert.All(plane.Engine.ReadFlows(), flow => Assert.Equal(("tcp_established", flow.Source), (flow.State, flow.NewSource)));
        Pass(plane, "lan", net.Out(FinAck, 5101, 501));
        Pass(plane, "wan", net.In(Ack, 501, 5102, 400));
        Pass(plane, "wan", net.In(FinAck, 901, 5102));
        Pass(plane, "lan", net.Out(Ack, 5102, 902));
        Assert.All(plane.Engine.ReadFlows(), flow => Assert.Equal("tcp_closing", flow.State));

        // The same ports again (RFC 9293 3.6.1): another connection, with numbers of its own.
        Pass(plane, "lan", net.Out(Syn, 900_000, 0));
        Pass(plane, "wan", net.In(SynAck, 7_000_000, 900_001));
        Pass(plane, "lan", net.Out(Ack, 900_001, 7_000_001));
        Assert.Equal(2, plane.Engine.ReadFlows().Count);
        plane.Wait(TimeSpan.FromSeconds(140));
        Assert.Equal(2, plane.Engine.ReadFlows().Count);
        plane.Wait(TimeSpan.FromSeconds(80));
        Assert.Empty(plane.Engine.ReadFlows());
        Invalid(plane, "wan", net.In(Ack, 7_000_001, 900_001), StateReason.NoConnection);
    }

    /// <summary>What scanners send (nmap -sA, -sX, -sN, -sF, -sM): nothing of it is ever new.</summary>
    [Theory]
    [MemberData(nameof(Families))]
    public async Task Tcp_ScansWithoutConnection_AreInvalidFromBothSides(int family)
    {
        TrackedNet net = Of(family);
        await using TestPlane plane = Create();
        foreach ((TcpFlags flags, StateReason why) in new[]
        {
            (Ack, StateReason.NoConnection), (FinAck, StateReason.NoConnection), (Rst, StateReason.NoConnection), (Rst | Ack, StateReason.NoConnection),
            (SynAck, StateReason.NoConnection), (Fin | TcpFlags.Psh | TcpFlags.Urg, StateReason.BadFlags), (TcpFlags.None, StateReason.BadFlags),
            (Fin, StateReason.BadFlags), (Syn | Fin, StateReason.BadFlags), (Syn | Rst, StateReason.BadFlags), (TcpFlags.Psh, StateReason.BadFlags),
        })
        {
            Invalid(plane, "wan", net.In(flags, 1, 2), why);
            Invalid(plane, "lan", net.Out(flags, 1, 2), why);
        }

        Assert.Empty(plane.Engine.ReadFlows());
        ConnectionsStatus status = plane.Engine.ReadConnections();
        Assert.Equal((true, 0, 10, 12), (status.IsFollowing, status.Flows, Count("no_connection"), Count("bad_flags")));
        long Count(string reason) => status.Invalid.Single(entry => entry.Reason == reason).Packets;
        Assert.Equal("new", StateOf(plane, "lan", net.Out(Syn | TcpFlags.Ece | TcpFlags.Cwr, 1, 0)));
    }

    /// <summary>RFC 9293 3.4, and van Rooij's four bounds, each on both of its sides.</summary>
    [Theory]
    [MemberData(nameof(Families))]
    public async Task Tcp_Windows_AreKeptToTheByte(int family)
    {
        TrackedNet net = Of(family);
        await using TestPlane plane = Create();
        net.Open(plane);
        Invalid(plane, "lan", net.Out(Ack, 101, 501, 1001), StateReason.AboveWindow);
        Invalid(plane, "lan", net.Out(Ack, 1102, 501), StateReason.AboveWindow);
        Pass(plane, "lan", net.Out(Ack, 101, 501, 1000));
        Invalid(plane, "wan", net.In(Ack, 501, 1102), StateReason.AcknowledgesUnsent);
        Pass(plane, "wan", net.In(Ack, 501, 1101));

        // A zero window lets one byte through to probe it (RFC 9293 3.8.6.1), and a retransmission of up to a window.
        Pass(plane, "lan", net.Out(Ack, 1101, 501, 1000));
        Pass(plane, "wan", net.In(Ack, 501, 2101, window: 0));
        Pass(plane, "lan", net.Out(Ack, 2101, 501, 1));
        Invalid(plane, "lan", net.Out(Ack, 2101, 501, 2), StateReason.AboveWindow);
        Pass(plane, "lan", net.Out(Ack, 1102, 501));
        Invalid(plane, "lan", net.Out(Ack, 1101, 501), StateReason.BelowWindow);

        // What was refused has changed nothing: a keep-alive before the window, and its answer, still pass.
        Pass(plane, "lan", net.Out(Ack, 2101, 501));
        Pass(plane, "wan", net.In(Ack, 501, 2102));
        Invalid(plane, "wan", net.In(Ack, 501, unchecked(2102u - 66_001)), StateReason.AcknowledgesOld);
    }

    /// <summary>RFC 7323 2.2: windows are scaled when both SYNs say so, and those of the SYNs never.</summary>
    [Theory]
    [InlineData(4, true, 5)]
    [InlineData(6, true, 0)]
    [InlineData(4, false, 5)]
    public async Task Tcp_WindowScale_CountsWhenBothHaveIt(int family, bool both, byte scale)
    {
        TrackedNet net = Of(family);
        await using TestPlane plane = Create();
        Pass(plane, "lan", net.Out(Syn, 100, 0, scale: scale));
        Pass(plane, "wan", net.In(SynAck, 500, 101, scale: both ? scale : null));
        Pass(plane, "lan", net.Out(Ack, 101, 501));
        Invalid(plane, "lan", net.Out(Ack, 101, 501, 1001), StateReason.AboveWindow);
        uint window = both ? 1000u << scale : 1000;
        Pass(plane, "wan", net.In(Ack, 501, 101));
        Pass(plane, "lan", net.Out(Ack, 101 + window, 501));
        Invalid(plane, "lan", net.Out(Ack, 102 + window, 501), StateReason.AboveWindow);

        // The client's window is scaled under the same condition.
        Pass(plane, "wan", net.In(Ack, 501 + window, 101));
        Invalid(plane, "wan", net.In(Ack, 502 + window, 101), StateReason.AboveWindow);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public async Task Tcp_SequenceNumbers_WrapAround(int family)
    {
        TrackedNet net = Of(family);
        await using TestPlane plane = Create();
        uint first = uint.MaxValue - 300;
        Pass(plane, "lan", net.Out(Syn, first, 0));
        Pass(plane, "wan", net.In(SynAck, uint.MaxValue, first + 1));
        Pass(plane, "lan", net.Out(Ack, first + 1, 0));
        Pass(plane, "lan", net.Out(Ack, first + 1, 0, 1000));
        Invalid(plane, "lan", net.Out(Ack, first + 1001, 0, 1), StateReason.AboveWindow);
        Pass(plane, "wan", net.In(Ack, 0, unchecked(first + 1001)));
        Pass(plane, "lan", net.Out(Ack, unchecked(first + 1001), 0, 1000));
    }

    /// <summary>RFC 9293 3.10.7.3: only an acknowledgment of the SYN answers it.</summary>
    [Theory]
    [MemberData(nameof(Families))]
    public async Task Tcp_Handshake_AcceptsWhatAnswersIt(int family)
    {
        TrackedNet net = Of(family);
        await using TestPlane plane = Create();
        Pass(plane, "lan", net.Out(Syn, 100, 0));
        Pass(plane, "lan", net.Out(Syn, 100, 0));
        Invalid(plane, "lan", net.Out(Ack, 101, 501), StateReason.OutOfTurn);
        Invalid(plane, "wan", net.In(SynAck, 500, 100), StateReason.AcknowledgesUnsent);
        Invalid(plane, "wan", net.In(SynAck, 500, 102), StateReason.AcknowledgesUnsent);
        Invalid(plane, "wan", net.In(Rst | Ack, 0, 102), StateReason.ResetOutOfWindow);
        Invalid(plane, "wan", net.In(Rst, 0, 101), StateReason.ResetOutOfWindow);
        Invalid(plane, "wan", net.In(FinAck, 500, 101), StateReason.OutOfTurn);
        Assert.All(plane.Engine.ReadFlows(), flow => Assert.Equal("tcp_transitory", flow.State));
        Pass(plane, "wan", net.In(SynAck, 500, 101));
        Pass(plane, "wan", net.In(SynAck, 500, 101));
        Invalid(plane, "lan", net.Out(Ack, 101, 500), StateReason.OutOfTurn);
        Pass(plane, "lan", net.Out(Ack, 101, 501));
        Invalid(plane, "wan", net.In(SynAck, 777, 101), StateReason.OutOfTurn);
        Pass(plane, "wan", net.In(Ack, 501, 101, 10));
    }

    [Theory]
    [MemberData(nameof(Families))]
    public async Task Tcp_Refused_EndsByTheResetThatAnswersTheSyn(int family)
    {
        TrackedNet net = Of(family);
        await using TestPlane plane = Create();
        Pass(plane, "lan", net.Out(Syn, 100, 0));
        Pass(plane, "wan", net.In(Rst | Ack, 0, 101));
        Assert.All(plane.Engine.ReadFlows(), flow => Assert.Equal("tcp_closing", flow.State));
        Pass(plane, "lan", net.Out(Syn, 5000, 0));
        Pass(plane, "wan", net.In(SynAck, 9, 5001));
    }

    /// <summary>RFC 9293 3.5: both send SYN at the same time, then both SYN with ACK.</summary>
    [Theory]
    [MemberData(nameof(Families))]
    public async Task Tcp_SimultaneousOpen_IsOneConnection(int family)
    {
        TrackedNet net = Of(family);
        await using TestPlane plane = Create();
        Pass(plane, "lan", net.Out(Syn, 100, 0));
        Pass(plane, "wan", net.In(Syn, 500, 0));
        Pass(plane, "lan", net.Out(SynAck, 100, 501));
        Pass(plane, "wan", net.In(SynAck, 500, 101));
        Pass(plane, "lan", net.Out(Ack, 101, 501, 10));
        Pass(plane, "wan", net.In(Ack, 501, 111, 10));
        Assert.All(plane.Engine.ReadFlows(), flow => Assert.Equal("tcp_established", flow.State));
    }

    /// <summary>RFC 5961 3: exactly the expected number ends it, one in the window is for the receiver to challenge, all others are invalid.</summary>
    [Theory]
    [MemberData(nameof(Families))]
    public async Task Tcp_Reset_EndsOnlyWithTheNumberExpected(int family)
    {
        TrackedNet net = Of(family);
        await using TestPlane plane = Create();
        net.Open(plane);
        Invalid(plane, "wan", net.In(Rst, 500, 0), StateReason.ResetOutOfWindow);
        Invalid(plane, "wan", net.In(Rst, 1502, 0), StateReason.ResetOutOfWindow);
        Pass(plane, "wan", net.In(Rst, 502, 0));
        Pass(plane, "wan", net.In(Rst, 1501, 0));
        Assert.All(plane.Engine.ReadFlows(), flow => Assert.Equal("tcp_established", flow.State));
        Pass(plane, "lan", net.Out(Ack, 101, 501, 20));
        Pass(plane, "wan", net.In(Rst, 501, 0));
        Assert.All(plane.Engine.ReadFlows(), flow => Assert.Equal("tcp_closing", flow.State));
    }

    /// <summary>A reset behind data that is still on its way has the number expected once that has come.</summary>
    [Theory]
    [MemberData(nameof(Families))]
    public async Task Tcp_ResetBehindDataOnItsWay_Ends(int family)
    {
        TrackedNet net = Of(family);
        await using TestPlane plane = Create();
        net.Open(plane);
        Pass(plane, "wan", net.In(Ack, 501, 101, 100));
        Pass(plane, "wan", net.In(Rst, 601, 0));
        Assert.All(plane.Engine.ReadFlows(), flow => Assert.Equal("tcp_closing", flow.State));
    }

    /// <summary>A FIN before the end of what was sent is none that an end sends: the connection goes on.</summary>
    [Theory]
    [MemberData(nameof(Families))]
    public async Task Tcp_FinBeforeTheEndOfWhatWasSent_EndsNothing(int family)
    {
        TrackedNet net = Of(family);
        await using TestPlane plane = Create();
        net.Open(plane);
        Pass(plane, "lan", net.Out(Ack, 101, 501, 500));
        Pass(plane, "lan", net.Out(FinAck, 101, 501, 100));
        Assert.All(plane.Engine.ReadFlows(), flow => Assert.Equal("tcp_established", flow.State));
    }

    /// <summary>What was refused is no connection, whatever its client sends behind the refusal.</summary>
    [Theory]
    [MemberData(nameof(Families))]
    public async Task Tcp_DataBehindARefusal_IsOutOfTurn(int family)
    {
        TrackedNet net = Of(family);
        await using TestPlane plane = Create();
        Pass(plane, "lan", net.Out(Syn, 100, 0));
        Pass(plane, "wan", net.In(Rst | Ack, 0, 101));
        Invalid(plane, "lan", net.Out(Ack, 101, 501, 10), StateReason.OutOfTurn);
        Pass(plane, "lan", net.Out(Syn, 300, 0));
    }

    /// <summary>Behind a translation only one side can begin: the other's SYN on what has ended would be a connection that nobody asked for.</summary>
    [Theory]
    [MemberData(nameof(Families))]
    public async Task Service_SynOfTheBackendOnAConnectionThatHasEnded_IsOutOfTurn(int family)
    {
        var net = ServiceNet.Of(family);
        await using TestPlane plane = TestPlane.Create(builder => net.Add(builder, "web", 80, tcp: true, Dataplane.Balancing.BalancePolicy.RoundRobin, 11)
            .Filter(filter => filter.Allow(state: ConnectionStates.Established).Allow(state: ConnectionStates.New).Deny(state: ConnectionStates.Invalid).DefaultDeny()));
        plane.SendForOne("wan", net.FromClient().Tcp(7, 80, Syn, 100, 0, 1000).Build(), "lan");
        plane.SendForOne("lan", net.FromBackend(11).Tcp(8080, 7, Rst | Ack, 0, 101).Build(), "wan");
        Invalid(plane, "lan", net.FromBackend(11).Tcp(8080, 7, Syn, 900, 0, 1000).Build(), StateReason.OutOfTurn);
    }

    /// <summary>RFC 5961 4: a client that has begun anew gets to its connection by a challenge, whether the server has lost the old one or not.</summary>
    [Theory]
    [InlineData(4, true)]
    [InlineData(4, false)]
    [InlineData(6, true)]
    public async Task Tcp_SynOfAClientThatRestarted_LeadsToAnother(int family, bool serverKnows)
    {
        TrackedNet net = Of(family);
        await using TestPlane plane = Create();
        net.Open(plane);
        Pass(plane, "lan", net.Out(Syn, 70_000, 0));
        Assert.All(plane.Engine.ReadFlows(), flow => Assert.Equal("tcp_established", flow.State));
        if (serverKnows)
        {
            Pass(plane, "wan", net.In(Ack, 501, 101));
            Pass(plane, "lan", net.Out(Rst, 101, 0));
            Pass(plane, "lan", net.Out(Syn, 70_000, 0));
        }

        Pass(plane, "wan", net.In(SynAck, 90_000, 70_001));
        Pass(plane, "lan", net.Out(Ack, 70_001, 90_001));
        Pass(plane, "lan", net.Out(Ack, 70_001, 90_001, 1000));
        Invalid(plane, "lan", net.Out(Ack, 101, 501, 10), StateReason.BelowWindow);
    }

    [Theory]
    [InlineData(4, false)]
    [InlineData(4, true)]
    [InlineData(6, true)]
    public async Task Tcp_MiddleOfAnUnknownConnection_IsNewOnlyWhereItIsPickedUp(int family, bool picksUp)
    {
        TrackedNet net = Of(family);
        await using TestPlane plane = Create(builder => builder.Filter(filter => filter = picksUp ? filter.PickUp() : filter));
        byte[] first = net.Out(Ack, 1_000_000, 2_000_000, 100);
        if (!picksUp)
        {
            Invalid(plane, "lan", first, StateReason.NoConnection);
            return;
        }

        Pass(plane, "lan", first);
        Pass(plane, "wan", net.In(Ack, 2_000_000, 1_000_100, 1400));
        Pass(plane, "lan", net.Out(Ack, 1_000_100, 2_001_400, 1400));
        Invalid(plane, "wan", net.In(Ack, 2_001_400, 1_001_501), StateReason.AcknowledgesUnsent);
        Invalid(plane, "wan", net.In(FinAck | TcpFlags.Syn, 1, 1), StateReason.BadFlags);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public async Task UdpAndEcho_AnswersPass_AndOnlyWhileTheyAreAskedFor(int family)
    {
        TrackedNet net = Of(family);
        await using TestPlane plane = Create(builder => builder.Filter(filter => filter.Timeouts(new() { Udp = TimeSpan.FromSeconds(30), Icmp = TimeSpan.FromSeconds(10) })));
        byte[] answer = net.FromOutside().Udp(53, 7).Payload("a").Build(), reply = net.FromOutside().EchoReply(7, 1).PayloadOf(56).Build();
        Denied(plane, "wan", answer);
        Invalid(plane, "wan", reply, StateReason.UnaskedAnswer);
        Denied(plane, "wan", net.FromOutside().EchoRequest(7, 1).Build());
        byte[] question = net.FromInside().Udp(7, 53).Payload("q").Build(), request = net.FromInside().EchoRequest(7, 1).PayloadOf(56).Build();
        Assert.Equal("new", StateOf(plane, "lan", question));
        Pass(plane, "lan", question);
        Assert.Equal("new", StateOf(plane, "lan", question));
        Pass(plane, "wan", answer);
        Assert.Equal("established", StateOf(plane, "lan", question));
        Pass(plane, "lan", question);
        Pass(plane, "wan", answer);
        Pass(plane, "lan", request);
        Pass(plane, "wan", reply);
        Invalid(plane, "wan", net.FromOutside().EchoReply(8, 1).Build(), StateReason.UnaskedAnswer);
        plane.Wait(TimeSpan.FromSeconds(75));
        Invalid(plane, "wan", reply, StateReason.UnaskedAnswer);
        plane.Wait(TimeSpan.FromSeconds(30));
        Denied(plane, "wan", answer);
    }

    /// <summary>Protocols without ports are followed by their addresses; nothing is written into them.</summary>
    [Theory]
    [MemberData(nameof(Families))]
    public async Task OtherProtocols_AreConnectionsOfTheirAddresses(int family)
    {
        TrackedNet net = Of(family);
        await using TestPlane plane = Create();
        byte[] there = net.FromInside().Carrying(47).PayloadOf(64).Build(), back = net.FromOutside().Carrying(47).PayloadOf(64).Build();
        Denied(plane, "wan", back);
        for (int turn = 0; turn < 3; turn++)
        {
            Pass(plane, "lan", there);
            Pass(plane, "wan", back);
        }

        Denied(plane, "wan", net.FromOutside().Carrying(50).PayloadOf(64).Build());
        Assert.All(plane.Engine.ReadFlows(), flow => Assert.Equal("other", flow.State));
    }

    [Theory]
    [MemberData(nameof(Families))]
    public async Task IcmpErrors_AreRelatedToWhatTheyQuote(int family)
    {
        TrackedNet net = Of(family);
        await using TestPlane plane = Create();
        byte[] sent = Pass(plane, "lan", net.FromInside().Udp(7, 53).PayloadOf(20).Build());
        IpAddress router = IpAddress.Parse(family == 4 ? "198.51.100.9" : "2001:db8:1::9");
        byte[] Error(byte[] quoted, IpAddress? to = null) => family == 4
            ? PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ip(router, to ?? net.Inside).Icmpv4(Icmpv4Fields.TimeExceeded()).Payload(quoted).Build()
            : PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ip(router, to ?? net.Inside).Icmpv6(Icmpv6Fields.TimeExceeded()).Payload(quoted).Build();
        Assert.Equal("related", StateOf(plane, "wan", Error(sent[14..])));
        Pass(plane, "wan", Error(sent[14..]));

        // About what was never sent; to another host than the one that sent it; about nothing.
        Invalid(plane, "wan", Error(net.FromInside().Udp(8, 53).Build()[14..]), StateReason.QuotesNothing);
        Invalid(plane, "wan", Error(sent[14..], IpAddress.Parse(family == 4 ? "10.1.0.12" : "2001:db8:2::12")), StateReason.QuotesOther);
        Invalid(plane, "wan", Error(new byte[4]), StateReason.QuotesNothing);

        // Of TCP, only what can be on its way (RFC 5927 4.1).
        net.Open(plane);
        Pass(plane, "wan", Error(net.Out(Ack, 101, 501)[14..]));
        Invalid(plane, "wan", Error(net.Out(Ack, 102, 501)[14..]), StateReason.QuotesOutOfWindow);
        Invalid(plane, "wan", Error(net.Out(Ack, unchecked(101u - 66_001), 501)[14..]), StateReason.QuotesOutOfWindow);
        Pass(plane, "lan", net.Out(Ack, 101, 501, 10));
    }

    /// <summary>The address that clients send to and the one of the backend are one connection; what is invalid is not let through untranslated.</summary>
    [Theory]
    [MemberData(nameof(Families))]
    public async Task Service_BehindStates_IsFollowedThroughItsTranslation(int family)
    {
        ServiceNet net = ServiceNet.Of(family);
        await using TestPlane plane = TestPlane.Create(builder => net.Add(builder, "web", 80, tcp: true, Dataplane.Balancing.BalancePolicy.RoundRobin, 11)
            .Filter(filter => filter.Allow(state: ConnectionStates.Established).Allow(state: ConnectionStates.New, protocol: 6, toPort: "80")
                .Deny(state: ConnectionStates.Invalid).DefaultDeny()));
        Invalid(plane, "wan", net.FromClient().Tcp(7, 80, Ack, 1, 1).Build(), StateReason.NoConnection);
        Denied(plane, "lan", net.FromBackend(11).Tcp(8080, 7, Syn, 1, 1).Build());
        plane.SendForOne("wan", net.FromClient().Tcp(7, 80, Syn, 100, 0, 1000).Build(), "lan");
        Invalid(plane, "lan", net.FromBackend(11).Tcp(8080, 7, SynAck, 500, 99, 1000).Build(), StateReason.AcknowledgesUnsent);
        ServiceNet.Same(net.AtClient().Tcp(80, 7, SynAck, 500, 101, 1000).Build(),
            plane.SendForOne("lan", net.FromBackend(11).Tcp(8080, 7, SynAck, 500, 101, 1000).Build(), "wan"));
        for (uint turn = 0; turn < 4; turn++)
        {
            ServiceNet.Same(net.AtBackend(11).Tcp(7, 8080, Ack, 101 + turn, 501, 1000).PayloadOf(1).Build(),
                plane.SendForOne("wan", net.FromClient().Tcp(7, 80, Ack, 101 + turn, 501, 1000).PayloadOf(1).Build(), "lan"));
        }

        Invalid(plane, "wan", net.FromClient().Tcp(7, 80, Ack, 5000, 501, 1000).Build(), StateReason.AboveWindow);
        Invalid(plane, "wan", net.FromClient().Tcp(7, 80, Rst, 5000, 0, 0).Build(), StateReason.ResetOutOfWindow);
    }

    /// <summary>With several workers, packets no longer come to the worker of a flow that nobody asks for; it is forgotten there when its time is over.</summary>
    [Fact]
    public async Task Update_RulesWithStatesGoAndCome_ConnectionsEndOrAreTakenOver()
    {
        TrackedNet net = Of(4);
        await using TestPlane plane = Create(builder => builder.Workers(workers => workers with { Count = 1 }));
        net.Open(plane);
        async Task UpdateAsync(Func<DataplaneSpec, DataplaneSpec> change)
        {
            Task update = plane.Engine.UpdateAsync(change);
            plane.Run();
            await update;
        }

        FilterSpec states = new() { Default = FilterAction.Deny, Rules = [new FilterRuleSpec { State = ConnectionStates.Established | ConnectionStates.Related }] };
        await UpdateAsync(spec => spec with { Filter = states });
        Pass(plane, "wan", net.In(Ack, 501, 101, 10));
        Pass(plane, "lan", net.Out(Ack, 101, 511, 10));
        await UpdateAsync(spec => spec with { Filter = new FilterSpec() });
        Pass(plane, "wan", net.In(Ack, 501, 101, 10));
        Assert.Empty(plane.Engine.ReadFlows());
        Pass(plane, "wan", net.In(Ack, 9_999_999, 1, 10));
        await UpdateAsync(spec => spec with { Filter = states });
        Denied(plane, "wan", net.In(Ack, 511, 111, 10));
    }

    /// <summary>The short way keeps to the rule of the state a packet is in, and counts by it.</summary>
    [Fact]
    public async Task Rules_OfTheStates_CountThePacketsInThem()
    {
        TrackedNet net = Of(6);
        await using TestPlane plane = Create();
        net.Open(plane);
        for (uint turn = 0; turn < 10; turn++)
        {
            Pass(plane, "lan", net.Out(Ack, 101 + turn, 501, 1));
            Pass(plane, "wan", net.In(Ack, 501, 102 + turn));
        }

        IReadOnlyList<RuleStatus> rules = plane.Engine.ReadRules();
        Assert.Equal([("known", 22L), ("out", 1L), ("invalid", 0L), ("default", 0L)], rules.Select(rule => (rule.Name, rule.Packets)));
    }

    [Fact]
    public async Task ADirectConnectionThatAServicesAnswersWouldBeTakenFor_IsRefused()
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane plane = TestPlane.Create(builder => net.Add(builder, "web", 80, tcp: false, Dataplane.Balancing.BalancePolicy.RoundRobin, 11)
            .Filter(filter => filter.Allow(state: ConnectionStates.New | ConnectionStates.Established).DefaultDeny()));
        plane.SendForOne("wan", net.FromClient().Udp(7, 80).Build(), "lan");
        byte[] direct = PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ip(net.Client, net.Backend(11)).Udp(7, 8080).Build();
        Assert.Empty(plane.SendForDrop("wan", direct, DropReason.NoFreePort));
    }
}
