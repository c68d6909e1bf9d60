using Dataplane.Packets;
using Dataplane.Pipeline;
using static Dataplane.Tests.Conformance.Say;

namespace Dataplane.Tests.Conformance.Cases;

/// <summary>Source translation whose ports depend on the remote end.</summary>
internal static class SourceNatCases
{
    private const string LinuxPorts = "keeps neither range of ports nor parity";

    public static ConformanceGroup Group { get; } = new("nat", builder => builder.Nat("lan", "wan"), Add) { Linux = new LinuxRules(IsMasquerade: true) };

    private static void Add(ConformanceGroup group)
    {
        AddPackets(group);
        AddPorts(group);
        AddChecksums(group);
        AddEcho(group);
        AddRefused(group);
    }

    private static void AddPackets(ConformanceGroup group)
    {
        const string Nat4 = "RFC 3022 4.1", Nat6 = "RFC 6296 3.1";
        group.Both("udp-both-ways", Nat4, Nat6, c =>
        {
            c.NatOut(Udp(c.Port(), 53));
            c.NatIn(Udp(53, c.Port(), 200));
        });
        group.Both("tcp-connection-both-ways", Nat4, Nat6, c => c.NatConversation(c.Port()));
        group.Both("ttl-goes-down-by-one-both-ways", "RFC 1812 5.3.1", "RFC 8200 3", c =>
        {
            c.Lan(Udp(c.Port(), 53)(c.FromLan(c.Host(), c.Client, 2))).ToWan(Udp(c.Port(), 53)(c.AtWan(c.Gateway, c.Client, 1)));
            c.Wan(Udp(53, c.Port())(c.FromWan(c.Client, c.Gateway, 2))).ToLan(Udp(53, c.Port())(c.AtLan(c.Client, c.Host(), 1)));
        });
        group.Both("ttl-1-is-answered-to-the-host-about-its-own-packet", "RFC 5508 7", "RFC 4443 3.3", c =>
        {
            byte[] frame = Udp(c.Port(), 33434)(c.FromLan(c.Host(), c.Client, 1)).Build();
            c.Lan(frame).Refused(DropReason.TtlExpired, c.OwnErrorToLan(IcmpError.TimeExceeded, frame));
        });
        group.Both("two-hosts-two-ports", Nat4, Nat6, c =>
        {
            c.NatOut(Udp(c.Port(), 53), 11);
            c.NatOut(Udp(c.Port(1), 53), 12);
            c.NatIn(Udp(53, c.Port()), 11);
            c.NatIn(Udp(53, c.Port(1)), 12);
        });
        group.Both("one-host-many-remote-ends", Nat4, Nat6, c =>
        {
            for (int remote = 1; remote < 5; remote++)
            {
                c.NatOut(Udp(c.Port(), 53), to: c.Remote(remote));
                c.NatIn(Udp(53, c.Port()), from: c.Remote(remote));
            }
        });
        group.Both("udp-and-tcp-of-one-port-are-apart", "RFC 5382 7", c =>
        {
            c.NatOut(Udp(c.Port(), 53));
            c.NatOut(Tcp(c.Port(), 53, TcpFlags.Syn, 1), 11);
            c.NatIn(Udp(53, c.Port()));
            c.NatIn(Tcp(53, c.Port(), TcpFlags.Syn | TcpFlags.Ack, 1, 2));
        });
        group.Both("traffic-class-and-label-are-kept", "RFC 2983 3.1", c => c.Lan(Marked(c, true)).ToWan(Marked(c, false)));
        group.Both("longest-packet", Nat4, Nat6, c => c.NatOut(Udp(c.Port(), 53, 1500 - (c.IsV4 ? 28 : 48))));
        group.Both("simultaneous-open", "RFC 5382 4.2", c =>
        {
            c.NatOut(Tcp(c.Port(), 443, TcpFlags.Syn, 100));
            c.NatIn(Tcp(443, c.Port(), TcpFlags.Syn, 500));
            c.NatOut(Tcp(c.Port(), 443, TcpFlags.Syn | TcpFlags.Ack, 100, 501));
            c.NatIn(Tcp(443, c.Port(), TcpFlags.Syn | TcpFlags.Ack, 500, 101));
        });
    }

    private static void AddPorts(ConformanceGroup group)
    {
        const string Preserve = "RFC 4787 4.2.1", Parity = "RFC 4787 4.2.2";
        group.Both("port-is-kept", Preserve, c => c.NatOut(Udp(c.Port(), 53)));
        (string What, ushort Port)[] ports = [("even-user", 40_000), ("odd-user", 40_001), ("even-system", 500), ("odd-system", 123), ("lowest-even", 2), ("highest", 65_535), ("first-user", 1024), ("last-system", 1023)];
        foreach ((string what, ushort port) in ports)
        {
            group.Both($"taken-{what}-port-gives-one-of-its-range-and-parity", port < 1024 || port is 1024 ? Preserve : Parity, c =>
            {
                c.NatOut(Udp(port, 53, 3));
                ushort taken = c.NatTaken(own => Udp(own, 53, 4), port, 12);
                Assert.True(taken != port && taken != 0 && (taken & 1) == (port & 1) && taken < 1024 == port < 1024, $"{taken} for {port}");
                c.NatIn(Udp(53, taken), Udp(53, port), 12);
                c.NatIn(Udp(53, port), 11);
            }, linux: LinuxPorts);
        }

        group.Both("taken-tcp-port-gives-another", "RFC 5382 7.1", c =>
        {
            c.NatOut(Tcp(c.Port(), 80, TcpFlags.Syn, 1));
            ushort taken = c.NatTaken(own => Tcp(own, 80, TcpFlags.Syn, 2), c.Port(), 12);
            Assert.NotEqual(c.Port(), taken);
            c.NatIn(Tcp(80, taken, TcpFlags.Syn | TcpFlags.Ack, 5, 3), Tcp(80, c.Port(), TcpFlags.Syn | TcpFlags.Ack, 5, 3), 12);
            c.NatIn(Tcp(80, c.Port(), TcpFlags.Syn | TcpFlags.Ack, 9, 2), 11);
        });
        group.Both("port-taken-towards-one-end-is-kept-towards-another", Preserve, c =>
        {
            c.NatOut(Udp(c.Port(), 53), 11);
            c.NatOut(Udp(c.Port(), 53), 12, c.Remote(4));
            c.NatIn(Udp(53, c.Port()), 12, c.Remote(4));
        });
        group.Both("three-hosts-of-one-port", Parity, c =>
        {
            var taken = new HashSet<ushort>();
            foreach (int host in new[] { 11, 12, 13 })
            {
                taken.Add(c.NatTaken(own => Udp(own, 53, 5), c.Port(), host));
            }

            Assert.Equal(3, taken.Count);
        });
    }

    private static void AddChecksums(ConformanceGroup group)
    {
        group.V4("udp-checksum-zero-stays-zero", "RFC 768", c =>
        {
            c.NatOut(Udp(c.Port(), 53, 9, checksum: false));
            c.NatIn(Udp(53, c.Port(), 9, checksum: false));
        });
        foreach (bool isTcp in new[] { false, true })
        {
            // Of UDP it is sent as ones (RFC 768, RFC 8200 8.1).
            group.Both($"{(isTcp ? "tcp" : "udp")}-checksum-that-sums-to-zero", "RFC 1624 3", c =>
            {
                Func<PacketBuilder, PacketBuilder> Of(byte[] payload) => packet => isTcp ? packet.Tcp(c.Port(), 80, TcpFlags.Syn, 1).Payload(payload) : packet.Udp(c.Port(), 80).Payload(payload);
                byte[] leaves = Of([0, 0])(c.AtWan(c.Gateway, c.Client)).Build();
                int at = c.TransportAt + (isTcp ? 16 : 6);
                c.NatOut(Of([leaves[at], leaves[at + 1]]));
            });
        }

        group.Both("wrong-udp-checksum-stays-wrong-by-as-much", "RFC 1624 3", c =>
        {
            byte[] frame = Udp(c.Port(), 53)(c.FromLan(c.Host(), c.Client)).Build(), leaves = Udp(c.Port(), 53)(c.AtWan(c.Gateway, c.Client)).Build();
            (frame[^1], leaves[^1]) = ((byte)(frame[^1] ^ 1), (byte)(leaves[^1] ^ 1));
            c.Lan(frame).ToWan(leaves);
        }, linux: "does not follow, and so does not translate, datagrams with a wrong checksum");
    }

    private static void AddEcho(ConformanceGroup group)
    {
        const string Rfc = "RFC 5508 3.1";
        group.Both("echo-both-ways", Rfc, c =>
        {
            c.NatOut(EchoRequest(c.Port()));
            c.NatIn(EchoReply(c.Port()));
        });
        group.Both("echo-of-two-hosts-with-one-identifier", Rfc, c =>
        {
            c.NatOut(EchoRequest(c.Port()), 11);
            ushort taken = c.NatTaken(own => EchoRequest(own), c.Port(), 12, isEcho: true);
            Assert.NotEqual(c.Port(), taken);
            c.NatIn(EchoReply(taken), EchoReply(c.Port()), 12);
            c.NatIn(EchoReply(c.Port()), 11);
        });
        group.Both("echo-identifier-0", Rfc, c =>
        {
            c.NatOut(EchoRequest(0, 9));
            c.NatIn(EchoReply(0, 9));
        });
        group.Both("echo-to-two-ends-with-one-identifier", "RFC 5508 3.1", c =>
        {
            c.NatOut(EchoRequest(c.Port()), to: c.Remote(1));
            c.NatOut(EchoRequest(c.Port()), to: c.Remote(2));
            c.NatIn(EchoReply(c.Port()), from: c.Remote(2));
            c.NatIn(EchoReply(c.Port()), from: c.Remote(1));
        });
        group.Both("echo-request-from-outside-is-the-gateways", "RFC 5508 3.1", c =>
        {
            c.NatOut(EchoRequest(c.Port()));
            c.Wan(EchoRequest(c.Port())(c.FromWan(c.Remote(3), c.Gateway))).ToWan(EchoReply(c.Port())(c.AtWan(c.Gateway, c.Remote(3), 64)));
        });
        group.Both("echo-reply-nobody-asked-for-is-the-gateways", "RFC 5508 3.1", c => c.Wan(EchoReply(c.Port())(c.FromWan(c.Client, c.Gateway))).Dropped(DropReason.ConsumedIcmp));
    }

    private static void AddRefused(ConformanceGroup group)
    {
        const string Rfc = "RFC 4787 5";
        group.Both("from-another-remote-port-is-not-let-in", Rfc, c =>
        {
            c.NatOut(Udp(c.Port(), 53));
            c.NatRefused(Udp(54, c.Port()));
        });
        group.Both("from-another-remote-address-is-not-let-in", Rfc, c =>
        {
            c.NatOut(Udp(c.Port(), 53));
            c.NatRefused(Udp(53, c.Port()), c.Remote(6));
        });
        group.Both("unsolicited-syn-is-not-let-in", "RFC 5382 4.3", c => c.NatRefused(Tcp(443, c.Port(), TcpFlags.Syn, 1)), linux: "answers with a TCP reset");
        foreach ((string what, byte protocol) in new (string, byte)[] { ("gre", 47), ("esp", 50), ("sctp", 132) })
        {
            group.Both($"{what}-does-not-leave-untranslated", "RFC 3022 4.1", "RFC 6296 5", c => c.OutDropped(DropReason.NatUnsupported, Protocol(protocol)), linux: "translates the addresses of any protocol");
        }

        group.Both("echo-reply-does-not-leave-untranslated", "RFC 5508 3.1", c => c.OutDropped(DropReason.NatUnsupported, EchoReply(c.Port())), linux: "lets replies that nobody asked for out untranslated");
        group.Both("what-comes-from-outside-to-inside-addresses-is-routed", "RFC 3022 2", "RFC 6296 3.2", c => c.In(Udp(53, c.Port())));
        group.V6("routing-header-does-not-leave-untranslated", "RFC 5095 3", c =>
            c.Lan(c.FromLan(c.Host(), c.Client).Routing(0, 1, [0, 0, 0, 0, .. new byte[16]]).Udp(c.Port(), 53)).Dropped(DropReason.NatUnsupported), linux: "translates the addresses of any protocol");
    }

    private static PacketBuilder Marked(CaseScript c, bool comes)
    {
        PacketBuilder link = comes ? PacketBuilder.Ethernet(ConformanceWorld.ServerMac, ConformanceWorld.LanMac) : PacketBuilder.Ethernet(ConformanceWorld.WanMac, ConformanceWorld.ClientMac);
        string source = (comes ? c.Host() : c.Gateway).ToString(), destination = c.Client.ToString();
        byte ttl = comes ? (byte)64 : (byte)63;
        return Udp(c.Port(), 53)(c.IsV4 ? link.Ipv4(source, destination, ttl, 0xB9, 77, true) : link.Ipv6(source, destination, ttl, 0xB9, 0x12345));
    }
}
