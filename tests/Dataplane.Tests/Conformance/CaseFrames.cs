namespace Dataplane.Tests.Conformance;

/// <summary>Compares what came out with what had to, byte by byte.</summary>
internal static class CaseFrames
{
    /// <summary>Asserts that the same frames left by the same ports in the same order, and shows both whole where they did not.</summary>
    public static void AssertSame(IReadOnlyList<(string Port, byte[] Frame)> expected, IReadOnlyList<(string Port, byte[] Frame)> actual)
    {
        string wanted = Lines(expected), came = Lines(actual);
        Assert.True(wanted == came, $"expected:{wanted}\nleft:{came}");
    }

    private static string Lines(IReadOnlyList<(string Port, byte[] Frame)> frames) =>
        frames.Count == 0 ? "\n  nothing" : string.Concat(frames.Select(frame => $"\n  {frame.Port} {Convert.ToHexString(frame.Frame)}"));
}
