namespace Dataplane.Filtering;

/// <summary>A condition on the TCP flags byte: <c>(flags &amp; Mask) == Value</c>.</summary>
/// <param name="Mask">The flags looked at: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128.</param>
/// <param name="Value">What they must be.</param>
public readonly record struct TcpFlagMatch(byte Mask, byte Value)
{
    private static readonly string[] s_names = ["fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr"];

    /// <summary>Reads a list such as <c>syn,!ack</c>: flags that must be set, and with <c>!</c> flags that must not.</summary>
    public static bool TryParse(string? text, out TcpFlagMatch match)
    {
        match = default;
        if (string.IsNullOrWhiteSpace(text))
        {
            return false;
        }

        byte mask = 0, value = 0;
        foreach (string part in text.Split(',', StringSplitOptions.TrimEntries))
        {
            bool negated = part.StartsWith('!');
            int bit = Array.IndexOf(s_names, (negated ? part[1..] : part).ToLowerInvariant());
            if (bit < 0 || (mask & (1 << bit)) != 0)
            {
                return false;
            }

            mask |= (byte)(1 << bit);
            value |= negated ? (byte)0 : (byte)(1 << bit);
        }

        match = new TcpFlagMatch(mask, value);
        return true;
    }

    /// <inheritdoc/>
    public override string ToString()
    {
        byte mask = Mask, value = Value;
        return string.Join(',', Enumerable.Range(0, 8).Where(bit => (mask & (1 << bit)) != 0)
            .Select(bit => (value & (1 << bit)) != 0 ? s_names[bit] : "!" + s_names[bit]));
    }
}
