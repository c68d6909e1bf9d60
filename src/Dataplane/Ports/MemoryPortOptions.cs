using System.Numerics;
using Dataplane.Packets;

namespace Dataplane.Ports;

/// <summary>Sizes and address of a <see cref="MemoryPort"/>.</summary>
public sealed record MemoryPortOptions
{
    /// <summary>Frames each of the two rings holds: a power of two, 2 to 65,536.</summary>
    public int RingSlots { get; init; } = 1024;

    /// <summary>Bytes of one slot, 128 of them head-room: a power of two, 512 to 65,536. The longest frame is 128 bytes shorter.</summary>
    public int SlotBytes { get; init; } = 2048;

    /// <summary>Hardware address of the engine's end; null: one derived from the port's name.</summary>
    public MacAddress? Mac { get; init; }

    /// <summary>Largest layer 3 packet in bytes, 68 to the slot less 150 (head-room, Ethernet header, two VLAN tags).</summary>
    public int Mtu { get; init; } = 1500;

    /// <summary>Throws for the first option that is out of range.</summary>
    internal void Check()
    {
        const int LinkBytes = 14 + (2 * 4);
        if (RingSlots is < 2 or > 65_536 || !BitOperations.IsPow2(RingSlots))
            throw new ArgumentOutOfRangeException(nameof(RingSlots), RingSlots, "A ring has a power of two of slots, 2 to 65,536.");
        if (SlotBytes is < 512 or > 65_536 || !BitOperations.IsPow2(SlotBytes))
            throw new ArgumentOutOfRangeException(nameof(SlotBytes), SlotBytes, "A slot has a power of two of bytes, 512 to 65,536.");
        if ((long)RingSlots * SlotBytes > 1 << 30)
            throw new ArgumentOutOfRangeException(nameof(RingSlots), RingSlots, $"Slots of {SlotBytes} bytes: a ring takes 1 GB at most; ask for fewer slots.");
        int mostMtu = SlotBytes - FrameRing.HeadroomBytes - LinkBytes;
        if (Mtu < 68 || Mtu > mostMtu)
            throw new ArgumentOutOfRangeException(nameof(Mtu), Mtu, $"With slots of {SlotBytes} bytes the MTU is 68 to {mostMtu}; ask for larger slots.");
    }
}
