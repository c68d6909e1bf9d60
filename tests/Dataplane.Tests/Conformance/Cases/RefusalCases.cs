using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Routing;
using static Dataplane.Tests.Conformance.Say;

namespace Dataplane.Tests.Conformance.Cases;

/// <summary>Packets that a router cannot forward, and whom it tells.</summary>
internal static class RefusalCases
{
    private const string LinuxRoutes = """
        route add unreachable 192.0.2.0/26
        route add unreachable 2001:db8:a0::/48
        route add prohibit 192.0.2.64/26
        route add prohibit 2001:db8:a1::/48
        route add blackhole 192.0.2.128/26
        route add blackhole 2001:db8:a2::/48

        """;

    public static ConformanceGroup Group { get; } = new("refusals", Configure, Add) { LanMtuBytes = 1400, Linux = new LinuxRules(Routes: LinuxRoutes) };

    private static void Configure(DataplaneBuilder builder) => builder
        .RouteReject("192.0.2.0/26", RouteReject.Unreachable).RouteReject("2001:db8:a0::/48", RouteReject.Unreachable)
        .RouteReject("192.0.2.64/26", RouteReject.Prohibited).RouteReject("2001:db8:a1::/48", RouteReject.Prohibited)
        .RouteReject("192.0.2.128/26", RouteReject.Blackhole).RouteReject("2001:db8:a2::/48", RouteReject.Blackhole);

    private static void Add(ConformanceGroup group)
    {
        AddTimeExceeded(group);
        AddRoutes(group);
        AddTooBig(group);
        AddLocal(group);
        AddSilence(group);
    }

    private static void AddTimeExceeded(ConformanceGroup group)
    {
        const string V4 = "RFC 1812 4.3.3.4", V6 = "RFC 4443 3.3";
        (string What, Func<CaseScript, Func<PacketBuilder, PacketBuilder>> Body)[] probes =
        [
            ("udp", c => Udp(c.Port(), 33434)), ("tcp", c => Tcp(c.Port(), 80, TcpFlags.Syn)), ("echo", c => EchoRequest(c.Port())), ("other-protocol", _ => Protocol(47)),
        ];
        foreach ((string what, Func<CaseScript, Func<PacketBuilder, PacketBuilder>> body) in probes)
        {
            group.Both($"ttl-1-{what}", V4, V6, c =>
            {
                byte[] frame = body(c)(c.FromWan(c.Client, c.Host(), 1)).Build();
                c.Wan(frame).Refused(DropReason.TtlExpired, c.OwnErrorToWan(IcmpError.TimeExceeded, frame));
            });
        }

        group.Both("ttl-0", V4, V6, c =>
        {
            byte[] frame = Udp(c.Port(), 33434)(c.FromWan(c.Client, c.Host(), 0)).Build();
            c.Wan(frame).Refused(DropReason.TtlExpired, c.OwnErrorToWan(IcmpError.TimeExceeded, frame));
        });
        group.Both("ttl-1-from-inside-is-told-from-the-inside-address", "RFC 1812 4.3.2.4", "RFC 4443 2.2", c =>
        {
            byte[] frame = Udp(c.Port(), 33434)(c.FromLan(c.Host(), c.Client, 1)).Build();
            c.Lan(frame).Refused(DropReason.TtlExpired, c.OwnErrorToLan(IcmpError.TimeExceeded, frame));
        });
        group.Both("ttl-1-to-the-router-itself-is-delivered", "RFC 1122 3.2.1.7", "RFC 8200 3", c =>
            c.Wan(EchoRequest(c.Port())(c.FromWan(c.Client, c.Gateway, 1))).ToWan(EchoReply(c.Port())(c.AtWan(c.Gateway, c.Client, 64))));
        group.Both("quotes-as-much-as-fits", "RFC 1812 4.3.2.3", "RFC 4443 2.4", c =>
        {
            byte[] frame = Udp(c.Port(), 33434, 1350)(c.FromWan(c.Client, c.Host(), 1)).Build();
            c.Wan(frame).Refused(DropReason.TtlExpired, c.OwnErrorToWan(IcmpError.TimeExceeded, frame));
        });
        group.V4("quotes-options", "RFC 1812 4.3.2.3", c =>
        {
            byte[] frame = PacketBuilder.Ethernet(ConformanceWorld.ClientMac, ConformanceWorld.WanMac)
                .Ipv4(new Ipv4Fields { Source = c.Client, Destination = c.Host(), Ttl = 1 }, [1, 1, 1, 0]).Udp(c.Port(), 33434).PayloadOf(9).Build();
            c.Wan(frame).Refused(DropReason.TtlExpired, c.OwnErrorToWan(IcmpError.TimeExceeded, frame));
        });
        group.V6("quotes-extension-headers", "RFC 4443 2.4", c =>
        {
            byte[] frame = c.FromWan(c.Client, c.Host(), 1).DestinationOptions().Udp(c.Port(), 33434).PayloadOf(9).Build();
            c.Wan(frame).Refused(DropReason.TtlExpired, c.OwnErrorToWan(IcmpError.TimeExceeded, frame));
        });
        group.Both("first-fragment-with-ttl-1", "RFC 1812 4.3.2.7", "RFC 4443 2.4", c =>
        {
            byte[] frame = Udp(c.Port(), 33434, 200)(c.FromWan(c.Client, c.Host(), 1)).BuildFragments(64)[0];
            c.Wan(frame).Refused(DropReason.TtlExpired, c.OwnErrorToWan(IcmpError.TimeExceeded, frame));
        });
    }

    private static void AddRoutes(ConformanceGroup group)
    {
        (string What, string V4, string V6, DropReason Reason, IcmpError? Told, string Rfc4, string Rfc6)[] ways =
        [
            ("no-route", "172.20.0.1", "2001:db8:ffff::1", DropReason.NoRoute, IcmpError.NoRoute, "RFC 1812 5.2.7.1", "RFC 4443 3.1"),
            ("route-unreachable", "192.0.2.9", "2001:db8:a0::9", DropReason.RouteUnreachable, IcmpError.RouteUnreachable, "RFC 1812 5.2.7.1", "RFC 4443 3.1"),
            ("route-prohibited", "192.0.2.70", "2001:db8:a1::9", DropReason.RouteProhibited, IcmpError.Prohibited, "RFC 1812 5.2.7.1", "RFC 4443 3.1"),
            ("route-blackhole", "192.0.2.130", "2001:db8:a2::9", DropReason.RouteBlackhole, null, "RFC 1812 5.3.9", "RFC 6666 2"),
        ];
        foreach ((string what, string v4, string v6, DropReason reason, IcmpError? told, string rfc4, string rfc6) in ways)
        {
            foreach (bool isTcp in new[] { false, true })
            {
                group.Both($"{what}-{(isTcp ? "tcp" : "udp")}", rfc4, rfc6, c =>
                {
                    Func<PacketBuilder, PacketBuilder> body = isTcp ? Tcp(c.Port(), 80, TcpFlags.Syn) : Udp(c.Port(), 53);
                    byte[] frame = body(c.FromWan(c.Client, c.Of(v4, v6))).Build();
                    if (told is { } error)
                    {
                        c.Wan(frame).Refused(reason, c.OwnErrorToWan(error, frame));
                    }
                    else
                    {
                        c.Wan(frame).Dropped(reason);
                    }
                }, linux: told is null ? null : "limits how often it says over IPv4 that there is no way to one sender (route.error_cost)");
            }
        }
    }

    private static void AddTooBig(ConformanceGroup group)
    {
        group.Both("too-big-udp", "RFC 1191 4", "RFC 4443 3.2", c => TooBig(c, Udp(c.Port(), 53, 1401 - (c.IsV4 ? 28 : 48))));
        group.Both("too-big-tcp", "RFC 1191 4", "RFC 8201 4", c => TooBig(c, Tcp(c.Port(), 80, TcpFlags.Ack, bytes: 1380)));
        group.Both("too-big-echo", "RFC 1191 4", "RFC 4443 3.2", c => TooBig(c, EchoRequest(c.Port(), bytes: 1400)));
        group.Both("just-fits", "RFC 1191 3", "RFC 8201 3", c =>
            c.Wan(Udp(c.Port(), 53, 1400 - (c.IsV4 ? 28 : 48))(Whole(c, true))).ToLan(Udp(c.Port(), 53, 1400 - (c.IsV4 ? 28 : 48))(Whole(c, false))));
        group.V4("split-into-two", "RFC 791 3.2", c => Split(c, 1450));
        group.V4("split-with-odd-end", "RFC 791 3.2", c => Split(c, 1471));
        group.V4("fragment-split-again", "RFC 791 3.2", c =>
        {
            IReadOnlyList<byte[]> came = Udp(c.Port(), 53, 2900)(c.FromWan(c.Client, c.Host())).BuildFragments(1480);
            IReadOnlyList<byte[]> parts = Udp(c.Port(), 53, 2900)(c.AtLan(c.Client, c.Host())).BuildFragments(8);
            c.Wan(came[0]).ToLan(Joined(parts, 0, 1376, true), Joined(parts, 1376, 1480, true));
        });
    }

    private static void AddLocal(ConformanceGroup group)
    {
        Local(group, "udp-to-the-router", "RFC 1122 3.2.2.1", "RFC 4443 3.1", c => Udp(c.Port(), 9), IcmpError.PortUnreachable, 0);
        Local(group, "protocol-unknown-to-the-router", "RFC 1122 3.2.2.1", "RFC 4443 3.4", _ => Protocol(253), IcmpError.ProtocolUnreachable, 6);
        group.Both("tcp-to-the-router", "RFC 1122 3.2.2.1", "RFC 4443 3.1", c => LocalRefused(c, Tcp(c.Port(), 9, TcpFlags.Syn), IcmpError.PortUnreachable, 0),
            linux: "answers with a TCP reset");
        group.Both("to-the-far-address-of-the-router", "RFC 1122 3.3.4.2", "RFC 4443 2.2", c =>
        {
            byte[] frame = Udp(c.Port(), 9)(c.FromWan(c.Client, c.LanGateway)).Build();
            c.Wan(frame).Refused(DropReason.LocalUnreachable, c.OwnErrorToWan(IcmpError.PortUnreachable, frame));
        }, linux: "answers from the address that was asked");
        group.V6("routing-type-0-to-the-router", "RFC 5095 3", c =>
        {
            byte[] frame = c.FromWan(c.Client, c.Gateway).Routing(0, 1, [0, 0, 0, 0, .. new byte[16]]).Udp(c.Port(), 9).Build();
            c.Wan(frame).Refused(DropReason.LocalUnreachable, c.OwnErrorToWan(IcmpError.ParameterProblem, frame, 42));
        });
        group.V6("no-next-header-to-the-router", "RFC 8200 4.7", c => c.Wan(c.FromWan(c.Client, c.Gateway).Carrying(59).PayloadOf(8)).Dropped(DropReason.LocalUnreachable));
    }

    private static void AddSilence(ConformanceGroup group)
    {
        group.Both("no-error-about-an-error", "RFC 1812 4.3.2.7", "RFC 4443 2.4", c =>
        {
            byte[] about = Udp(c.Port(), 53)(c.FromLan(c.Host(), c.Client)).Build();
            c.Wan(c.Error(c.FromWan(c.Client, c.Host(), 1), IcmpError.PortUnreachable, about)).Dropped(DropReason.TtlExpired);
        });
        group.Both("no-error-about-a-redirect", "RFC 1812 4.3.2.7", "RFC 4443 2.4", c =>
        {
            byte[] about = Udp(c.Port(), 53)(c.FromLan(c.Host(), c.Client)).Build();
            c.Wan(c.Error(c.FromWan(c.Client, c.Host(), 1), new IcmpError(5, 1, 1, 0), about)).Dropped(DropReason.TtlExpired);
        });
        group.Both("no-error-about-a-later-fragment", "RFC 1812 4.3.2.7", "RFC 1122 3.2.2", c =>
            c.Wan(Udp(c.Port(), 53, 200)(c.FromWan(c.Client, c.Host(), 1)).BuildFragments(64)[1]).Dropped(DropReason.TtlExpired),
            linux: "answers later fragments of IPv6, which RFC 4443 does not forbid");
        group.Both("no-error-about-a-broadcast-frame", "RFC 1812 4.3.2.7", "RFC 4443 2.4", c =>
            c.Wan(Udp(c.Port(), 53)(PacketBuilder.Ethernet(ConformanceWorld.ClientMac, MacAddress.Broadcast).Ip(c.Client, c.Host(), 1))).Dropped(DropReason.Broadcast));
        group.Both("error-about-an-echo-reply", "RFC 1812 4.3.2.7", "RFC 4443 2.4", c =>
        {
            byte[] frame = EchoReply(c.Port())(c.FromWan(c.Client, c.Host(), 1)).Build();
            c.Wan(frame).Refused(DropReason.TtlExpired, c.OwnErrorToWan(IcmpError.TimeExceeded, frame));
        });
    }

    private static void Local(ConformanceGroup group, string what, string rfc4, string rfc6, Func<CaseScript, Func<PacketBuilder, PacketBuilder>> body, IcmpError error, uint rest6) =>
        group.Both(what, rfc4, rfc6, c => LocalRefused(c, body(c), error, c.IsV4 ? 0 : rest6));

    private static void LocalRefused(CaseScript c, Func<PacketBuilder, PacketBuilder> body, IcmpError error, uint rest)
    {
        byte[] frame = body(c.FromWan(c.Client, c.Gateway)).Build();
        c.Wan(frame).Refused(DropReason.LocalUnreachable, c.OwnErrorToWan(error, frame, rest));
    }

    private static void TooBig(CaseScript c, Func<PacketBuilder, PacketBuilder> body)
    {
        byte[] frame = body(Whole(c, true)).Build();
        c.Wan(frame).Refused(DropReason.PacketTooBig, c.OwnErrorToWan(IcmpError.TooBig, frame, 1400));
    }

    private static void Split(CaseScript c, int bytes)
    {
        IReadOnlyList<byte[]> parts = Udp(c.Port(), 53, bytes)(c.AtLan(c.Client, c.Host())).BuildFragments(1376);
        c.Wan(Udp(c.Port(), 53, bytes)(c.FromWan(c.Client, c.Host()))).ToLan([.. parts]);
    }

    /// <summary>Fragments of 8 bytes as one: what a router makes of a fragment that is too long for it.</summary>
    private static byte[] Joined(IReadOnlyList<byte[]> parts, int first, int end, bool more)
    {
        byte[] data = [.. parts.Skip(first / 8).Take((end - first) / 8).SelectMany(part => part[34..])];
        byte[] frame = [.. parts[first / 8][..34], .. data];
        Assert.True(Ipv4View.TryParse(parts[first / 8].AsSpan(14), out Ipv4View view));
        _ = view.TryGetFields(out Ipv4Fields fields);
        (fields with { MoreFragments = more, PayloadLengthBytes = data.Length }).Emit(frame.AsSpan(14));
        return frame;
    }

    private static PacketBuilder Whole(CaseScript c, bool comes) => !c.IsV4 ? comes ? c.FromWan(c.Client, c.Host()) : c.AtLan(c.Client, c.Host())
        : comes ? PacketBuilder.Ethernet(ConformanceWorld.ClientMac, ConformanceWorld.WanMac).Ipv4(c.Client.ToString(), c.Host().ToString(), 64, dontFragment: true)
        : PacketBuilder.Ethernet(ConformanceWorld.LanMac, ConformanceWorld.ServerMac).Ipv4(c.Client.ToString(), c.Host().ToString(), 63, dontFragment: true);
}
