using System.Buffers.Binary;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Routing;
using Dataplane.Telemetry;

namespace Dataplane.Reassembly;

/// <summary>Gives later fragments the ports of the first, so that they go its way: the same rule, the same flow, the same translation.</summary>
/// <remarks>
/// Input: parsed packets. Output: later fragments with the first one's ports in their key; those that come before it held. Drops: what overlaps or repeats
/// (RFC 5722), what contradicts, what finds no room, what has waited in vain. State: <see cref="FragmentTable"/>. Cost: nothing for a batch without fragments,
/// or where nobody needs ports; else for each fragment two lines of its datagram and those of its pieces, up to four. Atomic fragments (RFC 6946)
/// are whole packets and never come here.
/// </remarks>
internal static class FragmentStage
{
    public static void Process<TTracing>(WorkerContext context, PacketBatch batch)
        where TTracing : struct, ITracing
    {
        bool needsPorts = context.Tables.NeedsPorts;
        if (!batch.HasFragments || !(needsPorts || context.Tables.MayChangeFamily))
        {
            return;
        }

        for (int i = 0; i < batch.Count; i++)
        {
            if (batch.Verdicts[i] == Verdict.Continue && batch.Parsed[i].Headers.Fragment != FragmentKind.None
                && (batch.Marks[i] & PacketMarks.Followed) == 0 && (needsPorts || WholeDatagrams.MayBe(context, batch, i)) && IsForUs(context, batch, i))
            {
                Look<TTracing>(context, batch, i);
            }
        }
    }

    /// <summary>Gives packets that were held the ports they had got before, which the parser does not find.</summary>
    public static void Restore(PacketBatch batch)
    {
        for (int i = 0; batch.HasFragments && i < batch.Count; i++)
        {
            if ((batch.Marks[i] & PacketMarks.Followed) != 0)
            {
                Apply(batch, i);
            }
        }
    }

    /// <summary>The headers of a packet as rules are to see them: a later fragment as its first.</summary>
    public static PacketHeaders ForRules(PacketBatch batch, int i)
    {
        PacketHeaders headers = batch.Parsed[i].Headers;
        if ((batch.Marks[i] & PacketMarks.Followed) != 0)
        {
            (headers.Fragment, headers.TransportOffset) = (FragmentKind.First, headers.NetworkOffset);
        }

        return headers;
    }

    private static void Look<TTracing>(WorkerContext context, PacketBatch batch, int i)
        where TTracing : struct, ITracing
    {
        var facts = FragmentFacts.Read(batch.Frame(i), in batch.Parsed[i].Headers);
        FragmentTable table = context.Fragments;

        // Only the last may end anywhere (RFC 791 3.2, RFC 8200 4.5).
        if (facts.Length <= 0 || (facts.HasMore && (facts.Length & 7) != 0))
        {
            batch.Drop(i, DropReason.BadFragment);
        }
        else
        {
            int number = table.FindOrAdd(in batch.Parsed[i].Key, in facts, context.Hash, context.NowNs);
            DropReason reason = table.Note(number, in facts);
            if (reason != DropReason.None)
            {
                batch.Drop(i, reason);
            }
            else
            {
                Follow(context, batch, i, number, in facts);
            }
        }

        if (TTracing.IsOn)
        {
            Explain(context, batch, i, in facts);
        }
    }

    private static void Follow(WorkerContext context, PacketBatch batch, int i, int number, in FragmentFacts facts)
    {
        FragmentTable table = context.Fragments;
        ref Datagram datagram = ref table[number];
        WholeDatagrams.Add(context, batch, i, ref datagram, in facts);
        if (batch.Parsed[i].Headers.Fragment == FragmentKind.First)
        {
            Lead(context, batch, i, ref datagram, in facts);
        }
        else if (!datagram.HasFirst)
        {
            Hold(context, batch, i, ref datagram, new FollowedPacket { End = (uint)(facts.Offset + facts.Length) });
        }
        else
        {
            batch.Followed[i] = datagram.First;
            batch.Followed[i].End += (uint)(facts.Offset + facts.Length);
            batch.Marks[i] |= PacketMarks.Followed;
            if (datagram.MustBeWhole)
            {
                Hold(context, batch, i, ref datagram, batch.Followed[i]);
            }
            else
            {
                Apply(batch, i);
            }
        }

        if (datagram.IsComplete && !datagram.IsBroken)
        {
            if (datagram.MustBeWhole)
            {
                WholeDatagrams.Finish(table, ref datagram);
                table.Held.Release(ref datagram.HeldFirst, ref datagram.HeldLast);
            }

            table.Forget(number, DropReason.None);
        }
    }

    /// <summary>A first fragment: those that have waited for it go on, unless all must be there before any does.</summary>
    private static void Lead(WorkerContext context, PacketBatch batch, int i, ref Datagram datagram, in FragmentFacts facts)
    {
        HeldPackets held = context.Fragments.Held;
        datagram.First = ReadFirst(batch, i, in facts);
        datagram.HasFirst = true;
        held.Follow(datagram.HeldFirst, in datagram.First);
        datagram.MustBeWhole = WholeDatagrams.MustWait(context, batch, i);
        if (!datagram.MustBeWhole)
        {
            held.Release(ref datagram.HeldFirst, ref datagram.HeldLast);
            datagram.HeldCount = 0;
            return;
        }

        int transport = batch.Parsed[i].Headers.TransportOffset;
        (datagram.TransportAt, datagram.FrameAt) = ((ushort)(transport - facts.At), (ushort)transport);
        (int first, int last) = (datagram.HeldFirst, datagram.HeldLast);
        (datagram.HeldFirst, datagram.HeldLast) = (-1, -1);
        Hold(context, batch, i, ref datagram, datagram.First);
        if (datagram.IsBroken)
        {
            // Nothing of it is kept: what has waited goes the same way.
            (datagram.HeldFirst, datagram.HeldLast) = (first, last);
            context.Fragments.Break(ref datagram, DropReason.FragmentStoreFull);
            return;
        }

        held.PutBehind(ref datagram.HeldFirst, ref datagram.HeldLast, first, last);
    }

    private static void Hold(WorkerContext context, PacketBatch batch, int i, ref Datagram datagram, in FollowedPacket followed)
    {
        PacketOffload offload = batch.Offloads[i];
        offload.TransportAt -= batch.Offsets[i];
        if (datagram.HeldCount == FragmentTable.MaxHeldOfOne || !context.Fragments.Held.TryHold(ref datagram.HeldFirst, ref datagram.HeldLast, batch.Frame(i),
            batch.Port.Value, batch.Marks[i] & ~PacketMarks.Released, in offload, in followed))
        {
            // It can not be whole any more: the room of the others is better used.
            batch.Drop(i, context.Fragments.Break(ref datagram, DropReason.FragmentStoreFull));
            return;
        }

        datagram.HeldCount++;
        batch.Hold(i, HoldReason.FirstFragment);
    }

    private static FollowedPacket ReadFirst(PacketBatch batch, int i, in FragmentFacts facts)
    {
        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        var first = new FollowedPacket { Ports = (uint)(batch.Parsed[i].Key.Transport >> 32), Protocol = headers.Protocol, Flags = headers.TcpFlags };
        if (headers.TransportOffset == 0)
        {
            return first;
        }

        ReadOnlySpan<byte> transport = batch.Frame(i)[headers.TransportOffset..headers.EndOffset];
        if (headers.Protocol == IpProtocols.Tcp)
        {
            // The number that byte 0 of the datagram would have.
            int data = (transport[12] >> 4) << 2;
            first.End = BinaryPrimitives.ReadUInt32BigEndian(transport[4..]) - (uint)(headers.TransportOffset - facts.At + data);
        }
        else if (headers.Protocol is IpProtocols.Icmp or IpProtocols.Icmpv6)
        {
            first.Flags = transport[0];
        }

        return first;
    }

    /// <summary>Gives a later fragment the ports of its first, as its key has them.</summary>
    public static void Apply(PacketBatch batch, int i)
    {
        ref readonly FollowedPacket followed = ref batch.Followed[i];
        ref ParsedFrame parsed = ref batch.Parsed[i];
        parsed.Headers.Protocol = followed.Protocol;
        parsed.Headers.TcpFlags = followed.Protocol == IpProtocols.Tcp ? followed.Flags : (byte)0;
        parsed.Key.Transport = ((ulong)followed.Ports << 32) | ((ulong)followed.Protocol << 8) | parsed.Key.Family;
    }

    /// <summary>What others on the link say to each other is no reason to keep anything; what endpoints of a network do, all passes here.</summary>
    private static bool IsForUs(WorkerContext context, PacketBatch batch, int i)
    {
        if (context.Tables.Bridges.OfPort(batch.Port.Value) is not null)
        {
            return true;
        }

        int index = context.Tables.InterfaceMap.Find(batch.Port.Value, batch.Parsed[i].Headers.VlanId);
        return index >= 0 && BinaryPrimitives.ReadUInt64BigEndian(batch.Memory[batch.Offsets[i]..]) >> 16 == context.Tables.Interfaces[index].Mac.Bits;
    }

    private static void Explain(WorkerContext context, PacketBatch batch, int i, in FragmentFacts facts)
    {
        Verdict verdict = batch.Verdicts[i];
        string outcome = verdict == Verdict.Drop ? batch.Reasons[i].ToName() : verdict == Verdict.Hold ? "held"
            : batch.Parsed[i].Headers.Fragment == FragmentKind.First ? "first" : "followed";
        string detail = outcome switch
        {
            "held" => batch.Parsed[i].Headers.Fragment == FragmentKind.First || (batch.Marks[i] & PacketMarks.Followed) != 0
                ? "its datagram gets a checksum as one of the other family once all of it is here"
                : "the first fragment of its datagram has not come; it waits for the ports",
            "first" => "the others of its datagram follow it",
            "followed" => $"as the first of its datagram: {batch.Parsed[i].Key}",
            _ => "it overlaps, repeats or contradicts another fragment, or there is no room",
        };
        context.Trace!.Add(batch, "fragment", outcome, detail, ("offset", facts.Offset), ("length", facts.Length), ("more", facts.HasMore));
    }
}
