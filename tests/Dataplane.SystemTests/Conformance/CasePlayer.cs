using Dataplane.Tests.Conformance;

namespace Dataplane.SystemTests.Conformance;

/// <summary>Plays the cases of a group one after the other on one bed.</summary>
internal static class CasePlayer
{
    /// <summary>Whether a case needs nothing but packets.</summary>
    public static bool CanBePlayed(ConformanceCase played) => played.Needs == CaseNeeds.None;

    /// <summary>Plays all that can be, and says which failed and how.</summary>
    public static List<(ConformanceCase Case, string Said)> Play(ConformanceGroup group, ICaseBed bed)
    {
        var failures = new List<(ConformanceCase, string)>();
        foreach (ConformanceCase played in group.Cases.Where(CanBePlayed))
        {
            try
            {
                group.Play(played, bed);
            }
            catch (Xunit.Sdk.XunitException failure)
            {
                failures.Add((played, $"{played.Name}: {failure.Message}"));
                Drain(bed);
            }
        }

        return failures;
    }

    /// <summary>What a case that failed has left on its way is not the next one's.</summary>
    private static void Drain(ICaseBed bed)
    {
        try
        {
            bed.End();
        }
        catch (Xunit.Sdk.XunitException)
        {
            // That something had come is what it was asked for.
        }
    }
}
