using Dataplane.Packets;
using Dataplane.Pipeline;
using static Dataplane.Tests.Conformance.Say;

namespace Dataplane.Tests.Conformance.Cases;

/// <summary>ICMP messages to the gateway itself.</summary>
internal static class EchoCases
{
    private const string V4 = "RFC 1122 3.2.2.6", V6 = "RFC 4443 4.2";

    public static ConformanceGroup Group { get; } = new("echo", _ => { }, Add) { Linux = new LinuxRules() };

    private static void Add(ConformanceGroup group)
    {
        group.Both("request-from-outside-is-answered", V4, V6, c => Answered(c, c.Gateway, 56));
        group.Both("request-without-data-is-answered", V4, V6, c => Answered(c, c.Gateway, 0));
        group.Both("request-of-odd-length-is-answered", V4, V6, c => Answered(c, c.Gateway, 57));
        group.Both("longest-request-is-answered", "RFC 1122 3.2.2.6", "RFC 4443 4.2", c => Answered(c, c.Gateway, 1500 - (c.IsV4 ? 28 : 48)));
        group.Both("request-to-the-far-address-is-answered-from-it", V4, V6, c => Answered(c, c.LanGateway, 56));
        group.Both("request-from-inside-is-answered", V4, V6, c =>
            c.Lan(EchoRequest(c.Port(), 7)(c.FromLan(c.Host(12), c.LanGateway))).ToLan(EchoReply(c.Port(), 7)(c.AtLan(c.LanGateway, c.Host(12), 64))));
        group.Both("request-of-a-host-beyond-the-router", V4, V6, c =>
            c.Wan(EchoRequest(c.Port(), 7)(c.FromWan(c.Remote(5), c.Gateway))).ToWan(EchoReply(c.Port(), 7)(c.AtWan(c.Gateway, c.Remote(5), 64))));
        group.Both("sequence-and-identifier-come-back", "RFC 792", "RFC 4443 4.2", c =>
        {
            foreach (ushort sequence in new ushort[] { 0, 1, 0x7FFF, 0xFFFF })
            {
                c.Wan(EchoRequest(c.Port(), sequence)(c.FromWan(c.Client, c.Gateway))).ToWan(EchoReply(c.Port(), sequence)(c.AtWan(c.Gateway, c.Client, 64)));
            }
        });
        group.Both("wrong-checksum-is-not-answered", "RFC 792", "RFC 4443 2.3", c =>
        {
            byte[] frame = EchoRequest(c.Port())(c.FromWan(c.Client, c.Gateway)).Build();
            frame[^1] ^= 1;
            c.Wan(frame).Dropped(DropReason.IcmpInvalid);
        });
        group.Both("reply-is-taken-in", "RFC 1122 3.2.2.6", "RFC 4443 4.2", c => c.Wan(EchoReply(c.Port())(c.FromWan(c.Client, c.Gateway))).Dropped(DropReason.ConsumedIcmp));
        group.Both("error-is-taken-in", "RFC 1122 3.2.2", "RFC 4443 2.4", c =>
        {
            byte[] about = EchoReply(c.Port())(c.AtWan(c.Gateway, c.Client)).Build();
            c.Wan(c.Error(c.FromWan(c.Client, c.Gateway), IcmpError.HostUnreachable, about)).Dropped(DropReason.ConsumedIcmp);
        });
        group.Both("message-of-unknown-type-is-not-answered", "RFC 1122 3.2.2", "RFC 4443 2.4", c =>
            c.Wan((c.IsV4 ? c.FromWan(c.Client, c.Gateway).Icmpv4(new Icmpv4Fields { Type = 44 }) : c.FromWan(c.Client, c.Gateway).Icmpv6(new Icmpv6Fields { Type = 201 })).PayloadOf(8))
                .Dropped(DropReason.ConsumedIcmp));
        group.V4("timestamp-request-is-not-answered", "RFC 1122 3.2.2.8", c =>
            c.Wan(c.FromWan(c.Client, c.Gateway).Icmpv4(new Icmpv4Fields { Type = 13 }).PayloadOf(12)).Dropped(DropReason.ConsumedIcmp),
            linux: "answers, which RFC 1122 3.2.2.8 lets a host do");
        group.V4("redirect-is-taken-in-and-followed-by-nobody", "RFC 1812 5.2.7.2", c =>
        {
            byte[] about = Udp(c.Port(), 53)(c.AtWan(c.Gateway, c.Remote(3))).Build();
            c.Wan(c.FromWan(c.Client, c.Gateway).Icmpv4(Icmpv4Fields.Redirect(1, c.Remote(99))).Payload(about.AsSpan(14))).Dropped(DropReason.ConsumedIcmp);
        });
        group.Both("request-to-another-is-forwarded", "RFC 1812 5.2.3", "RFC 8200 3", c => c.In(EchoRequest(c.Port())));
        group.Both("reply-of-another-is-forwarded", "RFC 1812 5.2.3", "RFC 8200 3", c => c.Out(EchoReply(c.Port())));
    }

    private static void Answered(CaseScript c, IpAddress own, int bytes) =>
        c.Wan(EchoRequest(c.Port(), 1, bytes)(c.FromWan(c.Client, own))).ToWan(EchoReply(c.Port(), 1, bytes)(c.AtWan(own, c.Client, 64)));
}
