using System.Runtime.CompilerServices;
using Dataplane.Packets;

namespace Dataplane.Tracking;

/// <summary>Judges TCP segments by what was seen of their connection, and follows it.</summary>
/// <remarks>
/// The bounds are those of van Rooij, "Real Stateful TCP Packet Filtering in IP Filter" (2001): what an end may send ends where the other has offered to
/// take it, and begins a window before the last it has sent; what it may acknowledge ends with what the other has sent. A middle box sees
/// no more than passes it, so every bound errs on the side of the ends. Resets and SYNs in the window pass for the receiver to judge, and only a reset with
/// exactly the number expected is believed (RFC 5961). Judging and following are two steps, so that what a filter denies changes nothing.
/// </remarks>
internal static partial class TcpTracker
{
    private const byte Fin = (byte)TcpFlags.Fin, Syn = (byte)TcpFlags.Syn, Rst = (byte)TcpFlags.Rst, Ack = (byte)TcpFlags.Ack;

    /// <summary>How far behind an acknowledgment may be where windows are small (van Rooij: the largest window without scaling, and some).</summary>
    private const uint MinAcknowledgmentSlack = 66_000;

    /// <summary>Whether a sender sets these flags together: SYN alone or with ACK; RST alone or with ACK; FIN with ACK; ACK. PSH, URG, ECE and CWR are free.</summary>
    public static bool IsPossible(byte flags) => (flags & (Fin | Syn | Rst | Ack)) is Syn or (Syn | Ack) or Rst or (Rst | Ack) or (Fin | Ack) or Ack;

    /// <summary>What a segment is to a connection.</summary>
    /// <param name="connection">The connection; not changed.</param>
    /// <param name="forward">Whether it comes from the client.</param>
    /// <param name="segment">The segment.</param>
    public static StateReason Judge(in Connection connection, bool forward, in TcpSegment segment)
    {
        if (!IsPossible(segment.Flags))
        {
            return StateReason.BadFlags;
        }

        return connection.Phase switch
        {
            TcpPhase.None => StateReason.Answered, // It was there before anybody asked for states; nothing is known against it.
            TcpPhase.SynSent => forward ? JudgeClientInSynSent(in connection, in segment) : JudgeServerInSynSent(in connection, in segment),
            TcpPhase.SynReceived when !segment.IsSyn && !segment.IsRst && forward && Before(segment.Acknowledgment, connection.ServerStart) => StateReason.OutOfTurn,
            TcpPhase.TimeWait or TcpPhase.Closed when segment is { IsSyn: true, IsAck: false } => StateReason.Reopens,
            TcpPhase.Closed when !connection.Server.IsKnown && !segment.IsRst => StateReason.OutOfTurn,
            _ when segment.IsRst => JudgeReset(in connection, forward, in segment),
            _ when segment.IsSyn => JudgeSyn(in connection, forward, in segment),
            _ => JudgeData(in connection, forward, in segment),
        };
    }

    /// <summary>Whether a segment with neither SYN, RST nor FIN is within the bounds of an established connection; if so, it is followed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // Once per packet of an established connection.
    public static bool TryPass(ref Connection connection, bool forward, in TcpSegment segment)
    {
        ref TcpEnd own = ref forward ? ref connection.Client : ref connection.Server;
        ref TcpEnd other = ref forward ? ref connection.Server : ref connection.Client;
        if (connection.Phase != TcpPhase.Established || !segment.IsAck || FindFault(in own, in other, in segment) != StateReason.None)
        {
            return false;
        }

        FollowData(ref own, ref other, in segment);
        return true;
    }

    private static StateReason Passing(in Connection connection, bool forward) =>
        forward && !connection.IsAnswered ? StateReason.Unanswered : StateReason.Answered;

    private static StateReason JudgeClientInSynSent(in Connection connection, in TcpSegment segment)
    {
        if (segment is { IsSyn: true, IsAck: false })
        {
            // Sent again; or anew, with other numbers, by a client that has given the first up.
            return StateReason.Unanswered;
        }

        if (!segment.IsRst)
        {
            return StateReason.OutOfTurn;
        }

        bool answersChallenge = connection.IsPending && segment.Sequence == connection.ServerStart;
        bool isOwn = segment.Sequence == connection.Client.End || segment.Sequence == connection.Syn;
        return answersChallenge ? StateReason.Challenge : isOwn ? StateReason.Unanswered : StateReason.ResetOutOfWindow;
    }

    private static StateReason JudgeServerInSynSent(in Connection connection, in TcpSegment segment)
    {
        bool fits = segment.IsAck && After(segment.Acknowledgment, connection.Syn) && !After(segment.Acknowledgment, connection.Client.End);
        if (segment.IsRst)
        {
            return fits ? StateReason.Answered : StateReason.ResetOutOfWindow;
        }

        if (segment.IsSyn)
        {
            // Without ACK both have opened at the same time (RFC 9293 3.5).
            return !segment.IsAck || fits ? StateReason.Answered : StateReason.AcknowledgesUnsent;
        }

        // A server that still has an old connection of these ports answers a SYN so, and the client resets it (RFC 9293 3.5.1).
        return (segment.Flags & Fin) == 0 && segment.End == segment.Sequence ? StateReason.Challenge : StateReason.OutOfTurn;
    }

    /// <summary>A SYN where both ends have sent theirs.</summary>
    private static StateReason JudgeSyn(in Connection connection, bool forward, in TcpSegment segment)
    {
        if (!segment.IsAck)
        {
            // Perhaps the sender has begun anew. The receiver challenges it, and gets a reset if that is so (RFC 5961 4).
            return StateReason.Challenge;
        }

        uint start = forward ? connection.Syn : connection.ServerStart - 1;
        if (segment.Sequence == start)
        {
            bool ends = connection.Phase == TcpPhase.SynReceived && forward && !Before(segment.Acknowledgment, connection.ServerStart);
            return ends ? StateReason.Answered : StateReason.Challenge;
        }

        bool answersPending = !forward && connection.IsPending && connection.Phase >= TcpPhase.SynReceived
            && segment.Acknowledgment == connection.Syn + 1;
        return answersPending ? StateReason.Answered : StateReason.OutOfTurn;
    }

    private static StateReason JudgeReset(in Connection connection, bool forward, in TcpSegment segment)
    {
        ref readonly TcpEnd own = ref forward ? ref connection.Client : ref connection.Server;
        ref readonly TcpEnd other = ref forward ? ref connection.Server : ref connection.Client;
        if (IsExpected(in own, in other, segment.Sequence))
        {
            return Passing(in connection, forward);
        }

        bool isOld = other.HasAcknowledged ? Before(segment.Sequence, other.MaxAcknowledgment) : own.IsKnown && Before(segment.Sequence, own.End - other.MaxWindow);
        bool isBeyond = own.IsBounded && After(segment.Sequence, own.MaxEnd);
        return isOld || isBeyond ? StateReason.ResetOutOfWindow : StateReason.Challenge;
    }

    /// <summary>The number the other end expects next, as far as it has said, or will expect when all that was sent has come.</summary>
    private static bool IsExpected(in TcpEnd own, in TcpEnd other, uint sequence) =>
        (other.HasAcknowledged && sequence == other.MaxAcknowledgment) || (own.IsKnown && sequence == own.End);

    private static StateReason JudgeData(in Connection connection, bool forward, in TcpSegment segment)
    {
        ref readonly TcpEnd own = ref forward ? ref connection.Client : ref connection.Server;
        ref readonly TcpEnd other = ref forward ? ref connection.Server : ref connection.Client;
        StateReason fault = FindFault(in own, in other, in segment);
        return fault == StateReason.None ? Passing(in connection, forward) : fault;
    }

    /// <summary>The bound that a segment with ACK breaks, or none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static StateReason FindFault(in TcpEnd own, in TcpEnd other, in TcpSegment segment)
    {
        if (own.IsBounded && After(segment.End, own.MaxEnd))
        {
            return StateReason.AboveWindow;
        }

        if (!other.IsKnown)
        {
            return StateReason.None;
        }

        if (own.IsKnown && Before(segment.End, own.End - other.MaxWindow))
        {
            return StateReason.BelowWindow;
        }

        if (After(segment.Acknowledgment, other.End))
        {
            return StateReason.AcknowledgesUnsent;
        }

        return Before(segment.Acknowledgment, other.End - Math.Max(own.MaxWindow, MinAcknowledgmentSlack)) ? StateReason.AcknowledgesOld : StateReason.None;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool Before(uint a, uint b) => (int)(a - b) < 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool After(uint a, uint b) => (int)(b - a) < 0;
}
