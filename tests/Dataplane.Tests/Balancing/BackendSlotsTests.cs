using Dataplane.Balancing;
using Dataplane.Packets;

namespace Dataplane.Tests.Balancing;

/// <summary>Slots outlive their backends while flows remember them, and come back to backends whose flows were kept.</summary>
public sealed class BackendSlotsTests
{
    private static BackendSlots.Identity Identity(int number) => new(IpAddress.FromV4(1), 80, 6, IpAddress.FromV4(0x0A00_0000 + (uint)number), 8080);

    /// <summary>As many as a large configuration has, all at once: each that is kept has its own slot again, and each that is not another.</summary>
    [Fact]
    public void Acquire_OfManyThatHaveLeft_GivesThoseWithKeptFlowsTheirOwnSlots()
    {
        const int Count = 60_000;
        var slots = new BackendSlots();
        int[] before = [.. Enumerable.Range(0, Count).Select(i => slots.Acquire(Identity(i)).Number)];
        IReadOnlyList<BackendSlot> gone = slots.Depart(Enumerable.Range(0, Count).Select(Identity), new HashSet<BackendSlots.Identity>());
        Assert.Equal((Count, Count), (gone.Count, slots.Departed.Count));
        foreach (BackendSlot slot in gone)
        {
            slot.Fate = slot.Number % 2 == 0 ? BackendFate.Stay : BackendFate.Move;
            slot.Counter.Counts.Active = 1;
        }

        slots.Reclaim();
        Assert.Equal(Count, slots.Departed.Count);
        int[] after = [.. Enumerable.Range(0, Count).Select(i => slots.Acquire(Identity(i)).Number)];
        Assert.All(Enumerable.Range(0, Count), i => Assert.Equal(i % 2 == 0, after[i] == before[i]));
        Assert.Equal(Count, after.Distinct().Count());
        Assert.Equal(Count / 2, slots.Departed.Count);

        // Those that are left are free once their flows are gone, and not before; then numbers are used again.
        foreach (BackendSlot slot in slots.Departed)
        {
            slot.Counter.Counts.Active = 0;
        }

        slots.Reclaim();
        Assert.Empty(slots.Departed);
        Assert.InRange(slots.Acquire(Identity(Count)).Number, 0, Count - 1);
    }

    /// <summary>A backend that left twice: once with flows that move, once with flows that are kept. It comes back to the latter.</summary>
    [Fact]
    public void Acquire_OfOneThatLeftTwice_GivesTheSlotThatIsKept()
    {
        var slots = new BackendSlots();
        BackendSlot Leave(BackendFate fate)
        {
            slots.Acquire(Identity(1));
            BackendSlot gone = Assert.Single(slots.Depart([Identity(1)], new HashSet<BackendSlots.Identity>()));
            gone.Fate = fate;
            gone.Counter.Counts.Active = 1;
            return gone;
        }

        BackendSlot first = Leave(BackendFate.Move), second = Leave(BackendFate.Stay);
        Assert.NotSame(first, second);

        // The first one's end does not take the second's place from it, nor does a copy forget it.
        first.Counter.Counts.Active = 0;
        slots.Reclaim();
        Assert.Equal(second.Number, slots.Copy().Acquire(Identity(1)).Number);
        Assert.Same(second, slots.Acquire(Identity(1)));
    }

    /// <summary>What does not change for flows makes no new arrays, of which there is a copy in the tables of every version.</summary>
    [Fact]
    public void Fate_SetToWhatItIs_ChangesNoArray()
    {
        var slots = new BackendSlots();
        BackendSlot slot = slots.Acquire(Identity(1));
        BackendFate[] fates = slots.Fates;
        slot.Fate = BackendFate.Stay;
        Assert.Same(fates, slots.Fates);
        slot.Fate = BackendFate.Reset;
        Assert.Equal([BackendFate.Reset], slots.Fates);
        Assert.Equal([BackendFate.Stay], fates);
        Assert.Same(slot, Assert.Single(slots.Leaving));
    }
}
