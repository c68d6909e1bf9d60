using Dataplane.Packets;

namespace Dataplane.Flows;

/// <summary>How TCP flags move a flow from state to state; only as exact as ageing needs.</summary>
internal static class TcpStates
{
    public const byte Fin = 1, Syn = 2, Rst = 4, Ack = 16;

    /// <summary>
    /// State of a flow by its first packet. One that begins in the middle, behind a restart, has to show that there are two sides before it is kept for
    /// hours: anybody can send a segment with an ACK.
    /// </summary>
    public static FlowState First(byte protocol, byte flags)
    {
        if (protocol != IpProtocols.Tcp)
        {
            return protocol == IpProtocols.Udp ? FlowState.Udp : FlowState.IcmpQuery;
        }

        return (flags & (Fin | Rst)) != 0 ? FlowState.TcpClosing : FlowState.TcpTransitory;
    }

    /// <summary>What a first packet shows of its flow.</summary>
    public static FlowMarks FirstMarks(byte protocol, byte flags) =>
        protocol == IpProtocols.Tcp && (flags & (Syn | Ack | Rst)) != Syn ? FlowMarks.PickedUp : FlowMarks.None;

    /// <summary>True when a packet may change the state: everything but data and acknowledgements of an established connection.</summary>
    public static bool Matters(FlowState state, byte flags) => state < FlowState.Udp && (state != FlowState.TcpEstablished || (flags & (Fin | Syn | Rst)) != 0);

    /// <summary>The state behind a packet.</summary>
    /// <param name="state">The state before.</param>
    /// <param name="flags">The packet's flags.</param>
    /// <param name="forward">Whether it comes from the client.</param>
    /// <param name="isAnswered">Whether the backend has sent anything, as far as that can be seen.</param>
    public static FlowState Next(FlowState state, byte flags, bool forward, bool isAnswered)
    {
        if ((flags & (Fin | Rst)) != 0)
        {
            // A FIN can only follow a SYN: before that of the backend it is of a connection that had these ports before, and was still on its way.
            return (flags & Rst) == 0 && !forward && !isAnswered ? state : FlowState.TcpClosing;
        }

        if (state == FlowState.TcpClosing && !forward && (flags & (Syn | Ack)) == (Syn | Ack))
        {
            // What closed the flow was the end of the connection before, likewise: this one is only beginning.
            return FlowState.TcpTransitory;
        }

        // The client's first segment without SYN acknowledges the backend's: the handshake is done. Without the backend's it is somebody's who only says so.
        bool done = forward && isAnswered && (flags & (Syn | Ack)) == Ack;
        return state == FlowState.TcpTransitory && done ? FlowState.TcpEstablished : state;
    }

    /// <summary>True for a SYN that reuses the ports of a connection that has ended: it is a new flow.</summary>
    public static bool Reopens(FlowState state, byte flags, bool forward) => forward && state == FlowState.TcpClosing && (flags & (Syn | Ack | Rst)) == Syn;
}
