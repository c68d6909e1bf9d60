using System.Globalization;
using System.Text;
using Dataplane.Packets;

namespace Dataplane.Names;

/// <summary>Names of the domain name system as text and as bytes (RFC 1035 3.1). Control side.</summary>
/// <remarks>Names here are those of hosts and services: letters, digits, <c>-</c> and <c>_</c>, so that no escape is ever needed; compared in lower case.</remarks>
internal static class DomainName
{
    /// <summary>The longest name on the wire, in bytes with the root's (RFC 1035 2.3.4).</summary>
    public const int MaxWireBytes = 255;

    private const int MaxLabelBytes = 63;

    /// <summary>Lower case, without the dot at the end.</summary>
    public static string Normalise(string name) => name.TrimEnd('.').ToLowerInvariant();

    /// <summary>What is wrong with a name; null when it is one.</summary>
    public static string? ProblemOf(string? name)
    {
        string text = name is null ? "" : name.EndsWith('.') ? name[..^1] : name;
        if (text.Length == 0)
        {
            return "is missing: a name such as web.mesh.example is needed";
        }

        if (text.Length > MaxWireBytes - 2)
        {
            return $"has {text.Length} characters; a name has 253 at most (RFC 1035, 2.3.4)";
        }

        foreach (string label in text.Split('.'))
        {
            if (ProblemOfLabel(label) is { } problem)
            {
                return problem;
            }
        }

        return null;
    }

    /// <summary>What is wrong with one label of a name; null when it is one.</summary>
    public static string? ProblemOfLabel(string label)
    {
        if (label.Length is 0 or > MaxLabelBytes)
        {
            return $"has a label of {label.Length} characters; labels have 1 to 63 (RFC 1035, 2.3.4)";
        }

        foreach (char c in label)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_'))
            {
                return $"has \"{c}\" in it; letters, digits, - and _ are allowed between the dots";
            }
        }

        return null;
    }

    /// <summary>A normalised name in lower case on the wire, with the root's length byte at its end.</summary>
    public static byte[] ToWire(string name)
    {
        if (name.Length == 0)
        {
            return [0];
        }

        byte[] wire = new byte[name.Length + 2];
        Encoding.ASCII.GetBytes(name, wire.AsSpan(1));
        int length = 0;
        for (int at = name.Length; at >= 1; at--)
        {
            if (wire[at] == '.')
            {
                wire[at] = (byte)length;
                length = 0;
            }
            else
            {
                length++;
            }
        }

        wire[0] = (byte)length;
        return wire;
    }

    /// <summary>The name one label up; null for the root.</summary>
    public static string? ParentOf(string name)
    {
        int dot = name.IndexOf('.', StringComparison.Ordinal);
        return dot < 0 ? null : name[(dot + 1)..];
    }

    /// <summary>Whether a normalised name is another or lies below it.</summary>
    public static bool IsAtOrUnder(string name, string top) =>
        name.Length == top.Length ? name == top : name.Length > top.Length && name.EndsWith(top, StringComparison.Ordinal) && name[^(top.Length + 1)] == '.';

    /// <summary>Number of labels of a normalised name.</summary>
    public static int LabelsOf(string name) => name.Length == 0 ? 0 : name.Count(c => c == '.') + 1;

    /// <summary>The name under which the name of an address is asked for (RFC 1035 3.5, RFC 3596 2.5).</summary>
    public static string ReverseOf(IpAddress address)
    {
        var name = new StringBuilder();
        if (address.IsIpv4)
        {
            for (int shift = 0; shift < 32; shift += 8)
            {
                name.Append(CultureInfo.InvariantCulture, $"{(address.Low >> shift) & 0xFF}.");
            }

            return name.Append("in-addr.arpa").ToString();
        }

        for (int shift = 0; shift < 128; shift += 4)
        {
            name.Append(CultureInfo.InvariantCulture, $"{(int)(address.Bits >> shift) & 0xF:x}.");
        }

        return name.Append("ip6.arpa").ToString();
    }
}
