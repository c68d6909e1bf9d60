using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Dataplane.Filtering;

/// <summary>An inclusive range of transport ports.</summary>
/// <param name="First">Lowest port.</param>
/// <param name="Last">Highest port.</param>
public readonly record struct PortRange(ushort First, ushort Last)
{
    /// <summary>All ports, 0 to 65535.</summary>
    public static PortRange All => new(0, ushort.MaxValue);

    /// <summary>True when every port is in the range.</summary>
    public bool IsAll => First == 0 && Last == ushort.MaxValue;

    /// <summary>True when the port is in the range.</summary>
    public bool Contains(ushort port) => port >= First && port <= Last;

    /// <summary>Reads <c>22</c> or <c>22-23</c>.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out PortRange range)
    {
        range = default;
        if (text is null)
        {
            return false;
        }

        int dash = text.IndexOf('-', StringComparison.Ordinal);
        ReadOnlySpan<char> first = dash < 0 ? text : text.AsSpan(0, dash);
        ReadOnlySpan<char> last = dash < 0 ? text : text.AsSpan(dash + 1);
        if (!ushort.TryParse(first.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out ushort low)
            || !ushort.TryParse(last.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out ushort high) || low > high)
        {
            return false;
        }

        range = new PortRange(low, high);
        return true;
    }

    /// <inheritdoc/>
    public override string ToString() => First == Last
        ? First.ToString(CultureInfo.InvariantCulture)
        : string.Create(CultureInfo.InvariantCulture, $"{First}-{Last}");
}
