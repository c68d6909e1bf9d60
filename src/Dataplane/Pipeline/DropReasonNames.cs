using System.Text;

namespace Dataplane.Pipeline;

/// <summary>Names of drop reasons in metrics, logs and files.</summary>
public static class DropReasonNames
{
    private static readonly string[] s_names = [.. Enum.GetValues<DropReason>().Select(reason => SnakeCase(reason.ToString()))];

    /// <summary>Number of values of <see cref="DropReason"/>.</summary>
    public static int Count => s_names.Length;

    /// <summary>The snake-case name, such as <c>ttl_expired</c>. Does not allocate.</summary>
    public static string ToName(this DropReason reason) => s_names[(int)reason];

    private static string SnakeCase(string name)
    {
        var text = new StringBuilder();
        foreach (char letter in name)
        {
            if (char.IsUpper(letter) && text.Length > 0)
            {
                text.Append('_');
            }

            text.Append(char.ToLowerInvariant(letter));
        }

        return text.ToString();
    }
}
