namespace Dataplane.Packets;

/// <summary>The option form IPv4 and TCP share: end of list 0, no operation 1, and otherwise kind, length of the whole option, data.</summary>
internal static class KindLengthOptions
{
    private const byte EndOfList = 0, NoOperation = 1;

    /// <summary>Takes the next option that is not padding.</summary>
    /// <param name="rest">What is still to be read; empty afterwards when nothing follows.</param>
    /// <param name="option">The whole option: kind, length and data.</param>
    /// <param name="malformed">Set when the next option's length is impossible; reading ends there.</param>
    public static bool TryNext(scoped ref ReadOnlySpan<byte> rest, out ReadOnlySpan<byte> option, scoped ref bool malformed)
    {
        option = default;
        while (!rest.IsEmpty && rest[0] == NoOperation)
        {
            rest = rest[1..];
        }

        if (rest.IsEmpty || rest[0] == EndOfList)
        {
            rest = default;
            return false;
        }

        if (rest.Length < 2 || rest[1] < 2 || rest[1] > rest.Length)
        {
            malformed = true;
            rest = default;
            return false;
        }

        option = rest[..rest[1]];
        rest = rest[option.Length..];
        return true;
    }
}
