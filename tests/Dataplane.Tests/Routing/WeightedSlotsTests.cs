using Dataplane.Routing;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Routing;

public class WeightedSlotsTests
{
    [Fact]
    public void Build_Weights_LargestRemaindersAreRoundedUp()
    {
        Assert.Equal([0, 0, 0, 0, 1, 1, 1, 2, 2, 2], WeightedSlots.Build([5, 4, 3], 10));
        Assert.Equal([1, 1, 1, 1], WeightedSlots.Build([0, 9], 4));
        Assert.Empty(WeightedSlots.Build([0, 0], 16));
        Assert.Empty(WeightedSlots.Build([], 16));
        Assert.Empty(WeightedSlots.Build([1, 2], 0));
    }

    [Theory]
    [InlineData(new[] { 1 }, 1)]
    [InlineData(new[] { 10, 10, 10 }, 3)]
    [InlineData(new[] { 2, 1 }, 3)]
    [InlineData(new[] { 255, 254, 251 }, 760)]
    [InlineData(new[] { 255, 254, 253, 252, 251 }, WeightedSlots.MaxSlots)]
    public void Build_NoCountGiven_TakesTheFewestThatAreExact(int[] weights, int expected) => Assert.Equal(expected, WeightedSlots.Build(weights).Length);

    [Fact]
    public void Build_BadArguments_Throws()
    {
        Assert.Throws<ArgumentException>(() => WeightedSlots.Build(new int[257], 16));
        Assert.Throws<ArgumentOutOfRangeException>(() => WeightedSlots.Build([1], -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => WeightedSlots.Build([1, -1], 4));
    }

    [Fact]
    public void Select_AllHashes_FollowTheSlots() =>
        Prop.ForAll(Gen.Choose(0, 255).ArrayOf().ToArbitrary(), Gen.Choose(1, 300).ToArbitrary(), ArbMap.Default.ArbFor<uint>(), (weights, count, hash) =>
        {
            byte[] slots = WeightedSlots.Build(weights.Length > 64 ? weights[..64] : weights, count);
            int hop = WeightedSlots.Select(slots, hash);
            return slots.Length == 0
                ? hop == -1
                : hop == slots[(int)(hash / 4294967296.0 * slots.Length)] && weights[hop] > 0
                    && WeightedSlots.Select(slots, 0) == slots[0] && WeightedSlots.Select(slots, uint.MaxValue) == slots[^1];
        }).QuickCheckThrowOnFailure();
}
