namespace Dataplane.Configuration;

/// <summary>The durations a key allows, in whole milliseconds.</summary>
/// <param name="Min">The shortest.</param>
/// <param name="Max">The longest.</param>
/// <param name="Text">Both as the documents write them.</param>
internal readonly record struct DurationRange(TimeSpan Min, TimeSpan Max, string Text)
{
    public string Problem => $"is not a time from {Text} in whole milliseconds";

    public bool Contains(TimeSpan value) => value >= Min && value <= Max && value.Ticks % TimeSpan.TicksPerMillisecond == 0;
}
