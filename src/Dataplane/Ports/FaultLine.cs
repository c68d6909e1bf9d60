using System.Diagnostics;
using Dataplane.Packets;

namespace Dataplane.Ports;

/// <summary>One direction of a <see cref="FaultyPort"/>: frames go in, and come out as the dice decide.</summary>
/// <remarks>Frames are copied, so that a duplicate has memory of its own. All memory is taken at construction. The same seed and the same
/// frames in the same calls give the same result.</remarks>
internal sealed class FaultLine
{
    /// <summary>Free slots that a whole batch needs at worst, each frame doubled.</summary>
    internal const int SlotsOfBatch = 2 * PacketBatch.Capacity;

    private const int Slots = 1024;
    private const int MostLate = 64;

    private readonly FaultOptions _options;
    private readonly byte[] _slab;
    private readonly int _slotBytes;
    private readonly int[] _lengths = new int[Slots];
    private readonly int[] _origins = new int[Slots];
    private readonly int[] _free = new int[Slots];
    private readonly int[] _ready = new int[Slots];
    private readonly LateFrame[] _late = new LateFrame[MostLate];
    private int _freeCount = Slots;
    private uint _readyHead;
    private uint _readyTail;
    private int _lateCount;
    private long _passed;
    private ulong _random;
    private FaultCounters _counters;

    internal FaultLine(FaultOptions options, ulong seed, int maxFrameBytes)
    {
        _options = options;
        _random = seed;
        MaxFrameBytes = maxFrameBytes;
        _slotBytes = (FrameRing.HeadroomBytes + maxFrameBytes + FrameRing.LineBytes - 1) & -FrameRing.LineBytes;
        _slab = new byte[Slots * _slotBytes];
        for (int slot = 0; slot < Slots; slot++)
            _free[slot] = Slots - 1 - slot;
    }

    internal int MaxFrameBytes { get; }

    internal Memory<byte> Memory => _slab;

    internal int FreeSlots => _freeCount;

    internal int ReadyFrames => (int)(_readyTail - _readyHead);

    internal ref FaultCounters Counters => ref _counters;

    /// <summary>Puts a frame in. There must be two free slots.</summary>
    /// <param name="frame">The frame, which is copied.</param>
    /// <param name="origin">What <see cref="OriginOf"/> says of it later, 0 or more; its duplicate has none.</param>
    internal void Push(ReadOnlySpan<byte> frame, int origin)
    {
        Debug.Assert(_freeCount >= 2);
        _counters.Offered++;
        if (Roll(_options.Loss) || frame.Length > MaxFrameBytes)
        {
            _counters.Lost++;
            return;
        }

        int slot = Keep(frame, origin);
        if (Roll(_options.Corruption) && frame.Length > 0)
        {
            int bit = (int)Below((uint)frame.Length * 8);
            Bytes(slot)[bit / 8] ^= (byte)(1 << (bit % 8));
            _counters.Corrupted++;
        }

        if (Roll(_options.Truncation) && frame.Length > 0)
        {
            _lengths[slot] = (int)Below((uint)frame.Length);
            _counters.Truncated++;
        }

        // The duplicate is made before the first is on its way: both are then the same, as a repeating link makes them.
        int twin = Roll(_options.Duplication) ? Keep(Bytes(slot), origin: -1) : -1;
        Queue(slot);
        if (twin >= 0)
        {
            _counters.Duplicated++;
            Queue(twin);
        }
    }

    /// <summary>Takes the next frame out; its slot is the caller's until <see cref="Free"/>. There must be one ready.</summary>
    internal int Pop()
    {
        Debug.Assert(ReadyFrames > 0);
        _counters.Waiting--;
        return _ready[_readyHead++ % Slots];
    }

    internal void Free(int slot) => _free[_freeCount++] = slot;

    internal int OffsetOf(int slot) => (slot * _slotBytes) + FrameRing.HeadroomBytes;

    internal int LengthOf(int slot) => _lengths[slot];

    /// <summary>What the frame was put in with; -1 for a duplicate and for one whose origin was forgotten.</summary>
    internal int OriginOf(int slot) => _origins[slot];

    /// <summary>Makes all late frames ready, although not as many have overtaken them as was thrown.</summary>
    internal void LetLateGo() => LetGo(long.MaxValue);

    /// <summary>Forgets where late frames come from.</summary>
    internal void ForgetOrigins()
    {
        for (int i = 0; i < _lateCount; i++)
            _origins[_late[i].Slot] = -1;
    }

    private void Queue(int slot)
    {
        _counters.Waiting++;
        if (Roll(_options.Reordering) && _lateCount < MostLate)
        {
            _late[_lateCount++] = new LateFrame(slot, _passed, _passed + 1 + Below((uint)_options.ReorderingDepth));
            return;
        }

        _ready[_readyTail++ % Slots] = slot;
        _passed++;
        LetGo(_passed);
    }

    private void LetGo(long due)
    {
        int kept = 0;
        for (int i = 0; i < _lateCount; i++)
        {
            LateFrame late = _late[i];
            if (late.Due > due)
            {
                _late[kept++] = late;
                continue;
            }

            _ready[_readyTail++ % Slots] = late.Slot;
            if (_passed > late.Since)
                _counters.Reordered++;
        }

        _lateCount = kept;
    }

    private int Keep(ReadOnlySpan<byte> frame, int origin)
    {
        int slot = _free[--_freeCount];
        _lengths[slot] = frame.Length;
        _origins[slot] = origin;
        frame.CopyTo(Bytes(slot));
        return slot;
    }

    private Span<byte> Bytes(int slot) => _slab.AsSpan(OffsetOf(slot), _lengths[slot]);

    /// <summary>One throw per question, whatever the answer, so that one option does not shift the dice of another.</summary>
    private bool Roll(double probability) => (Next() >> 11) * (1.0 / (1ul << 53)) < probability;

    private uint Below(uint bound) => (uint)(((UInt128)Next() * bound) >> 64);

    /// <summary>SplitMix64 (Steele, Lea, Flood 2014): the same sequence on every machine and runtime.</summary>
    private ulong Next()
    {
        ulong z = _random += 0x9E37_79B9_7F4A_7C15;
        z = (z ^ (z >> 30)) * 0xBF58_476D_1CE4_E5B9;
        z = (z ^ (z >> 27)) * 0x94D0_49BB_1331_11EB;
        return z ^ (z >> 31);
    }

    private readonly record struct LateFrame(int Slot, long Since, long Due);
}
