using System.Runtime.CompilerServices;
using Dataplane.Filtering;
using Dataplane.Flows;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;

namespace Dataplane.Tracking;

/// <summary>Finds out what packets are to the connections that are known, before the filter asks. Runs only where a rule does.</summary>
/// <remarks>
/// Input: packets that may enter. Output: state and reason of each. Drops: none, that is for rules. State: flow table, which it only reads: what a packet
/// changes is written once it has passed the filter (<see cref="ConnectionFlows"/>). Cost: one bucket line, the entry's first lines, and for TCP the connection's.
/// Packets of established connections do not come here: <see cref="EstablishedStage"/> has sent them on.
/// </remarks>
internal static class ConnectionStage
{
    public static void Process<TTracing>(WorkerContext context, PacketBatch batch)
        where TTracing : struct, ITracing
    {
        if (!context.Tables.Filter.HasStates)
        {
            return;
        }

        for (int i = 0; i < batch.Count; i++)
        {
            (batch.States[i], batch.StateReasons[i]) = (ConnectionStates.None, StateReason.None);
            if (batch.Verdicts[i] != Verdict.Continue)
            {
                continue;
            }

            (batch.States[i], batch.StateReasons[i]) = Classify(context, batch, i);
            if (TTracing.IsOn)
            {
                Explain(context, batch, i, batch.States[i], batch.StateReasons[i]);
            }
            else if (batch.States[i] == ConnectionStates.Invalid)
            {
                context.InvalidPackets[(int)batch.StateReasons[i]]++;
            }
        }
    }

    /// <summary>Says what the packet is to the connections known.</summary>
    public static void Explain(WorkerContext context, PacketBatch batch, int i, ConnectionStates state, StateReason reason) =>
        context.Trace!.Add(batch, "state", NameOf(state), StateReasons.TextOf(reason), ("state", NameOf(state)), ("why", StateReasons.NameOf(reason)));

    private static string NameOf(ConnectionStates state) => state switch
    {
        ConnectionStates.New => "new",
        ConnectionStates.Established => "established",
        ConnectionStates.Related => "related",
        ConnectionStates.Invalid => "invalid",
        _ => "none",
    };

    private static (ConnectionStates State, StateReason Reason) Classify(WorkerContext context, PacketBatch batch, int i)
    {
        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        bool isIcmp = headers.Protocol == (headers.IpVersion == 4 ? IpProtocols.Icmp : IpProtocols.Icmpv6);
        bool isFollowed = (batch.Marks[i] & PacketMarks.Followed) != 0;
        if (isIcmp && (isFollowed || headers.TransportOffset != 0))
        {
            byte type = isFollowed ? batch.Followed[i].Flags : batch.Frame(i)[headers.TransportOffset];
            if (!IcmpEcho.Is(headers.Protocol, type))
            {
                return ClassifyIcmp(context, batch, i, type);
            }
        }

        ref readonly FlowKey key = ref batch.Parsed[i].Key;
        int index = context.Flows.Find(in key, headers.Fragment == FragmentKind.None ? batch.Parsed[i].Hash : context.Hash.Of(in key));
        if (index >= 0 && !ConnectionFlows.IsLive(context, index))
        {
            index = -1;
        }

        StateReason reason = index < 0 ? JudgeUnknown(context, batch, i) : JudgeKnown(context, batch, i, index);
        return (StateOf(context, index, reason), reason);
    }

    private static ConnectionStates StateOf(WorkerContext context, int index, StateReason reason) => reason switch
    {
        StateReason.Answered => ConnectionStates.Established,
        StateReason.Challenge => index >= 0 && (context.Flows.ConnectionOf(index).IsAnswered || !context.Flows[index].IsForward)
            ? ConnectionStates.Established
            : ConnectionStates.New,
        StateReason.QuotesConnection => ConnectionStates.Related,
        _ => StateReasons.IsInvalid(reason) ? ConnectionStates.Invalid : ConnectionStates.New,
    };

    private static StateReason JudgeUnknown(WorkerContext context, PacketBatch batch, int i)
    {
        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        switch (headers.Protocol)
        {
            case IpProtocols.Tcp:
                const byte Handshake = (byte)(TcpFlags.Syn | TcpFlags.Ack | TcpFlags.Rst | TcpFlags.Fin);
                return !TcpTracker.IsPossible(headers.TcpFlags) ? StateReason.BadFlags
                    : (headers.TcpFlags & Handshake) == (byte)TcpFlags.Syn ? StateReason.Unknown
                    : context.Tables.PicksUp && (headers.TcpFlags & Handshake) == (byte)TcpFlags.Ack ? StateReason.PickedUp
                    : StateReason.NoConnection;
            case IpProtocols.Icmp or IpProtocols.Icmpv6 when headers.TransportOffset != 0 || (batch.Marks[i] & PacketMarks.Followed) != 0:
                bool isRequest = (headers.TransportOffset != 0 ? batch.Frame(i)[headers.TransportOffset] : batch.Followed[i].Flags) is Icmpv4Types.EchoRequest or Icmpv6Types.EchoRequest;
                return isRequest ? StateReason.Unknown : StateReason.UnaskedAnswer;
            default:
                return StateReason.Unknown;
        }
    }

    private static StateReason JudgeKnown(WorkerContext context, PacketBatch batch, int i, int index)
    {
        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        ref readonly FlowEntry entry = ref context.Flows[index];
        ref readonly Connection connection = ref context.Flows.ConnectionOf(index);
        if (headers.Protocol != IpProtocols.Tcp || headers.TransportOffset == 0)
        {
            bool isBeyond = headers.Protocol == IpProtocols.Tcp && TcpTracker.IsBeyond(in connection, entry.IsForward, batch.Followed[i].End);
            return isBeyond ? StateReason.AboveWindow : entry.IsForward && !connection.IsAnswered ? StateReason.Unanswered : StateReason.Answered;
        }

        if (context.Tables.IsDirect(in entry))
        {
            // The backend answers past the engine: half of a connection can not be held to its windows, and stays one without an answer.
            return !TcpTracker.IsPossible(headers.TcpFlags) ? StateReason.BadFlags
                : TcpStates.Reopens(entry.State, headers.TcpFlags, forward: true) ? StateReason.Reopens : StateReason.Unanswered;
        }

        var segment = TcpSegment.Read(batch.Frame(i)[headers.TransportOffset..headers.EndOffset]);
        StateReason reason = TcpTracker.Judge(in connection, entry.IsForward, in segment);

        // The side that is translated to can not begin anything.
        return reason == StateReason.Reopens && !entry.IsForward && !entry.IsPlain ? StateReason.OutOfTurn : reason;
    }

    /// <summary>Errors are about something. Other messages but echo are followed by nobody: requests may come, answers were asked for by nobody.</summary>
    private static (ConnectionStates State, StateReason Reason) ClassifyIcmp(WorkerContext context, PacketBatch batch, int i, byte type)
    {
        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        if (headers.Fragment != FragmentKind.None)
        {
            return (ConnectionStates.Invalid, StateReason.QuotesNothing);
        }

        bool isError = headers.IpVersion == 4 ? type is 3 or 4 or 5 or 11 or 12 : type < 128;
        if (!isError)
        {
            // Timestamp, information, address mask requests (RFC 792, 950); node information queries (RFC 4620).
            bool isRequest = headers.IpVersion == 4 ? type is 13 or 15 or 17 : type is 139;
            return isRequest ? (ConnectionStates.New, StateReason.Unknown) : (ConnectionStates.Invalid, StateReason.UnaskedAnswer);
        }

        StateReason reason = JudgeError(context, batch, i);
        return (reason == StateReason.QuotesConnection ? ConnectionStates.Related : ConnectionStates.Invalid, reason);
    }

    private static StateReason JudgeError(WorkerContext context, PacketBatch batch, int i)
    {
        if (!IcmpErrorTranslation.TryReadFlow(batch, i, out FlowKey about, out uint sequence))
        {
            return StateReason.QuotesNothing;
        }

        int index = context.Flows.Find(in about, context.Hash.Of(in about));
        if (index < 0 || !ConnectionFlows.IsLive(context, index))
        {
            return StateReason.QuotesNothing;
        }

        // An error goes to who has sent what it quotes.
        ref readonly FlowEntry entry = ref context.Flows[index];
        ref readonly FlowKey key = ref batch.Parsed[i].Key;
        if (key.DestinationHigh != about.DestinationHigh || key.DestinationLow != about.DestinationLow)
        {
            return StateReason.QuotesOther;
        }

        // What is quoted went the other way than the error does.
        return about.Protocol != IpProtocols.Tcp || TcpTracker.MayBeOnItsWay(in context.Flows.ConnectionOf(index), !entry.IsForward, sequence)
            ? StateReason.QuotesConnection
            : StateReason.QuotesOutOfWindow;
    }
}
