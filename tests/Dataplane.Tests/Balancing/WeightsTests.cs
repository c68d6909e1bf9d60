using Dataplane.Balancing;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Balancing;

public class WeightsTests
{
    [Fact]
    public void Share_Remainders_LargestAreRoundedUp()
    {
        // 10 * 5/12 = 4.17, 10 * 4/12 = 3.33, 10 * 3/12 = 2.5: the last has the largest remainder.
        Assert.Equal([4, 3, 3], Weights.Share([5, 4, 3], 10));
        Assert.Equal([4, 3, 3], Weights.Share([1, 1, 1], 10));
        Assert.Equal([0, 10], Weights.Share([0, 7], 10));
        Assert.Equal([0, 0], Weights.Share([0, 0], 10));
        Assert.Empty(Weights.Share([], 10));
        Assert.Throws<ArgumentOutOfRangeException>(() => Weights.Share([1, -1], 10));
    }

    [Fact]
    public void Share_LargestNumbers_DoesNotOverflow()
    {
        int[] shares = Weights.Share([int.MaxValue, int.MaxValue, int.MaxValue], int.MaxValue);
        Assert.Equal(int.MaxValue, shares.Sum(share => (long)share));
        Assert.True(shares.Max() - shares.Min() <= 1);
    }

    [Fact]
    public void Share_AnyWeights_GivesAllAwayAndRoundsEachExactShare() =>
        Prop.ForAll(Gen.Choose(0, 100).ArrayOf().ToArbitrary(), Gen.Choose(0, 1000).ToArbitrary(), (weights, total) =>
        {
            int[] shares = Weights.Share(weights, total);
            long sum = weights.Sum();
            return shares.Sum() == (sum == 0 ? 0 : total)
                && weights.Zip(shares).All(pair => Math.Abs((pair.Second * sum) - ((long)pair.First * total)) < Math.Max(sum, 1));
        }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData(new[] { 4, 6, 0 }, new[] { 2, 3, 0 })]
    [InlineData(new[] { 7 }, new[] { 1 })]
    [InlineData(new[] { 0, 0 }, new[] { 0, 0 })]
    [InlineData(new[] { 5, 3 }, new[] { 5, 3 })]
    [InlineData(new int[0], new int[0])]
    public void Reduce_Weights_DividesByWhatTheyHaveInCommon(int[] weights, int[] expected) => Assert.Equal(expected, Weights.Reduce(weights));
}
