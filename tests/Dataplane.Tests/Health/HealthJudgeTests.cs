using Dataplane.Health;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Health;

public sealed class HealthJudgeTests
{
    private static readonly HealthVerdict s_well = new(true, "connected"), s_ill = new(false, "connection refused");

    [Fact]
    public void Take_AsManyInARowAsNeeded_TurnsAndSaysWhy()
    {
        var judge = new HealthJudge(new HealthSpec { Rise = 2, Fall = 3 }, isUp: true);
        Assert.Equal([false, false, false, false, false, true], new[] { s_ill, s_ill, s_well, s_ill, s_ill, s_ill }.Select(verdict => judge.Take(verdict, 0)));
        Assert.Equal((false, "connection refused, 3 in a row"), (judge.IsUp, judge.Reason));
        Assert.Equal([false, false, false, true], new[] { s_well, s_ill, s_well, s_well }.Select(verdict => judge.Take(verdict, 0)));
        Assert.Equal((true, "connected, 2 in a row"), (judge.IsUp, judge.Reason));
    }

    /// <summary>Against the definition: it turns exactly when the last findings, as many as needed, were all of the other kind since the last turn.</summary>
    [Fact]
    public void Take_AnyFindings_AgreesWithTheDefinition()
    {
        Gen<(int Rise, int Fall, bool[] Found)> cases =
            from rise in Gen.Choose(1, 5) from fall in Gen.Choose(1, 5) from found in Gen.Elements(true, false).ArrayOf() select (rise, fall, found);
        Prop.ForAll(cases.ToArbitrary(), test =>
        {
            var judge = new HealthJudge(new HealthSpec { Rise = test.Rise, Fall = test.Fall }, isUp: true);
            bool isUp = true;
            int since = 0;
            for (int i = 0; i < test.Found.Length; i++)
            {
                int needed = isUp ? test.Fall : test.Rise;
                bool turns = i + 1 - since >= needed && test.Found[(i + 1 - needed)..(i + 1)].All(found => found != isUp);
                Assert.Equal(turns, judge.Take(test.Found[i] ? s_well : s_ill, 0));
                (isUp, since) = turns ? (!isUp, i + 1) : (isUp, since);
                Assert.Equal(isUp, judge.IsUp);
            }
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void TakePassive_FailuresWithoutASuccess_TakeItDownForAsLongAsItSays()
    {
        var judge = new HealthJudge(new HealthSpec { Check = HealthCheckKind.None, Passive = 3, Hold = TimeSpan.FromSeconds(10) }, isUp: true);
        Assert.False(judge.Take(established: 1, refused: 50, unanswered: 0, 0));
        Assert.False(judge.Take(established: 0, refused: 1, unanswered: 1, 0));
        Assert.True(judge.Take(established: 0, refused: 2, unanswered: 1, 0));
        Assert.Equal("2 connections refused, 1 SYNs unanswered, none completed", judge.Reason);
        Assert.False(judge.Take(0, 0, 0, 9_999_999_999));
        Assert.True(judge.Take(0, 0, 0, 10_000_000_000));
        Assert.Equal((true, "held long enough"), (judge.IsUp, judge.Reason));
    }

    [Fact]
    public void TakePassive_WithChecks_TheseDecideAfterTheHold()
    {
        var judge = new HealthJudge(new HealthSpec { Passive = 1, Rise = 1, Hold = TimeSpan.FromSeconds(10) }, isUp: true);
        Assert.True(judge.Take(0, 1, 0, 0));
        Assert.False(judge.Take(s_well, 5_000_000_000));
        Assert.False(judge.Take(0, 0, 0, 10_000_000_000));
        Assert.False(judge.IsUp);
        Assert.True(judge.Take(s_well, 10_000_000_001));
        Assert.True(judge.IsUp);
    }

    [Fact]
    public void TakePassive_SwitchedOff_IsNeverDown()
    {
        var judge = new HealthJudge(new HealthSpec(), isUp: true);
        Assert.False(judge.Take(0, 1_000_000, 1_000_000, 0));
    }
}
