using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Tests.Conformance.Cases;

/// <summary>Packets through a gateway that gives its own address to what comes from inside.</summary>
internal static class Natted
{
    /// <summary>A host sends to a remote end, and it leaves as the gateway's, otherwise unchanged.</summary>
    public static void NatOut(this CaseScript c, Func<PacketBuilder, PacketBuilder> body, int host = 11, IpAddress? to = null) =>
        c.NatOut(body, body, host, to);

    /// <summary>The same with another port.</summary>
    public static void NatOut(this CaseScript c, Func<PacketBuilder, PacketBuilder> body, Func<PacketBuilder, PacketBuilder> leaves, int host = 11, IpAddress? to = null) =>
        c.Lan(body(c.FromLan(c.Host(host), to ?? c.Client))).ToWan(leaves(c.AtWan(c.Gateway, to ?? c.Client)));

    /// <summary>A remote end sends to the gateway, and it comes to a host.</summary>
    public static void NatIn(this CaseScript c, Func<PacketBuilder, PacketBuilder> body, int host = 11, IpAddress? from = null) => c.NatIn(body, body, host, from);

    /// <summary>The same with another port.</summary>
    public static void NatIn(this CaseScript c, Func<PacketBuilder, PacketBuilder> body, Func<PacketBuilder, PacketBuilder> arrives, int host = 11, IpAddress? from = null) =>
        c.Wan(body(c.FromWan(from ?? c.Client, c.Gateway))).ToLan(arrives(c.AtLan(from ?? c.Client, c.Host(host))));

    /// <summary>A host sends a packet whose outside port is the gateway's choice.</summary>
    /// <param name="c">The case.</param>
    /// <param name="body">The packet by its port.</param>
    /// <param name="own">The port inside.</param>
    /// <param name="host">The host.</param>
    /// <param name="to">Remote end.</param>
    /// <param name="isEcho">Whether it is an identifier.</param>
    /// <returns>The port it left with; all else is compared.</returns>
    public static ushort NatTaken(this CaseScript c, Func<ushort, Func<PacketBuilder, PacketBuilder>> body, ushort own, int host = 11, IpAddress? to = null, bool isEcho = false)
    {
        byte[] left = c.Lan(body(own)(c.FromLan(c.Host(host), to ?? c.Client))).Left("wan");
        ushort taken = isEcho ? c.EchoIdentifier(left) : c.SourcePort(left);
        c.Same(body(taken)(c.AtWan(c.Gateway, to ?? c.Client)), left);
        return taken;
    }

    /// <summary>A packet from outside is not let in and belongs to nobody: the gateway says so.</summary>
    public static void NatRefused(this CaseScript c, Func<PacketBuilder, PacketBuilder> body, IpAddress? from = null)
    {
        byte[] frame = body(c.FromWan(from ?? c.Client, c.Gateway)).Build();
        c.Wan(frame).Refused(DropReason.LocalUnreachable, c.OwnErrorToWan(IcmpError.PortUnreachable, frame));
    }

    /// <summary>The segments of a connection from inside, both ways.</summary>
    public static void NatConversation(this CaseScript c, ushort outside)
    {
        (bool Out, TcpFlags Flags, uint Sequence, uint Acknowledgment, int Bytes)[] segments =
        [
            (true, TcpFlags.Syn, 100, 0, 0), (false, TcpFlags.Syn | TcpFlags.Ack, 500, 101, 0), (true, TcpFlags.Ack, 101, 501, 0), (true, TcpFlags.Ack | TcpFlags.Psh, 101, 501, 333),
            (false, TcpFlags.Ack, 501, 434, 900), (true, TcpFlags.Fin | TcpFlags.Ack, 434, 1401, 0), (false, TcpFlags.Fin | TcpFlags.Ack, 1401, 435, 1), (true, TcpFlags.Ack, 435, 1403, 0),
        ];
        foreach ((bool isOut, TcpFlags flags, uint sequence, uint acknowledgment, int bytes) in segments)
        {
            if (isOut)
            {
                c.NatOut(Say.Tcp(c.Port(), 443, flags, sequence, acknowledgment, bytes), Say.Tcp(outside, 443, flags, sequence, acknowledgment, bytes));
            }
            else
            {
                c.NatIn(Say.Tcp(443, outside, flags, sequence, acknowledgment, bytes), Say.Tcp(443, c.Port(), flags, sequence, acknowledgment, bytes));
            }
        }
    }
}
