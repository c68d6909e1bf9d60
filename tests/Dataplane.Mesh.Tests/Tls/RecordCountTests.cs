using Dataplane.Mesh.Tls;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Mesh.Tests.Tls;

/// <summary>How many records came, however they were cut on their way.</summary>
public sealed class RecordCountTests
{
    [Fact]
    public void IsOne_AtEveryCut_IsWhatTheEndsOfRecordsSay() => Prop.ForAll(
        Gen.Choose(0, 700).ArrayOf().ToArbitrary(), Gen.Choose(1, 400).NonEmptyListOf().ToArbitrary(), Gen.Choose(0, 5).ToArbitrary(),
        (lengths, cuts, every) =>
        {
            byte[] stream = [.. lengths.SelectMany(length => (byte[])[23, 3, 3, (byte)(length >> 8), (byte)length, .. new byte[length]])];
            HashSet<int> ends = [.. lengths.Select((_, index) => lengths.Take(index + 1).Sum(length => 5 + length))];
            var count = new RecordCount();
            int at = 0, from = 0;
            for (int turn = 0; at < stream.Length; turn++)
            {
                if (every > 0 && turn % every == 0)
                {
                    count.Begin();
                    from = at;
                }

                int piece = Math.Min(cuts[turn % cuts.Count], stream.Length - at);
                count.Add(stream.AsSpan(at, piece));
                at += piece;
                Assert.Equal(ends.Contains(at) && ends.Count(end => end > from && end <= at) == 1, count.IsOne);
            }
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void IsOne_BeforeAnythingCame_IsFalse()
    {
        var count = new RecordCount();
        Assert.False(count.IsOne);
        count.Add([23, 3, 3, 0, 1, 9]);
        Assert.True(count.IsOne);
        count.Begin();
        Assert.False(count.IsOne);
    }
}
