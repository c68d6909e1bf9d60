using System.Runtime.InteropServices;
using Dataplane.Native;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Reassembly;
using Dataplane.Tracking;

namespace Dataplane.Packets;

/// <summary>Up to 256 frames of one port as a structure of arrays; what stages loop over.</summary>
/// <remarks>
/// Made once per worker and used again for every batch, so nothing is allocated per packet. Arrays and lanes are indexed by the
/// packet's number in the batch, 0 to <see cref="Count"/> - 1. Frames lie in <see cref="Memory"/>, which belongs to the port
/// that received them and is theirs only until the batch ends. Used by one thread at a time.
/// </remarks>
public sealed class PacketBatch
{
    /// <summary>The largest number of packets in a batch.</summary>
    public const int Capacity = 256;

    internal PacketLane<int> Offsets;
    internal PacketLane<int> Lengths;
    internal PacketLane<Verdict> Verdicts;
    internal PacketLane<ushort> OutPorts;
    internal PacketLane<int> Flows;
    internal readonly MappedArray<ParsedFrame> Parsed = new(Capacity);
    internal readonly DropReason[] Reasons = new DropReason[Capacity];
    internal readonly HoldReason[] Holds = new HoldReason[Capacity];
    internal readonly PacketMarks[] Marks = new PacketMarks[Capacity];
    internal readonly short[] InInterfaces = new short[Capacity];
    internal readonly int[] FilterRules = new int[Capacity];
    internal readonly ConnectionStates[] States = new ConnectionStates[Capacity];
    internal readonly StateReason[] StateReasons = new StateReason[Capacity];
    internal readonly FollowedPacket[] Followed = new FollowedPacket[Capacity];
    internal readonly int[] Routes = new int[Capacity];
    internal readonly int[] NextHops = new int[Capacity];
    internal readonly int[] Neighbours = new int[Capacity];
    internal readonly PacketOffload[] Offloads = new PacketOffload[Capacity];

    private Memory<byte> _memory;
    private bool _sealed;

    /// <summary>The number of packets.</summary>
    public int Count { get; private set; }

    /// <summary>The port that received the packets.</summary>
    public PortId Port { get; private set; }

    /// <summary>The worker's time when the batch was received, in nanoseconds; the only clock a stage should use.</summary>
    public long NowNs { get; private set; }

    /// <summary>The memory all frames of the batch lie in. Get the span once per loop, not once per packet.</summary>
    public Span<byte> Memory => _memory.Span;

    /// <summary>Whether any packet is still <see cref="Verdict.Continue"/>.</summary>
    internal bool HasUndecided => MemoryMarshal.AsBytes(Verdicts[..Count]).Contains((byte)Verdict.Continue);

    /// <summary>Whether any packet was added with something left to finish; <see cref="Offloads"/> means nothing for the others.</summary>
    internal bool HasOffloads { get; private set; }

    /// <summary>Whether any packet is a fragment. Valid behind the parser.</summary>
    internal bool HasFragments { get; set; }

    /// <summary>Empties the batch for frames of a port.</summary>
    public void Clear(PortId port, long nowNs)
    {
        Count = 0;
        Port = port;
        NowNs = nowNs;
        HasOffloads = false;
        HasFragments = false;
        _sealed = false;
    }

    /// <summary>Ends the filling: what a stage would add was never received and could not be accounted for.</summary>
    internal void Seal() => _sealed = true;

    /// <summary>Sets the memory that offsets count from. Called by the port before <see cref="Add"/>.</summary>
    public void SetMemory(Memory<byte> memory) => _memory = memory;

    /// <summary>Lays the frames of this batch into the memory of another, which keeps them: nobody may pass them on without a copy (<see cref="IsIn"/> is false).</summary>
    /// <returns>How much less the offsets are than those of the other batch.</returns>
    internal int Borrow(PacketBatch other)
    {
        _memory = other._memory[1..];
        return 1;
    }

    /// <summary>Whether the frames lie in this memory; a port that shares it may pass them on without a copy.</summary>
    internal bool IsIn(Memory<byte> memory) => _memory.Equals(memory);

    /// <summary>Appends a frame. Called by ports.</summary>
    /// <param name="offset">Of the first MAC byte from the start of <see cref="Memory"/>.</param>
    /// <param name="length">In bytes, without FCS.</param>
    /// <returns>False when the batch is full, or already on its way through the stages.</returns>
    public bool Add(int offset, int length)
    {
        int index = Count;
        if ((uint)index >= Capacity || _sealed)
        {
            return false;
        }

        Offsets[index] = offset;
        Lengths[index] = length;
        Verdicts[index] = Verdict.Continue;
        Marks[index] = PacketMarks.None;
        Count = index + 1;
        return true;
    }

    /// <summary>Says what is left to finish in a packet.</summary>
    internal void SetOffload(int packet, in PacketOffload offload)
    {
        Offloads[packet] = offload;
        Marks[packet] |= offload.Kind == 0 ? PacketMarks.Unfinished : PacketMarks.Unfinished | PacketMarks.SuperFrame;
        HasOffloads = true;
    }

    /// <summary>Whether a packet that is longer than the MTU is too long: a super-frame is measured by its segments.</summary>
    internal bool IsTooLong(int packet, int mtu) =>
        (Marks[packet] & PacketMarks.SuperFrame) == 0 || Offloads[packet].HeaderBytes + Offloads[packet].SegmentBytes > mtu;

    /// <summary>Direct access for ports that fill many frames at once: free slots of the offset array.</summary>
    internal Span<int> FreeOffsets => Offsets[Count..];

    /// <summary>Direct access for ports that fill many frames at once: free slots of the length array.</summary>
    internal Span<int> FreeLengths => Lengths[Count..];

    /// <summary>Counts frames written through <see cref="FreeOffsets"/> and <see cref="FreeLengths"/> as added.</summary>
    internal void AddFilled(int count)
    {
        Verdicts[Count..(Count + count)].Clear();
        Marks.AsSpan(Count, count).Clear();
        Count += count;
    }

    /// <summary>The bytes of a frame, writable.</summary>
    public Span<byte> Frame(int packet) => _memory.Span.Slice(Offsets[packet], Lengths[packet]);

    /// <summary>Where the headers of a packet are. Valid behind the parser.</summary>
    public ref readonly PacketHeaders HeadersOf(int packet) => ref Parsed[packet].Headers;

    /// <summary>The flow key of a packet. Valid behind the parser for IP packets.</summary>
    public ref readonly FlowKey KeyOf(int packet) => ref Parsed[packet].Key;

    /// <summary>The flow hash of a packet: computed once, the same everywhere in the engine.</summary>
    public uint HashOf(int packet) => Parsed[packet].Hash;

    /// <summary>What is decided about a packet.</summary>
    public Verdict VerdictOf(int packet) => Verdicts[packet];

    /// <summary>Why a packet is dropped; <see cref="DropReason.None"/> unless its verdict is <see cref="Verdict.Drop"/>.</summary>
    public DropReason ReasonOf(int packet) => Verdicts[packet] == Verdict.Drop ? Reasons[packet] : DropReason.None;

    /// <summary>Drops a packet.</summary>
    public void Drop(int packet, DropReason reason = DropReason.UserStage)
    {
        Verdicts[packet] = Verdict.Drop;
        Reasons[packet] = reason;
    }

    /// <summary>Holds a packet: it is with whoever has taken it from here on, and counts as held until that is over.</summary>
    internal void Hold(int packet, HoldReason reason)
    {
        Verdicts[packet] = Verdict.Hold;
        Holds[packet] = reason;
    }

    /// <summary>Sends a frame as it stands by a port, past routing and rewriting.</summary>
    public void Transmit(int packet, PortId port)
    {
        Verdicts[packet] = Verdict.Transmit;
        OutPorts[packet] = port.Value;
    }

    /// <summary>The port a packet leaves by; valid when its verdict is <see cref="Verdict.Transmit"/> or <see cref="Verdict.Forward"/>.</summary>
    public PortId OutPortOf(int packet) => new(OutPorts[packet]);
}
