using System.Globalization;

namespace Dataplane.Configuration;

/// <summary>The whole numbers a key may take, and what such a number is called.</summary>
/// <param name="Noun">Without article, such as <c>weight</c>.</param>
/// <param name="Min">The lowest allowed number.</param>
/// <param name="Max">The highest allowed number.</param>
internal readonly record struct IntRange(string Noun, long Min, long Max)
{
    public string Problem => Min == Max
        ? string.Create(CultureInfo.InvariantCulture, $"is not {Min}, the only {Noun} that this version takes")
        : string.Create(CultureInfo.InvariantCulture, $"is not a {Noun} from {Min} to {Max}");

    public bool Contains(long value) => value >= Min && value <= Max;
}
