using Dataplane.Balancing;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Balancing;

public class WeightedScheduleTests
{
    [Theory]
    [InlineData(new[] { 5, 1, 1 }, "0010200")] // the example in the nginx change that introduced it: a a b a c a a
    [InlineData(new[] { 4, 2, 1 }, "0102010")]
    [InlineData(new[] { 10, 2, 2 }, "0010200")]
    [InlineData(new[] { 0, 3, 0, 3 }, "13")]
    [InlineData(new[] { 7 }, "0")]
    [InlineData(new[] { 0, 0 }, "")]
    [InlineData(new int[0], "")]
    public void Build_Weights_GivesSmoothSequence(int[] weights, string expected) => Assert.Equal(expected, Sequence(WeightedSchedule.Build(weights)));

    [Theory]
    [InlineData(new[] { 5, 1, 0, 2 }, "013")]
    [InlineData(new[] { 0 }, "")]
    public void BuildEqual_Weights_GivesOneTurnEach(int[] weights, string expected) => Assert.Equal(expected, Sequence(WeightedSchedule.BuildEqual(weights)));

    [Fact]
    public void Build_AnyWeights_TurnsAreExactOverARoundAndNeverEarly() =>
        Prop.ForAll(Gen.Choose(0, 60).ArrayOf().ToArbitrary(), weights =>
        {
            WeightedSchedule schedule = WeightedSchedule.Build(weights);
            int sum = weights.Sum(), position = 0;
            var turns = new int[weights.Length];
            for (int step = 1; step <= schedule.Length; step++)
            {
                int backend = schedule.Next(ref position);
                turns[backend]++;
                if (turns[backend] >= ((double)step * weights[backend] / sum) + 1)
                {
                    return false;
                }
            }

            return weights.Zip(turns).All(pair => (long)pair.Second * sum == (long)pair.First * schedule.Length);
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Build_WeightsBeyondTheLongestSequence_AreScaledAndNobodyIsLeftOut()
    {
        WeightedSchedule schedule = WeightedSchedule.Build([65535, 32768, 1, 0]);
        Assert.InRange(schedule.Length, 1, WeightedSchedule.MaxLength + 3);
        int position = 0;
        int[] turns = new int[4];
        for (int i = 0; i < schedule.Length; i++)
        {
            turns[schedule.Next(ref position)]++;
        }

        Assert.Equal(2.0 / 3, (double)turns[0] / schedule.Length, 0.001);
        Assert.Equal(1.0 / 3, (double)turns[1] / schedule.Length, 0.001);
        Assert.Equal((1, 0), (turns[2], turns[3]));
    }

    /// <summary>A worker's position may come from a schedule that has been replaced, or count beyond any.</summary>
    [Theory]
    [InlineData(-1)]
    [InlineData(3)]
    [InlineData(int.MaxValue)]
    [InlineData(int.MinValue)]
    public void Next_PositionOutsideTheSequence_BeginsAnew(int position)
    {
        WeightedSchedule schedule = WeightedSchedule.Build([1, 1, 1]);
        Assert.Equal(0, schedule.Next(ref position));
        Assert.Equal(1, schedule.Next(ref position));
    }

    [Fact]
    public void Next_NoBackend_IsNone()
    {
        int position = 5;
        Assert.Equal(-1, WeightedSchedule.Build([0]).Next(ref position));
    }

    private static string Sequence(WeightedSchedule schedule)
    {
        int position = 0;
        return string.Concat(Enumerable.Range(0, schedule.Length).Select(_ => schedule.Next(ref position)));
    }
}
