using System.Buffers.Binary;
using Dataplane.Packets;
using Dataplane.Pipeline;
using static Dataplane.Tests.Conformance.Say;

namespace Dataplane.Tests.Conformance.Cases;

/// <summary>Fragments through a translation: the first has the ports, the others follow it; overlaps end their datagram.</summary>
internal static class FragmentCases
{
    private const int Data = 1024;

    private static readonly (string What, int[] Order)[] s_orders = [("in-order", [0, 1, 2]), ("last-two-swapped", [0, 2, 1]), ("second-first", [1, 0, 2]), ("first-last", [1, 2, 0]), ("last-first", [2, 0, 1]), ("reversed", [2, 1, 0])];

    public static ConformanceGroup Group { get; } = new("fragments", builder => builder.Nat("lan", "wan"), Add);

    private static void Add(ConformanceGroup group)
    {
        foreach ((string what, int[] order) in s_orders)
        {
            group.Both($"udp-{what}", "RFC 4787 11", "RFC 8200 4.5", c => Pass(c, Udp(c.Port(), 53, 2500), order));
        }

        AddProtocols(group);
        AddOverlaps(group);
        AddEnds(group);
        AddTimes(group);
    }

    private static void AddProtocols(ConformanceGroup group)
    {
        group.Both("echo-in-fragments", "RFC 5508 3.1", "RFC 8200 4.5", c => Pass(c, EchoRequest(c.Port(), bytes: 2500), [1, 0, 2]));
        group.Both("tcp-in-fragments", "RFC 4787 11", "RFC 8200 4.5", c => Pass(c, Tcp(c.Port(), 80, TcpFlags.Ack, 7, 8, 2500), [0, 1, 2]));
        group.Both("answer-in-fragments", "RFC 4787 11", "RFC 8200 4.5", c =>
        {
            c.NatOut(Udp(c.Port(), 53));
            IReadOnlyList<byte[]> came = c.Fragments(Udp(53, c.Port(), 2500)(c.FromWan(c.Client, c.Gateway)), Data), left = c.Fragments(Udp(53, c.Port(), 2500)(c.AtLan(c.Client, c.Host())), Data);
            c.Wan(came[2]).Held();
            c.Wan(came[0]).ToLan(left[0], left[2]);
            c.Wan(came[1]).ToLan(left[1]);
        });
        group.Both("taken-port-in-fragments", "RFC 4787 11", "RFC 8200 4.5", c =>
        {
            c.NatOut(Udp(c.Port(), 53), 11);
            ushort taken = c.NatTaken(own => Udp(own, 53), c.Port(), 12);
            IReadOnlyList<byte[]> came = c.Fragments(Udp(c.Port(), 53, 2500)(c.FromLan(c.Host(12), c.Client)), Data), left = c.Fragments(Udp(taken, 53, 2500)(c.AtWan(c.Gateway, c.Client)), Data);
            for (int part = 0; part < 3; part++)
            {
                c.Lan(came[part]).ToWan(left[part]);
            }
        });
        group.V4("udp-without-checksum-in-fragments", "RFC 768", c => Pass(c, Udp(c.Port(), 53, 2500, checksum: false), [0, 1, 2]));
        group.V6("atomic-fragment-is-a-whole-packet", "RFC 6946 4", c =>
            c.Lan(c.FromLan(c.Host(), c.Client).Fragment(0, false, c.Port()).Udp(c.Port(), 53).PayloadOf(9)).ToWan(c.AtWan(c.Gateway, c.Client).Fragment(0, false, c.Port()).Udp(c.Port(), 53).PayloadOf(9)));
        group.V6("atomic-fragment-does-not-meet-others-of-its-number", "RFC 6946 4", c =>
        {
            IReadOnlyList<byte[]> came = Came(c), left = Left(c);
            c.Lan(came[0]).ToWan(left[0]);
            c.Lan(c.FromLan(c.Host(), c.Client).Fragment(0, false, c.Port()).Udp(c.Port(), 53).PayloadOf(9)).ToWan(c.AtWan(c.Gateway, c.Client).Fragment(0, false, c.Port()).Udp(c.Port(), 53).PayloadOf(9));
            c.Lan(came[1]).ToWan(left[1]);
            c.Lan(came[2]).ToWan(left[2]);
        });
        group.Both("two-datagrams-interleaved", "RFC 791 3.2", "RFC 8200 4.5", c =>
        {
            IReadOnlyList<byte[]> one = Came(c), two = Came(c, 1), leftOne = Left(c), leftTwo = Left(c, 1);
            foreach (int part in new[] { 0, 1, 2 })
            {
                c.Lan(one[part]).ToWan(leftOne[part]);
                c.Lan(two[part]).ToWan(leftTwo[part]);
            }
        });
        group.Both("two-hosts-of-one-number", "RFC 791 3.2", "RFC 8200 4.5", c =>
        {
            IReadOnlyList<byte[]> one = Came(c), two = c.Fragments(Udp(c.Port(3), 53, 2500)(c.FromLan(c.Host(12), c.Client)), Data);
            IReadOnlyList<byte[]> leftOne = Left(c), leftTwo = c.Fragments(Udp(c.Port(3), 53, 2500)(c.AtWan(c.Gateway, c.Client)), Data);
            c.Lan(one[1]).Held();
            c.Lan(two[0]).ToWan(leftTwo[0]);
            c.Lan(one[0]).ToWan(leftOne[0], leftOne[1]);
            c.Lan(two[1]).ToWan(leftTwo[1]);
        });
        group.Both("protocol-that-is-not-translated-in-fragments", "RFC 3022 4.1", "RFC 8200 4.5", c =>
            c.Lan(c.Fragments(Protocol(47, 2500)(c.FromLan(c.Host(), c.Client)), Data)[0]).Dropped(DropReason.NatUnsupported));
    }

    private static void AddOverlaps(ConformanceGroup group)
    {
        const string V4 = "RFC 1858 3.2", V6 = "RFC 5722 4";
        group.Both("overlap-by-eight-bytes-ends-the-datagram", V4, V6, c =>
        {
            IReadOnlyList<byte[]> came = Came(c), shifted = c.Fragments(Udp(c.Port(), 53, 2500)(c.FromLan(c.Host(), c.Client)), Data - 8);
            c.Lan(came[0]).ToWan(Left(c)[0]);
            c.Lan(shifted[1]).Dropped(DropReason.FragmentOverlap);
            c.Lan(came[1]).Dropped(DropReason.FragmentOverlap);
            c.Lan(came[2]).Dropped(DropReason.FragmentOverlap);
        });
        group.Both("overlap-drops-what-waits", V4, V6, c =>
        {
            IReadOnlyList<byte[]> came = Came(c), shifted = c.Fragments(Udp(c.Port(), 53, 2500)(c.FromLan(c.Host(), c.Client)), Data - 8);
            c.Lan(came[1]).Held();
            c.Lan(came[2]).Held();
            c.Lan(shifted[1]).Dropped(DropReason.FragmentOverlap, 3);
            c.Lan(came[0]).Dropped(DropReason.FragmentOverlap);
        });
        group.Both("fragment-inside-another", V4, V6, c =>
        {
            c.Lan(Piece(c, 0, true, 64, ports: true)).ToWan(PieceOut(c, 0, true, 64, ports: true));
            c.Lan(Piece(c, 64, true, 128)).ToWan(PieceOut(c, 64, true, 128));
            c.Lan(Piece(c, 96, true, 32)).Dropped(DropReason.FragmentOverlap);
            c.Lan(Piece(c, 192, false, 8)).Dropped(DropReason.FragmentOverlap);
        });
        group.Both("second-first-fragment-of-another-length", "RFC 1858 3.2", "RFC 5722 4", c =>
        {
            c.Lan(Piece(c, 0, true, 64, ports: true)).ToWan(PieceOut(c, 0, true, 64, ports: true));
            c.Lan(Piece(c, 0, true, 72, ports: true)).Dropped(DropReason.FragmentOverlap);
            c.Lan(Piece(c, 64, false, 8)).Dropped(DropReason.FragmentOverlap);
        });
        group.Both("repetition-does-not-end-the-datagram", "RFC 791 3.2", "RFC 8200 4.5", c =>
        {
            IReadOnlyList<byte[]> came = Came(c), left = Left(c);
            c.Lan(came[0]).ToWan(left[0]);
            c.Lan(came[0]).Dropped(DropReason.FragmentOverlap);
            c.Lan(came[1]).ToWan(left[1]);
            c.Lan(came[1]).Dropped(DropReason.FragmentOverlap);
            c.Lan(came[2]).ToWan(left[2]);
        });
        group.Both("tcp-header-written-over", "RFC 3128 2", "RFC 5722 4", c =>
        {
            foreach (int offset in new[] { 8, 16 })
            {
                c.Lan(Raw(c, c.FromLan(c.Host(), c.Client), offset, true, 24, 6)).Dropped(DropReason.BadFragment);
            }
        });
        group.Both("first-fragment-without-the-whole-tcp-header", "RFC 1858 3.1", "RFC 7112 5", c => c.Lan(Raw(c, c.FromLan(c.Host(), c.Client), 0, true, 16, 6)).Dropped(DropReason.BadFragment));
        group.V6("first-fragment-without-the-whole-header-chain", "RFC 7112 5", c =>
            c.Lan(c.FromLan(c.Host(), c.Client).Fragment(0, true, c.Port()).Carrying(60).Payload([17, 9, 1, 4, 0, 0, 0, 0])).Dropped(DropReason.BadFragment));
    }

    private static void AddEnds(ConformanceGroup group)
    {
        const string V4 = "RFC 791 3.2", V6 = "RFC 8200 4.5";
        group.Both("length-no-multiple-of-eight", V4, V6, c => c.Lan(Piece(c, 64, true, 63)).Dropped(DropReason.BadFragment));
        group.Both("fragment-behind-the-last", V4, V6, c =>
        {
            c.Lan(Piece(c, 64, false, 8)).Held();
            c.Lan(Piece(c, 128, true, 8)).Dropped(DropReason.BadFragment, 2);
        });
        group.Both("last-before-one-that-has-come", V4, V6, c =>
        {
            c.Lan(Piece(c, 128, true, 8)).Held();
            c.Lan(Piece(c, 64, false, 8)).Dropped(DropReason.BadFragment, 2);
        });
        group.Both("two-different-ends", V4, V6, c =>
        {
            c.Lan(Piece(c, 64, false, 8)).Held();
            c.Lan(Piece(c, 128, false, 8)).Dropped(DropReason.BadFragment, 2);
        });
        group.Both("beyond-the-longest-packet", "RFC 791 3.2", "RFC 8200 4.5", c => c.Lan(Piece(c, 65_528, false, 64)).Dropped(DropReason.BadFragment));
        group.Both("without-data", V4, V6, c => c.Lan(Piece(c, 64, false, 0)).Dropped(DropReason.BadFragment));
    }

    private static void AddTimes(ConformanceGroup group)
    {
        group.Both("first-that-never-comes", "RFC 791 3.2", "RFC 8200 4.5", c =>
        {
            c.Lan(Came(c)[1]).Held();
            c.Wait(7);
            c.Lan(Came(c)[0]).ToWan(Left(c)[0]);
        }, CaseNeeds.Time);
        group.Both("number-is-used-again-after-its-time", "RFC 4963 2", c =>
        {
            IReadOnlyList<byte[]> came = Came(c), left = Left(c), shifted = c.Fragments(Udp(c.Port(), 53, 2500)(c.FromLan(c.Host(), c.Client)), Data - 8);
            c.Lan(came[0]).ToWan(left[0]);
            c.Lan(shifted[1]).Dropped(DropReason.FragmentOverlap);
            c.Wait(7);
            for (int part = 0; part < 3; part++)
            {
                c.Lan(came[part]).ToWan(left[part]);
            }
        }, CaseNeeds.Time);
        group.Both("number-is-used-again-at-once-behind-a-whole-datagram", "RFC 6864 4", "RFC 8200 4.5", c =>
        {
            Pass(c, Udp(c.Port(), 53, 2500), [0, 1, 2]);
            Pass(c, Udp(c.Port(), 53, 2500), [2, 1, 0]);
        });
    }

    private static IReadOnlyList<byte[]> Came(CaseScript c, int number = 0) => c.Fragments(Udp(c.Port(), 53, 2500)(c.FromLan(c.Host(), c.Client)), Data, number);

    private static IReadOnlyList<byte[]> Left(CaseScript c, int number = 0) => c.Fragments(Udp(c.Port(), 53, 2500)(c.AtWan(c.Gateway, c.Client)), Data, number);

    /// <summary>Fragments in an order: those before the first wait, and leave behind it as they came.</summary>
    private static void Pass(CaseScript c, Func<PacketBuilder, PacketBuilder> body, int[] order)
    {
        IReadOnlyList<byte[]> came = c.Fragments(body(c.FromLan(c.Host(), c.Client)), Data), left = c.Fragments(body(c.AtWan(c.Gateway, c.Client)), Data);
        int first = Array.IndexOf(order, 0);
        for (int at = 0; at < order.Length; at++)
        {
            CaseStep step = c.Lan(came[order[at]]);
            if (at < first)
            {
                step.Held();
            }
            else if (at == first)
            {
                step.ToWan([left[0], .. order[..first].Select(part => left[part])]);
            }
            else
            {
                step.ToWan(left[order[at]]);
            }
        }
    }

    private static byte[] Piece(CaseScript c, int offset, bool more, int bytes, bool ports = false) => Raw(c, c.FromLan(c.Host(), c.Client), offset, more, bytes, 17, ports ? c.Host() : null);

    private static byte[] PieceOut(CaseScript c, int offset, bool more, int bytes, bool ports = false) => Raw(c, c.AtWan(c.Gateway, c.Client), offset, more, bytes, 17, ports ? c.Gateway : null);

    /// <summary>A fragment by itself. A first one has ports and a UDP checksum that belongs to the source given, of a datagram whose rest nobody sees here.</summary>
    private static byte[] Raw(CaseScript c, PacketBuilder packet, int offset, bool more, int bytes, byte protocol, IpAddress? udpFrom = null)
    {
        byte[] data = new byte[bytes];
        if (udpFrom is { } source)
        {
            byte[] whole = Udp(c.Port(), 53, 400)(PacketBuilder.WithoutLink().Ip(source, c.Client)).Build();
            whole.AsSpan(c.TransportAt - 14, bytes).CopyTo(data);
        }

        if (!c.IsV4)
        {
            return packet.Fragment(offset, more, c.Port()).Carrying(protocol).Payload(data).Build();
        }

        byte[] frame = packet.Carrying(protocol).Payload(data).Build();
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(18), c.Port());
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(20), (ushort)((more ? 0x2000 : 0) | (offset / 8)));
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(24), 0);
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(24), InternetChecksum.Compute(frame.AsSpan(14, 20)));
        return frame;
    }
}
