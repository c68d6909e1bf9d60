using Dataplane.Packets;
using Dataplane.Pipeline;
using static Dataplane.Tests.Conformance.Cases.Stateful;
using static Dataplane.Tests.Conformance.Say;

namespace Dataplane.Tests.Conformance.Cases;

/// <summary>How long connections are known: at least as long as the documents say, and a minute more at most.</summary>
internal static class TrackingTimeCases
{
    private const double Sweep = 61;
    private const CaseNeeds Time = CaseNeeds.Time;

    public static ConformanceGroup Group { get; } = new("states-in-time", Configure, Add);

    private static void Add(ConformanceGroup group)
    {
        AddUdp(group);
        AddTcp(group);
        AddRest(group);
    }

    private static void AddUdp(ConformanceGroup group)
    {
        group.Both("udp-is-kept-for-five-minutes", "RFC 4787 4.3", "RFC 6092 3.2.3", c =>
        {
            c.Out(Udp(c.Port(), 53));
            c.Wait(299);
            c.In(Udp(53, c.Port()));
        }, Time);
        group.Both("udp-is-forgotten-after-five-minutes", "RFC 4787 4.3", "RFC 6092 3.2.3", c =>
        {
            c.Out(Udp(c.Port(), 53));
            c.Wait(300 + Sweep);
            c.InDropped(DropReason.FilterDefault, Udp(53, c.Port()));
        }, Time);
        group.Both("udp-is-kept-alive-from-inside", "RFC 4787 4.3", "RFC 6092 3.2.3", c =>
        {
            for (int turn = 0; turn < 3; turn++)
            {
                c.Out(Udp(c.Port(), 53));
                c.Wait(200);
            }

            c.In(Udp(53, c.Port()));
        }, Time);
    }

    private static void AddTcp(ConformanceGroup group)
    {
        group.Both("tcp-established-is-kept-for-two-hours-and-four-minutes", "RFC 5382 5", "RFC 6092 3.3.1", c =>
        {
            c.Open();
            c.Wait(7439);
            c.In(Ack, 501, 101, 10);
        }, Time);
        group.Both("tcp-established-is-forgotten-after-that", "RFC 5382 5", "RFC 6092 3.3.1", c =>
        {
            c.Open();
            c.Wait(7440 + Sweep);
            c.InInvalid(Ack, 501, 101, 10);
        }, Time);
        group.Both("tcp-handshake-is-kept-for-four-minutes", "RFC 5382 5", "RFC 6092 3.3.1", c =>
        {
            c.Out(Syn, 100, 0);
            c.Wait(239);
            c.In(SynAck, 500, 101);
        }, Time);
        group.Both("tcp-handshake-is-forgotten-after-that", "RFC 5382 5", "RFC 6092 3.3.1", c =>
        {
            c.Out(Syn, 100, 0);
            c.Wait(240 + Sweep);
            c.InInvalid(SynAck, 500, 101);
        }, Time);
        group.Both("tcp-after-fin-is-kept-for-four-minutes", "RFC 5382 5", "RFC 6092 3.3.1", c =>
        {
            c.Open();
            c.Close();
            c.Wait(239);
            c.In(FinAck, 501, 102);
        }, Time);
        group.Both("tcp-after-fin-is-forgotten-after-that", "RFC 7857 2.1", "RFC 6092 3.3.1", c =>
        {
            c.Open();
            c.Close();
            c.Wait(240 + Sweep);
            c.InInvalid(FinAck, 501, 102);
        }, Time);
        group.Both("tcp-after-a-reset-is-kept-for-four-minutes", "RFC 7857 2.2", "RFC 6092 3.3.1", c =>
        {
            c.Open();
            c.Out(Rst, 101, 0);
            c.Wait(239);
            c.Out(Syn, 900_000, 0);
            c.In(SynAck, 7_000_000, 900_001);
        }, Time);
    }

    private static void AddRest(ConformanceGroup group)
    {
        group.Both("echo-is-kept-for-a-minute", "RFC 5508 3.2", "RFC 6092 3.2.1", c =>
        {
            c.Out(EchoRequest(c.Port()));
            c.Wait(59);
            c.In(EchoReply(c.Port()));
        }, Time);
        group.Both("echo-is-forgotten-after-that", "RFC 5508 3.2", "RFC 6092 3.2.1", c =>
        {
            c.Out(EchoRequest(c.Port()));
            c.Wait(60 + Sweep);
            c.InDropped(DropReason.FilterRule, EchoReply(c.Port()));
        }, Time);
        group.Both("icmp-error-keeps-nothing-alive", "RFC 5382 4.3", "RFC 6092 3.2.3", c =>
        {
            c.Out(Udp(c.Port(), 53));
            byte[] about = Udp(c.Port(), 53)(c.AtWan(c.Host(), c.Client)).Build();
            c.Wait(200);
            c.Wan(c.Error(c.FromWan(c.Client, c.Host()), IcmpError.HostUnreachable, about)).ToLan(c.Error(c.AtLan(c.Client, c.Host()), IcmpError.HostUnreachable, about));
            c.Wait(100 + Sweep);
            c.InDropped(DropReason.FilterDefault, Udp(53, c.Port()));
        }, Time);
        group.Both("segments-of-no-turn-keep-nothing-alive", "RFC 5382 4.3", "RFC 6092 3.3.1", c =>
        {
            c.Out(Syn, 100, 0);
            c.Wait(200);
            c.InInvalid(Ack, 501, 999, 10);
            c.Wait(40 + Sweep);
            c.InInvalid(SynAck, 500, 101);
        }, Time);
    }
}
