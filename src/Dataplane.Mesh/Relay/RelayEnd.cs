using System.Text;

namespace Dataplane.Mesh.Relay;

/// <summary>How something ended.</summary>
/// <param name="Reason">Why.</param>
/// <param name="Side">Whose doing it was.</param>
/// <param name="Detail">What is to be known besides; may be empty.</param>
internal readonly record struct RelayEnd(RelayReason Reason, RelaySide Side, string Detail = "")
{
    internal bool IsGood => Reason == RelayReason.Completed;
}

/// <summary>The names of reasons and sides in metrics and records.</summary>
internal static class RelayNames
{
    internal const int Reasons = (int)RelayReason.InternalError + 1;
    internal const int Sides = (int)RelaySide.Relay + 1;

    private static readonly string[] s_reasons = [.. Enum.GetNames<RelayReason>().Select(Snake)];
    private static readonly string[] s_sides = [.. Enum.GetNames<RelaySide>().Select(Snake)];

    internal static string Of(RelayReason reason) => s_reasons[(int)reason];

    internal static string Of(RelaySide side) => s_sides[(int)side];

    internal static string Snake(string name)
    {
        var text = new StringBuilder();
        foreach (char letter in name)
        {
            if (char.IsAsciiLetterUpper(letter) && text.Length > 0)
                text.Append('_');
            text.Append(char.ToLowerInvariant(letter));
        }

        return text.ToString();
    }
}
