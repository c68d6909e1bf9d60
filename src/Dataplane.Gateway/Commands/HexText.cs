using Dataplane.Gateway.CommandLine;

namespace Dataplane.Gateway.Commands;

/// <summary>Reads a packet written in hexadecimal digits.</summary>
internal static class HexText
{
    /// <exception cref="UsageException">It is not hexadecimal, or not whole bytes.</exception>
    public static byte[] Read(string text)
    {
        Span<char> digits = text.Length <= 4096 ? stackalloc char[text.Length] : new char[text.Length];
        int count = 0;
        ReadOnlySpan<char> rest = text.AsSpan().Trim();
        if (rest.StartsWith("0x", StringComparison.OrdinalIgnoreCase))
        {
            rest = rest[2..];
        }

        for (int i = 0; i < rest.Length; i++)
        {
            char letter = rest[i];
            if (char.IsAsciiHexDigit(letter))
            {
                digits[count++] = letter;
            }
            else if (!char.IsWhiteSpace(letter) && letter is not (':' or '-' or '.' or ','))
            {
                throw new UsageException($"--hex: '{letter}' is not a hexadecimal digit; the packet is written in them from its first MAC byte, "
                    + "blanks and colons do not matter.");
            }
        }

        return count == 0
            ? throw new UsageException("--hex: there is no hexadecimal digit; the packet is written in them from its first MAC byte.")
            : count % 2 == 0
            ? Convert.FromHexString(digits[..count])
            : throw new UsageException($"--hex: {count} hexadecimal digit{(count == 1 ? " is" : "s are")} not whole bytes; one is missing or one too many.");
    }
}
