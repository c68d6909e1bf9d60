using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Reassembly;

/// <summary>Datagrams of which fragments are on their way, and the fragments that came before the first of theirs. Used by one thread.</summary>
/// <remarks>
/// Nothing is put together: fragments go on one by one, as soon as the first of their datagram has told the ports ("virtual reassembly"). Memory is fixed: 1,024
/// datagrams of up to 64 fragments, 256 held. The place of a datagram is chosen by its source alone (IPv6: the network of 64 bits), among 16: a
/// source can only displace datagrams of those that share its places. When they are full, the oldest datagram there gives way: what is still missing
/// of it after others have come and gone most likely never comes. Which places a source has depends on the process' key.
/// </remarks>
internal sealed class FragmentTable
{
    /// <summary>Fragments of a datagram; 65,535 bytes in packets of 1,280 are 54.</summary>
    public const int MaxPieces = 64;

    /// <summary>Fragments held in all, and of one datagram: a sender that begins with the last fragment of 65,535 bytes has 44 before the first.</summary>
    public const int MaxHeld = 256, MaxHeldOfOne = 48;

    /// <summary>How long a datagram is waited for. Hosts wait for a minute (RFC 8200 4.5); here numbers must not come round (RFC 4963), and nothing is lost by giving up
    /// what has gone on already.</summary>
    public const long TimeoutNs = 5_000_000_000;

    /// <summary>Datagrams that share places.</summary>
    public const int Ways = 16;

    private const int Sets = 64;

    private readonly MappedArray<Datagram> _datagrams = new(Sets * Ways);
    private readonly MappedArray<uint> _pieces = new(Sets * Ways * MaxPieces);
    private readonly WorkerCounters _counters;

    /// <summary>Makes an empty table.</summary>
    /// <param name="maxPacketBytes">Longest packet that is held.</param>
    /// <param name="counters">Where held packets that are given up are counted.</param>
    public FragmentTable(int maxPacketBytes, WorkerCounters counters)
    {
        Held = new HeldPackets(MaxHeld, maxPacketBytes);
        _counters = counters;
    }

    /// <summary>Fragments that wait for the first of theirs.</summary>
    public HeldPackets Held { get; }

    /// <summary>Whose it is; null for tables of nobody.</summary>
    public WorkerContext? Owner { get; init; }

    /// <summary>Datagrams on their way.</summary>
    public int Count { get; private set; }

    /// <summary>A datagram by the number <see cref="Find"/> or <see cref="FindOrAdd"/> has returned.</summary>
    public ref Datagram this[int number] => ref _datagrams[number];

    /// <summary>The number of a fragment's datagram, or -1.</summary>
    public int Find(in FlowKey key, in FragmentFacts facts, Flows.FlowHash hash)
    {
        int start = StartOf(in key, hash);
        for (int number = start; number < start + Ways; number++)
        {
            ref readonly Datagram datagram = ref _datagrams[number];
            if (datagram.Identity == facts.Identity && datagram.SourceLow == key.SourceLow && datagram.DestinationLow == key.DestinationLow
                && datagram.SourceHigh == key.SourceHigh && datagram.DestinationHigh == key.DestinationHigh)
            {
                return number;
            }
        }

        return -1;
    }

    /// <summary>The number of a fragment's datagram, a new one if there is none.</summary>
    public int FindOrAdd(in FlowKey key, in FragmentFacts facts, Flows.FlowHash hash, long nowNs)
    {
        int number = Find(in key, in facts, hash);
        if (number >= 0 && _datagrams[number].DeadlineNs > nowNs)
        {
            return number;
        }

        if (number >= 0)
        {
            // Its time is over, and the number is used again.
            Forget(number, DropReason.FragmentTimeout);
        }

        int start = StartOf(in key, hash);
        number = start;
        for (int other = start; other < start + Ways; other++)
        {
            // A free place has deadline 0.
            number = _datagrams[other].DeadlineNs < _datagrams[number].DeadlineNs ? other : number;
        }

        if (_datagrams[number].Identity != 0)
        {
            Forget(number, _datagrams[number].DeadlineNs <= nowNs ? DropReason.FragmentTimeout : DropReason.FragmentStoreFull);
        }

        _datagrams[number] = new Datagram
        {
            SourceHigh = key.SourceHigh,
            SourceLow = key.SourceLow,
            DestinationHigh = key.DestinationHigh,
            DestinationLow = key.DestinationLow,
            Identity = facts.Identity,
            DeadlineNs = nowNs + TimeoutNs,
            Bytes = -1,
            HeldFirst = -1,
            HeldLast = -1,
        };
        Count++;
        return number;
    }

    /// <summary>Notes a fragment.</summary>
    /// <returns>None, or why it is to be dropped; then, unless it is a mere repetition, with all others of its datagram.</returns>
    public DropReason Note(int number, in FragmentFacts facts)
    {
        ref Datagram datagram = ref _datagrams[number];
        if (datagram.IsBroken)
        {
            return DropReason.FragmentOverlap;
        }

        Span<uint> pieces = _pieces.Slice(number * MaxPieces, MaxPieces);
        uint first = (uint)facts.Offset, end = first + (uint)facts.Length;
        foreach (uint piece in pieces[..datagram.Pieces])
        {
            uint pieceFirst = piece >> 16, pieceEnd = piece & 0xFFFF;
            if (pieceFirst == first && pieceEnd == end)
            {
                // The network may deliver twice; once is enough (RFC 8200 4.5).
                return DropReason.FragmentOverlap;
            }

            if (first < pieceEnd && pieceFirst < end)
            {
                return Break(ref datagram, DropReason.FragmentOverlap);
            }

            if (!facts.HasMore && pieceEnd > end)
            {
                return Break(ref datagram, DropReason.BadFragment);
            }
        }

        if ((datagram.Bytes >= 0 && (!facts.HasMore || end > datagram.Bytes)) || datagram.Pieces == MaxPieces)
        {
            return Break(ref datagram, datagram.Pieces == MaxPieces ? DropReason.FragmentStoreFull : DropReason.BadFragment);
        }

        pieces[datagram.Pieces++] = (first << 16) | end;
        datagram.SeenBytes += facts.Length;
        datagram.Bytes = facts.HasMore ? datagram.Bytes : (int)end;
        return DropReason.None;
    }

    /// <summary>Gives a datagram up that can not be kept to the rules: what waits of it goes, and what comes will.</summary>
    public DropReason Break(ref Datagram datagram, DropReason reason)
    {
        datagram.IsBroken = true;
        DropHeld(ref datagram, reason);
        return reason;
    }

    /// <summary>Forgets a datagram that has passed, or is given up.</summary>
    public void Forget(int number, DropReason reason)
    {
        DropHeld(ref _datagrams[number], reason);
        _datagrams[number] = default;
        Count--;
    }

    /// <summary>Forgets datagrams whose time is over. Now and then, between two batches.</summary>
    public void Expire(long nowNs)
    {
        for (int number = 0; Count > 0 && number < Sets * Ways; number++)
        {
            if (_datagrams[number].Identity != 0 && _datagrams[number].DeadlineNs <= nowNs)
            {
                Forget(number, DropReason.FragmentTimeout);
            }
        }
    }

    /// <summary>Forgets everything. Once forwarding has ended.</summary>
    public void Clear()
    {
        for (int number = 0; number < Sets * Ways; number++)
        {
            if (_datagrams[number].Identity != 0)
            {
                Forget(number, DropReason.Stopped);
            }
        }
    }

    /// <summary>Takes over what another table knows of a datagram, but not what it holds: for explanations.</summary>
    public void CopyFrom(FragmentTable other, in FlowKey key, in FragmentFacts facts, Flows.FlowHash hash, long nowNs)
    {
        int theirs = other.Find(in key, in facts, hash);
        if (theirs >= 0)
        {
            int mine = FindOrAdd(in key, in facts, hash, nowNs);
            _datagrams[mine] = other._datagrams[theirs];
            (_datagrams[mine].HeldFirst, _datagrams[mine].HeldLast, _datagrams[mine].HeldCount) = (-1, -1, 0);
            other._pieces.Slice(theirs * MaxPieces, MaxPieces).CopyTo(_pieces.Slice(mine * MaxPieces, MaxPieces));
        }
    }

    private void DropHeld(ref Datagram datagram, DropReason reason)
    {
        while (Held.TryDiscard(ref datagram.HeldFirst, ref datagram.HeldLast, out Span<byte> frame, out ushort port, out PacketMarks marks))
        {
            _counters.CountHeldDropped(reason);
            if (Owner is { Tap: { } tap } owner)
            {
                tap.GiveUp(owner, frame, port, marks, reason);
            }
        }

        datagram.HeldCount = 0;
    }

    private static int StartOf(in FlowKey key, Flows.FlowHash hash) =>
        (int)(hash.OfEndpoint(key.SourceHigh, key.Family == 6 ? 0 : key.SourceLow, 0, IpProtocols.Fragment) & (Sets - 1)) * Ways;
}
