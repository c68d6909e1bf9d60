using Dataplane.Nat;
using Dataplane.Packets;
using Dataplane.Pipeline;
using static Dataplane.Tests.Conformance.Say;

namespace Dataplane.Tests.Conformance.Cases;

/// <summary>Who may send to a mapped port, by the rule's filtering.</summary>
internal static class FilteringCases
{
    public static IReadOnlyList<ConformanceGroup> Groups { get; } = [Of("filtering-by-address", NatFiltering.AddressDependent), Of("filtering-by-port", NatFiltering.AddressAndPortDependent)];

    private static ConformanceGroup Of(string name, NatFiltering filtering) => new(name, builder => builder.Nat(MappingCases.Rule(filtering)), group =>
    {
        bool byAddress = filtering == NatFiltering.AddressDependent;
        foreach (bool isTcp in new[] { false, true })
        {
            AddTransport(group, isTcp ? "tcp" : "udp", isTcp ? "RFC 5382 4.3" : "RFC 4787 5", byAddress,
                (from, to, begins) => isTcp ? Tcp(from, to, begins ? TcpFlags.Syn : TcpFlags.Syn | TcpFlags.Ack, 7, 2) : Udp(from, to));
        }

        group.Both("hairpin-is-filtered-too", "RFC 4787 6", c =>
        {
            ushort a = c.NatTaken(own => Udp(own, 53), c.Port(), 11, c.Remote(1)), b = c.NatTaken(own => Udp(own, 53), c.Port(1), 12, c.Remote(1));
            c.Lan(Udp(c.Port(), b)(c.FromLan(c.Host(), c.Gateway))).Dropped(DropReason.NatFiltered);
            c.Lan(Udp(c.Port(1), a)(c.FromLan(c.Host(12), c.Gateway))).ToLan(Udp(b, c.Port())(c.AtLan(c.Gateway, c.Host())));
            c.Lan(Udp(c.Port(), b)(c.FromLan(c.Host(), c.Gateway))).ToLan(Udp(a, c.Port(1))(c.AtLan(c.Gateway, c.Host(12))));
        });
    });

    private static void AddTransport(ConformanceGroup group, string what, string rfc, bool byAddress, Func<ushort, ushort, bool, Func<PacketBuilder, PacketBuilder>> body)
    {
        group.Both($"{what}-answer-is-let-in", rfc, c =>
        {
            ushort outside = Open(c, body, 1, 53);
            c.NatIn(body(53, outside, false), body(53, c.Port(), false), from: c.Remote(1));
        });
        group.Both($"{what}-from-another-port-of-the-address", rfc, c =>
        {
            ushort outside = Open(c, body, 1, 53);
            if (byAddress)
            {
                c.NatIn(body(54, outside, true), body(54, c.Port(), true), from: c.Remote(1));
            }
            else
            {
                c.Wan(body(54, outside, true)(c.FromWan(c.Remote(1), c.Gateway))).Dropped(DropReason.NatFiltered);
            }
        });
        group.Both($"{what}-from-another-address", rfc, c =>
        {
            ushort outside = Open(c, body, 1, 53);
            c.Wan(body(53, outside, true)(c.FromWan(c.Remote(2), c.Gateway))).Dropped(DropReason.NatFiltered);
        });
        group.Both($"{what}-from-another-address-that-was-sent-to", rfc, c =>
        {
            ushort outside = Open(c, body, 1, 53);
            c.NatOut(body(c.Port(), 99, true), body(outside, 99, true), to: c.Remote(2));
            c.NatIn(body(99, outside, false), body(99, c.Port(), false), from: c.Remote(2));
        });
        group.Both($"{what}-that-another-port-has-sent-to", rfc, c =>
        {
            ushort first = Open(c, body, 1, 53);
            c.NatTaken(own => body(own, 53, true), c.Port(2), 11, c.Remote(2));
            c.Wan(body(53, first, true)(c.FromWan(c.Remote(2), c.Gateway))).Dropped(DropReason.NatFiltered);
        });
    }

    private static ushort Open(CaseScript c, Func<ushort, ushort, bool, Func<PacketBuilder, PacketBuilder>> body, int remote, ushort port) =>
        c.NatTaken(own => body(own, port, true), c.Port(), 11, c.Remote(remote));
}
