using Dataplane.Nat;
using Dataplane.Packets;
using Dataplane.Pipeline;
using static Dataplane.Tests.Conformance.Say;

namespace Dataplane.Tests.Conformance.Cases;

/// <summary>An address outside that stands for one host inside, both ways.</summary>
internal static class StaticNatCases
{
    private const string Basic4 = "RFC 3022 2.1", Basic6 = "RFC 6296 2.1";

    public static ConformanceGroup Group { get; } = new("static-nat", Configure, Add);

    private static void Configure(DataplaneBuilder builder)
    {
        foreach ((string from, string to) in new[] { ("10.1.0.11/32", "198.51.100.20"), ("2001:db8:2::11/128", "2001:db8:1::20") })
        {
            builder.Nat(new NatSpec { Inside = "lan", Outside = "wan", Static = true, From = IpPrefix.Parse(from), Pool = [IpAddress.Parse(to)] });
        }

        builder.Nat("lan", "wan");
    }

    private static void Add(ConformanceGroup group)
    {
        group.Both("udp-from-inside", Basic4, Basic6, c => Out(c, Udp(c.Port(), 53)));
        group.Both("udp-from-outside-without-asking", Basic4, Basic6, c =>
        {
            In(c, Udp(53, c.Port()));
            Out(c, Udp(c.Port(), 53));
        });
        group.Both("tcp-from-outside-without-asking", Basic4, Basic6, c =>
        {
            In(c, Tcp(443, c.Port(), TcpFlags.Syn, 1));
            Out(c, Tcp(c.Port(), 443, TcpFlags.Syn | TcpFlags.Ack, 5, 2));
            In(c, Tcp(443, c.Port(), TcpFlags.Ack, 2, 6, 50));
        });
        group.Both("echo-from-outside-is-the-hosts", "RFC 5508 3.1", c =>
        {
            In(c, EchoRequest(c.Port()));
            Out(c, EchoReply(c.Port()));
        });
        group.Both("echo-from-inside", "RFC 5508 3.1", c =>
        {
            Out(c, EchoRequest(c.Port()));
            In(c, EchoReply(c.Port()));
        });
        group.Both("system-port-is-kept", "RFC 4787 4.2.1", c => Out(c, Udp(68, 53)));
        group.V4("udp-checksum-zero-stays-zero", "RFC 768", c => In(c, Udp(53, c.Port(), 9, checksum: false)));
        group.Both("other-hosts-have-the-gateways-address", Basic4, Basic6, c => c.NatOut(Udp(c.Port(), 53), 12));
        group.Both("other-protocols-do-not-get-in", "RFC 3022 4.1", "RFC 6296 5", c =>
        {
            byte[] frame = Protocol(47)(c.FromWan(c.Client, Outside(c))).Build();
            c.Wan(frame).Refused(DropReason.LocalUnreachable, c.OwnErrorToWan(IcmpError.ProtocolUnreachable, frame, c.IsV4 ? 0 : 6u));
        });
        group.Both("inside-hosts-reach-it-by-the-outside-address", "RFC 4787 6", c =>
        {
            byte[] left = c.Lan(Udp(c.Port(), 53)(c.FromLan(c.Host(12), Outside(c)))).Left("lan");
            ushort taken = c.SourcePort(left);
            c.Same(Udp(taken, 53)(c.AtLan(c.Gateway, c.Host())), left);
            c.Lan(Udp(53, taken)(c.FromLan(c.Host(), c.Gateway))).ToLan(Udp(53, c.Port())(c.AtLan(Outside(c), c.Host(12))));
        });
        group.Both("error-from-outside-comes-to-the-host", "RFC 5508 4.1", c =>
        {
            Out(c, Udp(c.Port(), 53));
            byte[] outside = Udp(c.Port(), 53)(c.AtWan(Outside(c), c.Client)).Build(), inside = Udp(c.Port(), 53)(c.FromLan(c.Host(), c.Client, 63)).Build();
            c.Wan(c.Error(c.FromWan(c.Remote(7), Outside(c)), IcmpError.TimeExceeded, outside)).ToLan(c.Error(c.AtLan(c.Remote(7), c.Host()), IcmpError.TimeExceeded, inside));
        });
    }

    private static IpAddress Outside(CaseScript c) => c.Of("198.51.100.20", "2001:db8:1::20");

    private static void Out(CaseScript c, Func<PacketBuilder, PacketBuilder> body) => c.Lan(body(c.FromLan(c.Host(), c.Client))).ToWan(body(c.AtWan(Outside(c), c.Client)));

    private static void In(CaseScript c, Func<PacketBuilder, PacketBuilder> body) => c.Wan(body(c.FromWan(c.Client, Outside(c)))).ToLan(body(c.AtLan(c.Client, c.Host())));
}
