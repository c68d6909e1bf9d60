namespace Dataplane.Native;

/// <summary>Numbers of packets of a batch, one byte each.</summary>
internal static class Picks
{
    /// <summary>The largest number among them, or -1; where any number will do it may be less.</summary>
    /// <param name="picks">The numbers.</param>
    /// <param name="available">How many there are to pick from.</param>
    internal static int Last(ReadOnlySpan<byte> picks, int available)
    {
        int last = -1;
        if (available > byte.MaxValue)
            return last;
        foreach (byte pick in picks)
            last = Math.Max(last, pick);
        return last;
    }
}
