namespace Dataplane.Balancing;

/// <summary>The slots that nobody has yet, one bit each: 8 KB for 65,537 slots, where the table itself would take the second cache level.</summary>
internal sealed class FreeSlots
{
    private readonly ulong[] _bits;
    private readonly int _size;

    public FreeSlots(int size)
    {
        _size = size;
        _bits = new ulong[(size + 63) / 64];
        Array.Fill(_bits, ulong.MaxValue);
    }

    /// <summary>Takes the first free slot of an order of preference.</summary>
    /// <param name="next">Where the order stands, less than the size; behind the slot afterwards.</param>
    /// <param name="skip">From a preference to the next, 1 to the size - 1.</param>
    public int Take(ref int next, int skip)
    {
        int slot = next;
        while ((_bits[slot >> 6] & (1UL << slot)) == 0)
        {
            slot += skip;
            slot -= slot >= _size ? _size : 0;
        }

        _bits[slot >> 6] &= ~(1UL << slot);
        next = slot + skip;
        next -= next >= _size ? _size : 0;
        return slot;
    }
}
