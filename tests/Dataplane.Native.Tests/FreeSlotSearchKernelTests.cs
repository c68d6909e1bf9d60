using System.Runtime.InteropServices;

namespace Dataplane.Native.Tests;

/// <summary>Searches side by side against each by itself, with bits, slots and steps before a page that cannot be touched.</summary>
public class FreeSlotSearchKernelTests
{
    [Theory]
    [InlineData(2, 1)]
    [InlineData(13, 3)]
    [InlineData(61, 60)]
    [InlineData(127, 1)]
    [InlineData(65537, 65537)]
    [InlineData(65537, 4000)]
    [InlineData(65537, 1)]
    [InlineData(4_999_999, 500)]
    public void Run_AnyBitsBeforeAGuardPage_FindsWhatEachFindsAlone(int size, int free)
    {
        var random = new Random(size + free);
        using MappedRegion bits = MappedRegion.WithGuardPage((size + 63) / 64 * sizeof(ulong));
        Span<ulong> words = MemoryMarshal.Cast<byte, ulong>(bits.Span);
        for (int i = 0; i < free; i++)
        {
            int slot = free == size ? i : random.Next(size);
            words[slot >> 6] |= 1UL << slot;
        }

        foreach (int count in new[] { 0, 1, 7, 8, 9, 100, 255, FreeSlotSearch.MaxCount })
        {
            using MappedRegion from = MappedRegion.WithGuardPage(Math.Max(1, count) * sizeof(int)), by = MappedRegion.WithGuardPage(Math.Max(1, count) * sizeof(int));
            Span<int> slots = MemoryMarshal.Cast<byte, int>(from.Span)[^count..], steps = MemoryMarshal.Cast<byte, int>(by.Span)[^count..];
            var expected = new int[count];
            for (int i = 0; i < count; i++)
            {
                slots[i] = i == 0 ? size - 1 : random.Next(size);
                steps[i] = i == 1 ? size - 1 : random.Next(1, size);
                long slot = slots[i];
                while ((words[(int)(slot >> 6)] >> (int)(slot & 63) & 1) == 0)
                {
                    slot = (slot + steps[i]) % size;
                }

                expected[i] = (int)slot;
            }

            int[] alone = slots.ToArray();
            FreeSlotSearch.RunScalar(words, size, alone, steps);
            FreeSlotSearch.Run(words, size, slots, steps);
            Assert.Equal(expected, alone);
            Assert.Equal(expected, slots.ToArray());
        }
    }

    /// <summary>Nothing is read by a number that is not within the table.</summary>
    [Theory]
    [InlineData(13, 13, 1)]
    [InlineData(13, -1, 1)]
    [InlineData(13, 0, 0)]
    [InlineData(13, 0, 13)]
    [InlineData(13, 0, -1)]
    [InlineData(67, 0, 1)]
    public void Run_NumberOutOfTheTable_Throws(int size, int slot, int step) =>
        Assert.Throws<ArgumentException>(() => FreeSlotSearch.Run([1], size, [slot], [step]));

    [Fact]
    public void Run_TooManySearchesOrTooFewSteps_Throws()
    {
        int[] many = new int[FreeSlotSearch.MaxCount + 1], steps = new int[many.Length];
        Array.Fill(steps, 1);
        Assert.Throws<ArgumentException>(() => FreeSlotSearch.Run([1], 13, many, steps));
        Assert.Throws<ArgumentException>(() => FreeSlotSearch.Run([1], 13, many.AsSpan(0, 2), steps.AsSpan(0, 1)));
    }
}
