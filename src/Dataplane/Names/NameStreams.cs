using System.Buffers.Binary;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Routing;

namespace Dataplane.Names;

/// <summary>DNS over TCP on the packet path (RFC 7766): just as much of TCP as a name server needs, for clients whose answers did not fit into a datagram.</summary>
/// <remarks>
/// Theory of operation. A SYN is answered without any memory of it (see <see cref="StreamCookies"/>); a connection gets a place with its first bytes. Places are few: when
/// all are taken, the one that has been idle longest is reset, else one that has taken longer than ten seconds over an answer, and of one source at most <see cref="PerSource"/> are there. A client may send as much as one long query before it is
/// answered; segments out of order are not kept, the client repeats them. Queries are answered one after another in the order they come. The server sends by slow start
/// up to the client's window (no scaling, no selective acknowledgement), repeats all that is on its way after a second, then two, four and eight, and then resets. It ends when the client does,
/// and when the client is silent for ten seconds. Responses are given up, not queued, when no packet can be made of them: the repetition brings them. All limits are per worker,
/// and a flow is always the same worker's.
/// Packets to the server are consumed here (<see cref="DropReason.ConsumedDns"/>), damaged ones dropped as <see cref="DropReason.DnsInvalid"/>.
/// </remarks>
internal sealed class NameStreams
{
    public const int Places = 64, PerSource = 16;

    private const int MaxTries = 4, FirstQuietV4 = 536, FirstQuietV6 = 1220;
    private const long RepeatNs = 1_000_000_000, IdleNs = 10_000_000_000, UpstreamNs = 15_000_000_000;

    /// <summary>A client that takes longer to take in one answer keeps its place only while there are others: a few that acknowledge byte by byte would keep all.</summary>
    private const long SlowNs = 10_000_000_000;

    private readonly StreamCookies _cookies = new();
    private NameStream[] _streams = [];
    private uint _serial;
    private int _used;
    private long _opened;
    private long _reset;

    /// <summary>Connections that have said something. Any thread.</summary>
    public long Opened => Volatile.Read(ref _opened);

    /// <summary>Connections that the server has reset: for want of room, of sense, or of acknowledgements. Any thread.</summary>
    public long WereReset => Volatile.Read(ref _reset);

    /// <summary>Takes a segment to a name server.</summary>
    /// <returns>What became of it, for explain.</returns>
    public string Receive(WorkerContext context, in FlowKey key, L3Interface via, NameServer server, in TcpView segment)
    {
        NameStream? stream = Find(in key);
        if (stream is null)
        {
            if ((segment.Flags & (TcpFlags.Syn | TcpFlags.Ack | TcpFlags.Rst | TcpFlags.Fin)) == TcpFlags.Syn)
            {
                return Greet(context, in key, via, server, in segment);
            }

            stream = Open(context, in key, via, in segment);
            if (stream is null)
            {
                return "no connection";
            }
        }

        uint before = stream.SendBase;
        if (!IsAccepted(context, stream, via, in segment))
        {
            return "not of the connection";
        }

        bool wantsAnswer = segment.Payload.Length > 0 || (segment.Flags & TcpFlags.Fin) != 0;
        if (wantsAnswer || stream.SendBase != before)
        {
            // Only what goes on puts the end off: a client that repeats itself keeps no place.
            stream.TimerNs = 0;
        }

        stream.PeerWindow = segment.Window;
        stream.Take(segment.SequenceNumber, segment.Payload, (segment.Flags & TcpFlags.Fin) != 0);
        Advance(context, stream, via, server, wantsAnswer);
        return "of a connection";
    }

    /// <summary>Takes a response from upstream.</summary>
    public void Complete(WorkerContext context, in FlowKey key, uint serial, ReadOnlySpan<byte> message)
    {
        if (Find(in key) is not { IsWaiting: true } stream || stream.Serial != serial || ViaOf(context, stream) is not { } via || context.Tables.Names.Find(in key) is not { } server)
        {
            return;
        }

        (stream.IsWaiting, stream.TimerNs) = (false, 0);
        message.CopyTo(stream.ResponseBuffer);
        stream.Respond(message.Length);
        Advance(context, stream, via, server, wantsAnswer: false);
    }

    /// <summary>Does what is due.</summary>
    public void Tick(WorkerContext context)
    {
        for (int i = 0; _used > 0 && i < _streams.Length; i++)
        {
            NameStream stream = _streams[i];
            if (!stream.IsUsed || context.NowNs < stream.TimerNs)
            {
                continue;
            }

            L3Interface? via = ViaOf(context, stream);
            if (via is null)
            {
                Free(stream);
            }
            else if (stream.IsWaiting || (stream.HasOutput && stream.Tries >= MaxTries))
            {
                Reset(context, stream, via);
            }
            else if (stream.HasOutput)
            {
                stream.Lose();
                Push(context, stream, via, wantsAnswer: false);
            }
            else
            {
                // Idle: the end is said once; whoever has not heard it is reset when he speaks again.
                Send(context, stream, via, stream.SendNext, TcpFlags.Fin | TcpFlags.Ack, default);
                Free(stream);
            }
        }
    }

    private static L3Interface? ViaOf(WorkerContext context, NameStream stream)
    {
        int via = context.Tables.InterfaceMap.Find(stream.Port, stream.Vlan);
        return via < 0 ? null : context.Tables.Interfaces[via];
    }

    private NameStream? Find(in FlowKey key)
    {
        for (int i = 0; _used > 0 && i < _streams.Length; i++)
        {
            if (_streams[i].IsUsed && _streams[i].Key.Equals(in key))
            {
                return _streams[i];
            }
        }

        return null;
    }

    /// <summary>Answers a SYN, and forgets it.</summary>
    private string Greet(WorkerContext context, in FlowKey key, L3Interface via, NameServer server, in TcpView segment)
    {
        int perSecond = server.Spec.QueriesPerSecond;
        if (perSecond > 0 && !context.Names.Limit.TryTake(key.SourceHigh, key.SourceLow, key.Family == 4, perSecond, context.NowNs))
        {
            return "too many";
        }

        int bytes = segment.TryGetFields(out TcpFields fields) && fields.MaxSegmentSize is { } most ? most : key.Family == 4 ? FirstQuietV4 : FirstQuietV6;
        Span<byte> option = [TcpOptionKinds.MaxSegmentSize, 4, 0, 0];
        BinaryPrimitives.WriteUInt16BigEndian(option[2..], (ushort)Math.Clamp(MaxData(context, via, key.Family), 0, ushort.MaxValue));
        uint start = _cookies.Make(in key, segment.SequenceNumber, bytes, context.NowNs);
        TcpSegment.Originate(context, via, in key, start, segment.SequenceNumber + 1, TcpFlags.Syn | TcpFlags.Ack, NameStream.ReceivedBytes, option, default);
        return "greeted";
    }

    /// <summary>Gives a connection a place, if the segment proves that there is one and brings something.</summary>
    private NameStream? Open(WorkerContext context, in FlowKey key, L3Interface via, in TcpView segment)
    {
        if ((segment.Flags & TcpFlags.Rst) != 0)
        {
            return null;
        }

        bool isLast = (segment.Flags & TcpFlags.Fin) != 0;
        bool isSilent = segment.Payload.Length == 0 && !isLast;
        if ((segment.Flags & (TcpFlags.Ack | TcpFlags.Syn)) != TcpFlags.Ack || isSilent)
        {
            // Silent is the last of the three messages that begin a connection, and a late acknowledgement of one that has ended.
            return null;
        }

        int most = _cookies.Read(in key, segment.SequenceNumber - 1, segment.AcknowledgmentNumber - 1, context.NowNs);
        NameStream? place = most == 0 ? null : Place(context, in key);
        if (place is null)
        {
            TcpSegment.Originate(context, via, in key, segment.AcknowledgmentNumber, 0, TcpFlags.Rst, 0, default, default);
            return null;
        }

        place.Begin(in key, via.Port, via.Vlan, ++_serial, Math.Min(most, MaxData(context, via, key.Family)), segment.SequenceNumber, segment.AcknowledgmentNumber);
        _used++;
        _opened++;
        return place;
    }

    /// <summary>A free place, if need be that of the connection of whoever has too many, or that has been idle longest, or has been slow longest.</summary>
    private NameStream? Place(WorkerContext context, in FlowKey key)
    {
        if (_streams.Length == 0)
        {
            _streams = new NameStream[Places];
            for (int i = 0; i < Places; i++)
            {
                _streams[i] = new NameStream();
            }
        }

        NameStream? free = null, idle = null, own = null, slow = null;
        int ofSource = 0;
        foreach (NameStream stream in _streams)
        {
            if (!stream.IsUsed)
            {
                free ??= stream;
                continue;
            }

            bool isIdle = !stream.HasOutput && !stream.IsWaiting;
            idle = isIdle && (idle is null || stream.TimerNs < idle.TimerNs) ? stream : idle;
            bool isSlow = !isIdle && context.NowNs - stream.BusySinceNs > SlowNs;
            slow = isSlow && (slow is null || stream.BusySinceNs < slow.BusySinceNs) ? stream : slow;
            if (stream.Key.SourceHigh == key.SourceHigh && (key.Family == 6 || stream.Key.SourceLow == key.SourceLow))
            {
                ofSource++;
                own = isIdle && (own is null || stream.TimerNs < own.TimerNs) ? stream : own;
            }
        }

        NameStream? place = ofSource >= PerSource ? own : free ?? idle ?? slow;
        if (place is { IsUsed: true })
        {
            if (ViaOf(context, place) is { } via)
            {
                Reset(context, place, via);
            }
            else
            {
                Free(place);
            }
        }

        return place;
    }

    /// <summary>Whether a segment of a known connection is to be gone on with (RFC 9293 3.10.7.4, RFC 5961).</summary>
    private bool IsAccepted(WorkerContext context, NameStream stream, L3Interface via, in TcpView segment)
    {
        TcpFlags flags = segment.Flags;
        if ((flags & TcpFlags.Rst) != 0)
        {
            if (segment.SequenceNumber == stream.ReceiveNext)
            {
                Free(stream);
            }

            return false;
        }

        if ((flags & TcpFlags.Syn) != 0 || (flags & TcpFlags.Ack) == 0 || !stream.Acknowledge(segment.AcknowledgmentNumber))
        {
            // Whoever is the client will reset it if he knows nothing of it.
            Send(context, stream, via, stream.SendNext, TcpFlags.Ack, default);
            return false;
        }

        if (stream.IsDone)
        {
            Free(stream);
            return false;
        }

        return true;
    }

    /// <summary>Answers as many queries as can be answered now, and sends what may be sent.</summary>
    private void Advance(WorkerContext context, NameStream stream, L3Interface via, NameServer server, bool wantsAnswer)
    {
        while (!stream.HasOutput && !stream.IsWaiting)
        {
            ReadOnlySpan<byte> query = stream.Query(out bool isGood);
            if (!isGood || (query.Length > 0 && !Answer(context, stream, via, server, query)))
            {
                Reset(context, stream, via);
                return;
            }

            if (query.Length == 0)
            {
                break;
            }

            stream.Drop(query.Length);
        }

        if (stream.HasPeerEnded && !stream.IsEnding && !stream.IsWaiting && (stream.ResponseBytes == 0 || stream.Query(out _).Length == 0))
        {
            stream.End();
        }

        Push(context, stream, via, wantsAnswer);
    }

    /// <returns>False when the client is not worth going on with.</returns>
    private static bool Answer(WorkerContext context, NameStream stream, L3Interface via, NameServer server, ReadOnlySpan<byte> query)
    {
        FlowKey key = stream.Key;
        int perSecond = server.Spec.QueriesPerSecond;
        if (perSecond > 0 && !context.Names.Limit.TryTake(key.SourceHigh, key.SourceLow, key.Family == 4, perSecond, context.NowNs))
        {
            return false;
        }

        stream.BusySinceNs = context.NowNs;
        NameResponse response = NameResponder.Respond(server.Table, query, stream.ResponseBuffer, stream.ResponseBuffer.Length, isUdp: false, context.Names.Scratch);
        if (response.Kind == NameResponseKind.Forward)
        {
            if (context.Names.Forwards is { } forwards && forwards.TryAsk(in key, via, query, stream.Serial))
            {
                context.Names.Forwarded++;
                stream.IsWaiting = true;
                return true;
            }

            context.Names.ForwardsRefused++;
            response = NameErrors.Respond(query, stream.ResponseBuffer, DnsWire.ServFail);
        }

        if (response.Kind == NameResponseKind.None)
        {
            return false;
        }

        context.Names.Count(in response);
        stream.Respond(response.Bytes);
        return true;
    }

    /// <summary>Sends what client and network have room for, or an acknowledgement alone if one is wanted.</summary>
    private static void Push(WorkerContext context, NameStream stream, L3Interface via, bool wantsAnswer)
    {
        uint before = stream.InFlight, room = Math.Min(stream.CongestionWindow, stream.PeerWindow);

        // One byte finds out whether a window that was closed has opened.
        room = room == 0 && stream.Tries > 0 ? 1 : room;
        int end = stream.ResponseBytes;
        while (stream.InFlight < end && stream.InFlight < room)
        {
            int from = (int)stream.InFlight, bytes = Math.Min(Math.Min(stream.SegmentBytes, end - from), (int)room - from);
            bool isEnd = from + bytes == end;
            TcpFlags flags = TcpFlags.Ack | (isEnd ? TcpFlags.Psh : TcpFlags.None) | (isEnd && stream.IsEnding ? TcpFlags.Fin : TcpFlags.None);
            if (!Send(context, stream, via, stream.SendNext, flags, stream.Response.Slice(from, bytes)))
            {
                break;
            }

            stream.Sent((uint)bytes + (isEnd && stream.IsEnding ? 1u : 0));
            wantsAnswer = false;
        }

        if (stream.IsEnding && stream.InFlight == end && Send(context, stream, via, stream.SendNext, TcpFlags.Fin | TcpFlags.Ack, default))
        {
            stream.Sent(1);
            wantsAnswer = false;
        }

        if (wantsAnswer)
        {
            Send(context, stream, via, stream.SendNext, TcpFlags.Ack, default);
        }

        if (stream.TimerNs > context.NowNs && stream.InFlight == before)
        {
            return;
        }

        stream.TimerNs = context.NowNs + (stream.HasOutput ? RepeatNs << stream.Tries : stream.IsWaiting ? UpstreamNs : IdleNs);
    }

    private void Reset(WorkerContext context, NameStream stream, L3Interface via)
    {
        Send(context, stream, via, stream.SendNext, TcpFlags.Rst | TcpFlags.Ack, default);
        _reset++;
        Free(stream);
    }

    private void Free(NameStream stream)
    {
        stream.Free();
        _used--;
    }

    private static bool Send(WorkerContext context, NameStream stream, L3Interface via, uint sequence, TcpFlags flags, ReadOnlySpan<byte> data) =>
        TcpSegment.Originate(context, via, stream.Key, sequence, stream.ReceiveNext, flags, stream.Window, default, data);

    /// <summary>The most data that one packet carries by an interface.</summary>
    private static int MaxData(WorkerContext context, L3Interface via, byte family)
    {
        int ip = family == 4 ? 20 : 40;
        return Math.Max(Math.Min(via.Mtu, context.Originated.MaxFrameBytes - via.LinkHeaderBytes) - ip - TcpView.MinHeaderLengthBytes, 64);
    }
}
