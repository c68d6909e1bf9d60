using System.Runtime.CompilerServices;
using Dataplane.Flows;

namespace Dataplane.Tracking;

/// <content>What segments change about a connection.</content>
internal static partial class TcpTracker
{
    /// <summary>Shift assumed of windows whose option was not seen: the largest, so that nothing is refused for it.</summary>
    private const byte UnknownScale = 14;

    /// <summary>Begins to follow a connection with its first segment.</summary>
    public static void Begin(ref Connection connection, in TcpSegment segment)
    {
        connection = default;
        if (segment is { IsSyn: true, IsAck: false, IsRst: false, IsFin: false })
        {
            OpenClient(ref connection, segment.Sequence, segment.End, segment.Window, segment.HasScale ? segment.Scale : Connection.NoScale);
            return;
        }

        // In the middle of it: what was agreed upon before is not known.
        connection.Phase = TcpPhase.Established;
        connection.Client.Scale = connection.Server.Scale = UnknownScale;
        FollowAny(ref connection, forward: true, in segment);
    }

    /// <summary>Follows a segment that was judged to pass.</summary>
    /// <param name="connection">The connection.</param>
    /// <param name="forward">Whether the segment comes from the client.</param>
    /// <param name="segment">The segment.</param>
    /// <param name="reason">What <see cref="Judge"/> has said.</param>
    public static void Follow(ref Connection connection, bool forward, in TcpSegment segment, StateReason reason)
    {
        connection.IsAnswered |= !forward;
        if (reason == StateReason.Challenge)
        {
            Remember(ref connection, forward, in segment);
            return;
        }

        switch (connection.Phase)
        {
            case TcpPhase.None:
                Begin(ref connection, in segment, forward);
                break;
            case TcpPhase.SynSent when forward && segment is { IsSyn: true, IsAck: false }:
                OpenClient(ref connection, segment.Sequence, segment.End, segment.Window, segment.HasScale ? segment.Scale : Connection.NoScale);
                break;
            case TcpPhase.SynSent when !forward && segment.IsSyn:
                OpenServer(ref connection, in segment);
                break;
            case >= TcpPhase.SynReceived when !forward && segment is { IsSyn: true, IsAck: true } && connection.IsPending && segment.Acknowledgment == connection.Syn + 1:
                // The server has taken the client's new SYN (RFC 5961 4): another connection has begun.
                OpenClient(ref connection, connection.Syn, connection.Syn + 1, connection.SynWindow, connection.SynScale);
                OpenServer(ref connection, in segment);
                break;
            default:
                FollowAny(ref connection, forward, in segment);
                break;
        }
    }

    /// <summary>A later fragment of a segment makes it longer.</summary>
    public static void Extend(ref Connection connection, bool forward, uint end)
    {
        ref TcpEnd own = ref forward ? ref connection.Client : ref connection.Server;
        own.End = own.IsKnown && After(end, own.End) ? end : own.End;
    }

    /// <summary>Whether a later fragment reaches beyond what the receiver has offered to take.</summary>
    public static bool IsBeyond(in Connection connection, bool forward, uint end)
    {
        ref readonly TcpEnd own = ref forward ? ref connection.Client : ref connection.Server;
        return own.IsBounded && After(end, own.MaxEnd);
    }

    /// <summary>Whether a segment that an ICMP error quotes can be on its way: sent, and not so long ago that it was acknowledged (RFC 5927 4.1).</summary>
    public static bool MayBeOnItsWay(in Connection connection, bool forward, uint sequence)
    {
        ref readonly TcpEnd own = ref forward ? ref connection.Client : ref connection.Server;
        ref readonly TcpEnd other = ref forward ? ref connection.Server : ref connection.Client;
        return connection.Phase == TcpPhase.None || !own.IsKnown
            || (!After(sequence, own.End) && !Before(sequence, own.End - Math.Max(other.MaxWindow, MinAcknowledgmentSlack)));
    }

    /// <summary>The state of the flow's entries, which says how long it may be idle: a connection picked up is established once both sides have spoken.</summary>
    public static FlowState StateOf(in Connection connection) => connection.Phase switch
    {
        TcpPhase.SynSent or TcpPhase.SynReceived => FlowState.TcpTransitory,
        TcpPhase.None or TcpPhase.Established => connection.IsAnswered ? FlowState.TcpEstablished : FlowState.TcpTransitory,
        _ => FlowState.TcpClosing,
    };

    private static void Begin(ref Connection connection, in TcpSegment segment, bool forward)
    {
        bool answered = connection.IsAnswered;
        if (forward)
        {
            Begin(ref connection, in segment);
        }
        else
        {
            connection.Phase = TcpPhase.Established;
            connection.Client.Scale = connection.Server.Scale = UnknownScale;
            FollowAny(ref connection, forward, in segment);
        }

        connection.IsAnswered = true;
    }

    /// <summary>Notes what a segment that is to be challenged may lead to.</summary>
    private static void Remember(ref Connection connection, bool forward, in TcpSegment segment)
    {
        if (connection.Phase == TcpPhase.SynSent)
        {
            (connection.IsPending, connection.ServerStart) = forward ? (false, 0u) : (true, segment.Acknowledgment);
        }
        else if (forward && segment is { IsSyn: true, IsAck: false } && segment.Sequence != connection.Syn)
        {
            connection.IsPending = true;
            (connection.Syn, connection.SynWindow) = (segment.Sequence, segment.Window);
            connection.SynScale = segment.HasScale ? segment.Scale : Connection.NoScale;
        }
    }

    private static void OpenClient(ref Connection connection, uint syn, uint end, ushort window, byte scale)
    {
        connection.Phase = TcpPhase.SynSent;
        connection.Syn = syn;
        connection.SynScale = scale;
        connection.IsPending = false;
        connection.Server = default;
        connection.Client = new TcpEnd { End = end, IsKnown = true, MaxWindow = Math.Max(window, (ushort)1), Scale = scale };
    }

    /// <summary>The server's SYN: from now on it is known what both may send. Windows are scaled only if both have said so (RFC 7323 2.2).</summary>
    private static void OpenServer(ref Connection connection, in TcpSegment segment)
    {
        bool scaled = segment.HasScale && connection.SynScale != Connection.NoScale;
        ref TcpEnd client = ref connection.Client, server = ref connection.Server;
        client.Scale = scaled ? connection.SynScale : (byte)0;
        server = new TcpEnd { End = segment.End, IsKnown = true, MaxWindow = Math.Max(segment.Window, (ushort)1), Scale = scaled ? segment.Scale : (byte)0 };
        connection.ServerStart = segment.Sequence + 1;
        connection.Phase = TcpPhase.SynReceived;

        // The windows of SYNs are never scaled. What the server may send before the client has acknowledged anything, the client's SYN has offered.
        (server.MaxEnd, server.IsBounded) = (connection.ServerStart + client.MaxWindow, true);
        if (segment.IsAck)
        {
            (server.MaxAcknowledgment, server.HasAcknowledged) = (segment.Acknowledgment, true);
            (client.MaxEnd, client.IsBounded) = (segment.Acknowledgment + server.MaxWindow, true);
        }
    }

    private static void FollowAny(ref Connection connection, bool forward, in TcpSegment segment)
    {
        ref TcpEnd own = ref forward ? ref connection.Client : ref connection.Server;
        ref TcpEnd other = ref forward ? ref connection.Server : ref connection.Client;
        if (segment.IsRst)
        {
            connection.Phase = TcpPhase.Closed;
            return;
        }

        FollowData(ref own, ref other, in segment);
        if (connection.Phase == TcpPhase.SynReceived && forward && segment.IsAck)
        {
            connection.Phase = TcpPhase.Established;
        }

        if (segment.IsFin && segment.End == own.End)
        {
            own.HasFinished = true;
        }

        if (own.HasFinished || other.HasFinished)
        {
            other.IsFinishAcknowledged |= other.HasFinished && segment.IsAck && segment.Acknowledgment == other.End;
            connection.Phase = connection.Phase >= TcpPhase.TimeWait ? connection.Phase
                : own.IsFinishAcknowledged && other.IsFinishAcknowledged ? TcpPhase.TimeWait : TcpPhase.Closing;
        }
    }

    /// <summary>What a segment says about what was sent and what may be.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void FollowData(ref TcpEnd own, ref TcpEnd other, in TcpSegment segment)
    {
        uint window = segment.IsSyn ? segment.Window : (uint)segment.Window << own.Scale;
        window = Math.Max(window, 1);
        own.MaxWindow = Math.Max(own.MaxWindow, window);
        if (!own.IsKnown || After(segment.End, own.End))
        {
            (own.End, own.IsKnown) = (segment.End, true);
        }

        if (!segment.IsAck)
        {
            return;
        }

        if (!own.HasAcknowledged || After(segment.Acknowledgment, own.MaxAcknowledgment))
        {
            (own.MaxAcknowledgment, own.HasAcknowledged) = (segment.Acknowledgment, true);
        }

        uint end = segment.Acknowledgment + window;
        if (!other.IsBounded || After(end, other.MaxEnd))
        {
            (other.MaxEnd, other.IsBounded) = (end, true);
        }
    }
}
