using Dataplane.Packets;
using Dataplane.Pipeline;
using static Dataplane.Tests.Conformance.Say;

namespace Dataplane.Tests.Conformance.Cases;

/// <summary>How long translations last.</summary>
internal static class NatTimeCases
{
    private const double Sweep = 61;
    private const CaseNeeds Time = CaseNeeds.Time;

    public static ConformanceGroup Group { get; } = new("nat-in-time", builder => builder.Nat("lan", "wan"), Add);

    private static void Add(ConformanceGroup group)
    {
        AddUdp(group);
        AddTcp(group);
        AddEcho(group);
    }

    private static void AddUdp(ConformanceGroup group)
    {
        group.Both("udp-lasts-two-minutes-at-least", "RFC 4787 4.3", "RFC 6888 3", c =>
        {
            c.NatOut(Udp(c.Port(), 53));
            c.Wait(120);
            c.NatIn(Udp(53, c.Port()));
        }, Time);
        group.Both("udp-lasts-five-minutes", "RFC 4787 4.3", c =>
        {
            c.NatOut(Udp(c.Port(), 53));
            c.Wait(299);
            c.NatIn(Udp(53, c.Port()));
        }, Time);
        group.Both("udp-ends-after-that", "RFC 4787 4.3", c =>
        {
            c.NatOut(Udp(c.Port(), 53));
            c.Wait(300 + Sweep);
            c.NatRefused(Udp(53, c.Port()));
        }, Time);
        group.Both("udp-is-refreshed-by-the-inside", "RFC 4787 4.3", c =>
        {
            for (int turn = 0; turn < 3; turn++)
            {
                c.NatOut(Udp(c.Port(), 53));
                c.Wait(250);
            }

            c.NatIn(Udp(53, c.Port()));
        }, Time);
        group.Both("port-of-what-ended-is-free-again", "RFC 4787 4.2.1", c =>
        {
            c.NatOut(Udp(c.Port(), 53), 11);
            c.Wait(300 + Sweep);
            c.NatOut(Udp(c.Port(), 53), 12);
            c.NatIn(Udp(53, c.Port()), 12);
        }, Time);
    }

    private static void AddTcp(ConformanceGroup group)
    {
        group.Both("tcp-lasts-two-hours-and-four-minutes", "RFC 5382 5", c =>
        {
            Open(c);
            c.Wait(7439);
            c.NatIn(Tcp(443, c.Port(), TcpFlags.Ack, 501, 101, 9));
        }, Time);
        group.Both("tcp-ends-after-that", "RFC 5382 5", c =>
        {
            Open(c);
            c.Wait(7440 + Sweep);
            c.NatRefused(Tcp(443, c.Port(), TcpFlags.Ack, 501, 101, 9));
        }, Time);
        group.Both("tcp-handshake-lasts-four-minutes", "RFC 5382 5", c =>
        {
            c.NatOut(Tcp(c.Port(), 443, TcpFlags.Syn, 100));
            c.Wait(239);
            c.NatIn(Tcp(443, c.Port(), TcpFlags.Syn | TcpFlags.Ack, 500, 101));
        }, Time);
        group.Both("tcp-handshake-ends-after-that", "RFC 5382 5", c =>
        {
            c.NatOut(Tcp(c.Port(), 443, TcpFlags.Syn, 100));
            c.Wait(240 + Sweep);
            c.NatRefused(Tcp(443, c.Port(), TcpFlags.Syn | TcpFlags.Ack, 500, 101));
        }, Time);
        group.Both("tcp-after-fins-lasts-four-minutes", "RFC 7857 2.1", c =>
        {
            c.NatConversation(c.Port());
            c.Wait(239);
            c.NatIn(Tcp(443, c.Port(), TcpFlags.Fin | TcpFlags.Ack, 1401, 435, 1));
        }, Time);
        group.Both("tcp-after-fins-ends-after-that", "RFC 7857 2.1", c =>
        {
            c.NatConversation(c.Port());
            c.Wait(240 + Sweep);
            c.NatRefused(Tcp(443, c.Port(), TcpFlags.Fin | TcpFlags.Ack, 1401, 435, 1));
        }, Time);
        group.Both("tcp-after-a-reset-lasts-four-minutes", "RFC 7857 2.2", c =>
        {
            Open(c);
            c.NatIn(Tcp(443, c.Port(), TcpFlags.Rst, 501));
            c.Wait(239);
            c.NatIn(Tcp(443, c.Port(), TcpFlags.Rst, 501));
        }, Time);
    }

    private static void AddEcho(ConformanceGroup group)
    {
        group.Both("echo-lasts-a-minute", "RFC 5508 3.2", c =>
        {
            c.NatOut(EchoRequest(c.Port()));
            c.Wait(59);
            c.NatIn(EchoReply(c.Port()));
        }, Time);
        group.Both("echo-ends-after-that", "RFC 5508 3.2", c =>
        {
            c.NatOut(EchoRequest(c.Port()));
            c.Wait(60 + Sweep);
            c.Wan(EchoReply(c.Port())(c.FromWan(c.Client, c.Gateway))).Dropped(DropReason.ConsumedIcmp);
        }, Time);
    }

    private static void Open(CaseScript c)
    {
        c.NatOut(Tcp(c.Port(), 443, TcpFlags.Syn, 100));
        c.NatIn(Tcp(443, c.Port(), TcpFlags.Syn | TcpFlags.Ack, 500, 101));
        c.NatOut(Tcp(c.Port(), 443, TcpFlags.Ack, 101, 501));
    }
}
