using System.Globalization;

namespace Dataplane.Gateway.Demo.Screen;

/// <summary>Something that happened.</summary>
/// <param name="At">When, since the traffic began.</param>
/// <param name="Text">What.</param>
/// <param name="Style">Good, bad or in between.</param>
internal sealed record DemoEvent(TimeSpan At, string Text, Style Style)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Clock(At)}  {Text}");

    /// <summary>Minutes and seconds.</summary>
    public static string Clock(TimeSpan time) => string.Create(CultureInfo.InvariantCulture, $"{(int)time.TotalMinutes:00}:{time.Seconds:00}");
}
