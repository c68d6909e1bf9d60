using System.Buffers.Binary;
using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Reassembly;

/// <summary>Fragmented datagrams that become such of the other family only once all of them is here (RFC 6146 3.4): their checksum covers what no fragment tells alone.</summary>
/// <remarks>
/// <para>Nothing is joined: the fragments wait in the store that those wait in which came before the first of theirs, with its bounds, and go on one after the other, the first one first.</para>
/// ICMP: that of IPv6 covers the length of the message (RFC 4443 2.3), that of IPv4 does not. UDP without a checksum, which IPv6 does not have: the sum is added up as fragments come,
/// and the first gets a checksum as an IPv4 datagram; from there on it is one like others.
/// </remarks>
internal static class WholeDatagrams
{
    private const int UdpChecksumAt = 6;

    /// <summary>Adds a fragment to the sum of its datagram, if that may come to need it.</summary>
    public static void Add(WorkerContext context, PacketBatch batch, int i, ref Datagram datagram, in FragmentFacts facts)
    {
        if (context.Tables.MayChangeFamily && batch.Parsed[i].Headers is { IpVersion: 4, Protocol: IpProtocols.Udp })
        {
            datagram.Sum += InternetChecksum.Sum(batch.Frame(i).Slice(facts.At, facts.Length));
        }
    }

    /// <summary>Whether a fragment may be one of a datagram that must be whole, where nobody needs its ports otherwise.</summary>
    public static bool MayBe(WorkerContext context, PacketBatch batch, int i)
    {
        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        return (headers.Protocol == (headers.IpVersion == 4 ? IpProtocols.Icmp : IpProtocols.Icmpv6) || headers is { IpVersion: 4, Protocol: IpProtocols.Udp })
            && ChangesFamily(context, batch, i);
    }

    /// <summary>Whether the datagram of a first fragment must be whole before it goes on.</summary>
    public static bool MustWait(WorkerContext context, PacketBatch batch, int i)
    {
        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        if (!context.Tables.MayChangeFamily || headers.TransportOffset == 0)
        {
            return false;
        }

        bool isIcmp = headers.Protocol == (headers.IpVersion == 4 ? IpProtocols.Icmp : IpProtocols.Icmpv6);
        bool isWithoutSum = headers.IpVersion == 4 && headers.Protocol == IpProtocols.Udp
            && BinaryPrimitives.ReadUInt16BigEndian(batch.Frame(i)[(headers.TransportOffset + UdpChecksumAt)..]) == 0;
        isWithoutSum &= context.Tables.Siit is not { DropsUdpWithoutChecksum: true };
        return (isIcmp || isWithoutSum) && ChangesFamily(context, batch, i);
    }

    /// <summary>Tells the first fragment, which stands first among those held, what is known now that all are there.</summary>
    /// <param name="table">The table.</param>
    /// <param name="datagram">The datagram.</param>
    public static void Finish(FragmentTable table, ref Datagram datagram)
    {
        ref FollowedPacket followed = ref table.Held.At(datagram.HeldFirst, out Span<byte> frame, out PacketMarks marks);
        if (datagram.First.Protocol != IpProtocols.Udp)
        {
            // End counts from the first byte behind the headers that every fragment has.
            followed.End = (uint)(datagram.Bytes - datagram.TransportAt);
            table.Held.Mark(datagram.HeldFirst, marks | PacketMarks.WholeMessage);
            return;
        }

        Span<byte> transport = frame[datagram.FrameAt..];
        uint pseudo = InternetChecksum.PseudoHeader(IpAddress.FromV4((uint)datagram.SourceLow), IpAddress.FromV4((uint)datagram.DestinationLow), IpProtocols.Udp, (uint)datagram.Bytes);
        ushort checksum = (ushort)~InternetChecksum.Fold(InternetChecksum.Fold(datagram.Sum) + (uint)InternetChecksum.Fold(pseudo));
        BinaryPrimitives.WriteUInt16BigEndian(transport[UdpChecksumAt..], InternetChecksum.ZeroAsOnes(checksum));
    }

    /// <summary>Whether it comes to an address or prefix of a translation between the families; of one that is shared with a translation within, only flows tell.</summary>
    private static bool ChangesFamily(WorkerContext context, PacketBatch batch, int i)
    {
        ref readonly FlowKey key = ref batch.Parsed[i].Key;
        Nat.NatTable nat = context.Tables.Nat;
        if (context.Tables.Siit is { } siit && Nat64.SiitStage.IsTaken(context, siit, batch, i))
        {
            return true;
        }

        if (key.Family == 6)
        {
            return nat.FindNat64(batch.Port.Value, in key) is not null;
        }

        if (!nat.IsNat64Address(key.Destination))
        {
            return false;
        }

        int flow = context.Flows.Find(in key, context.Hash.Of(in key));
        return flow < 0 || context.Flows[flow].ChangesFamily;
    }
}
