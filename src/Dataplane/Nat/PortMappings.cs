using System.Numerics;
using Dataplane.Balancing;
using Dataplane.Flows;
using Dataplane.Native;
using Dataplane.Packets;

namespace Dataplane.Nat;

/// <summary>The mapped ports of one worker, found from inside and from outside. Fixed memory; used by one thread.</summary>
/// <remarks>
/// A mapping lives as long as a flow uses it, so it has no timer of its own and there are never more mappings than flows. What a flow says about when the inside was
/// last heard stays with the mapping, and a flow that the outside begins starts with that age and not with none: else anybody could keep a mapping alive by sending to it
/// (RFC 4787 REQ-6).
/// </remarks>
internal sealed class PortMappings
{
    private readonly FlowHash _hash;
    private readonly FlowBuckets _byInside, _byOutside;
    private readonly MappedArray<PortMapping> _entries;
    private readonly Stack<int> _free;
    private readonly SentToTable _sentTo;

    /// <summary>Makes an empty table.</summary>
    /// <param name="hash">The hash of flows.</param>
    /// <param name="capacity">Mappings at most: as many as there can be flows.</param>
    public PortMappings(FlowHash hash, int capacity)
    {
        _hash = hash;
        (_byInside, _byOutside) = (new FlowBuckets(BucketsFor(capacity)), new FlowBuckets(BucketsFor(capacity)));
        _entries = new MappedArray<PortMapping>(capacity);
        _free = AllFree(capacity);
        _sentTo = new SentToTable(hash, capacity);
    }

    /// <summary>Bytes of all of it, from the start.</summary>
    public long MemoryBytes => _byInside.MemoryBytes + _byOutside.MemoryBytes + _entries.LengthBytes + ((long)_entries.Length * sizeof(int)) + _sentTo.MemoryBytes;

    /// <summary>Mappings in use.</summary>
    public int Count => _entries.Length - _free.Count;

    /// <summary>Counters by slot, of which the table keeps the number of mappings.</summary>
    public BackendCounter[] CountersBySlot { get; set; } = [];

    /// <summary>A mapping in use.</summary>
    public ref PortMapping this[int index] => ref _entries[index];

    /// <summary>The mapping of an inside address and port.</summary>
    /// <returns>Its number, or -1.</returns>
    public int FindInside(IpAddress inside, ushort port, byte protocol, int slot, uint generation)
    {
        protocol = OneForEcho(protocol);
        uint hash = _hash.OfEndpoint(inside.High, inside.Low, port, protocol);
        int index = _byInside.Next(hash, FlowBuckets.None);
        while (index >= 0 && !IsInside(in _entries[index], inside, port, protocol, slot, generation))
        {
            index = _byInside.Next(hash, index);
        }

        return index;
    }

    /// <summary>The mapping of an outside address and port.</summary>
    /// <returns>Its number, or -1.</returns>
    public int FindOutside(IpAddress outside, ushort port, byte protocol)
    {
        protocol = OneForEcho(protocol);
        uint hash = _hash.OfEndpoint(outside.High, outside.Low, port, protocol);
        int index = _byOutside.Next(hash, FlowBuckets.None);
        while (index >= 0 && !IsOutside(in _entries[index], outside, port, protocol))
        {
            index = _byOutside.Next(hash, index);
        }

        return index;
    }

    /// <summary>Adds a mapping, neither end of which may have one; no flow uses it yet.</summary>
    /// <returns>Its number, or -1 when there is no room.</returns>
    public int Add(IpAddress inside, ushort insidePort, IpAddress outside, ushort outsidePort, byte protocol, int slot, uint generation)
    {
        protocol = OneForEcho(protocol);
        var mapping = new PortMapping
        {
            InsideHigh = inside.High,
            InsideLow = inside.Low,
            OutsideHigh = outside.High,
            OutsideLow = outside.Low,
            InsideHash = _hash.OfEndpoint(inside.High, inside.Low, insidePort, protocol),
            OutsideHash = _hash.OfEndpoint(outside.High, outside.Low, outsidePort, protocol),
            Slot = slot,
            Generation = generation,
            InsidePort = insidePort,
            OutsidePort = outsidePort,
            Protocol = protocol,
            InsideFamily = (byte)inside.Family,
            OutsideFamily = (byte)outside.Family,
        };
        if (!_free.TryPeek(out int index) || !_byInside.Add(mapping.InsideHash, index))
        {
            return -1;
        }

        if (!_byOutside.Add(mapping.OutsideHash, index))
        {
            _byInside.Remove(mapping.InsideHash, index);
            return -1;
        }

        _free.Pop();
        _entries[index] = mapping;
        Book(slot, 1);
        return index;
    }

    /// <summary>Has one more flow use a mapping, so that it stays whatever is given up to make room for that flow.</summary>
    public void Hold(int index) => _entries[index].Flows++;

    /// <summary>Takes a flow back; with the last the mapping ends.</summary>
    public void LetGo(int index)
    {
        ref PortMapping mapping = ref _entries[index];
        if (--mapping.Flows > 0)
        {
            return;
        }

        _byInside.Remove(mapping.InsideHash, index);
        _byOutside.Remove(mapping.OutsideHash, index);
        Book(mapping.Slot, -1);
        _free.Push(index);
    }

    /// <summary>Whether the inside has sent to an address from a mapped port.</summary>
    public bool HasSentTo(int index, IpAddress remote) => _sentTo.Has(index, remote);

    /// <summary>Notes that a flow's inside has sent to its remote end: the first time only.</summary>
    /// <param name="inward">The flow's entry for what comes from outside.</param>
    public void NoteSent(in FlowEntry inward) => NoteSentTo(Of(in inward), inward.Key.Source);

    /// <summary>Notes that the inside has sent to an address.</summary>
    public void NoteSentTo(int index, IpAddress remote) => _sentTo.Add(index, remote);

    /// <summary>Notes when the inside was heard last.</summary>
    /// <param name="inward">The flow's entry for what comes from outside.</param>
    /// <param name="ticks">When, by the flow.</param>
    public void Refresh(in FlowEntry inward, uint ticks) => Refresh(Of(in inward), ticks);

    /// <summary>A flow has ended.</summary>
    /// <param name="inward">The flow's entry for what comes from outside.</param>
    /// <param name="lastSent">When its inside was heard last.</param>
    public void End(in FlowEntry inward, uint lastSent)
    {
        int index = Of(in inward);
        Refresh(index, lastSent);
        if (HasSent(in inward))
        {
            _sentTo.Remove(index, inward.Key.Source);
        }

        LetGo(index);
    }

    /// <summary>Whether a flow's inside has sent anything: it has begun it, or answered.</summary>
    public static bool HasSent(in FlowEntry entry) => (entry.Marks & (FlowMarks.FromOutside | FlowMarks.Answered)) != FlowMarks.FromOutside;

    /// <summary>Buckets for a number of entries: at most 85 % of the places are used, as in the flow table.</summary>
    public static int BucketsFor(int capacity) => (int)BitOperations.RoundUpToPowerOf2((uint)((long)capacity * 100 / 85 / FlowBuckets.Ways) + 2);

    /// <summary>The numbers of all entries, the first on top.</summary>
    public static Stack<int> AllFree(int capacity) => new(Enumerable.Range(0, capacity).Reverse());

    /// <summary>The mapping of a flow, which every mapped flow has.</summary>
    private int Of(in FlowEntry inward) => FindOutside(inward.Key.Destination, inward.Key.DestinationPort, inward.Key.Protocol);

    private void Refresh(int index, uint ticks)
    {
        ref uint last = ref _entries[index].LastSent;
        last = (int)(ticks - last) > 0 ? ticks : last;
    }

    private void Book(int slot, int change)
    {
        if ((uint)slot < (uint)CountersBySlot.Length)
        {
            ref long mappings = ref CountersBySlot[slot].Counts.Mappings;
            Volatile.Write(ref mappings, mappings + change);
        }
    }

    private static bool IsInside(in PortMapping mapping, IpAddress inside, ushort port, byte protocol, int slot, uint generation) =>
        mapping.InsideLow == inside.Low && mapping.InsideHigh == inside.High && mapping.InsidePort == port && mapping.Protocol == protocol
        && mapping.Slot == slot && mapping.Generation == generation && mapping.InsideFamily == (byte)inside.Family;

    private static bool IsOutside(in PortMapping mapping, IpAddress outside, ushort port, byte protocol) =>
        mapping.OutsideLow == outside.Low && mapping.OutsideHigh == outside.High && mapping.OutsidePort == port && mapping.Protocol == protocol
        && mapping.OutsideFamily == (byte)outside.Family;

    private static byte OneForEcho(byte protocol) => protocol == IpProtocols.Icmpv6 ? IpProtocols.Icmp : protocol;
}
