using System.Security.Cryptography;
using Dataplane.Balancing;

namespace Dataplane.Tests.Balancing.ConnectionIds;

/// <summary>What a server does to make connection IDs (draft-ietf-quic-load-balancers-21, 5.3 and 5.4), written from the text byte by byte and with the platform's AES: the second opinion.</summary>
internal static class QuicLbServer
{
    /// <summary>A connection ID with the length of what follows in its first byte.</summary>
    /// <param name="spec">The configuration.</param>
    /// <param name="serverId">The server's ID.</param>
    /// <param name="nonce">The nonce.</param>
    /// <param name="own">Bytes of the server's own behind it.</param>
    public static byte[] ConnectionId(QuicLbSpec spec, byte[] serverId, byte[] nonce, params byte[] own)
    {
        Assert.Equal((spec.ServerIdBytes, spec.NonceBytes), (serverId.Length, nonce.Length));
        byte[] plain = [.. serverId, .. nonce];
        byte[] hidden = spec.Key is not { } key ? plain : plain.Length == 16 ? Block(key, plain) : FourPasses(key, plain);
        return [(byte)((spec.Id << 5) | (hidden.Length + own.Length)), .. hidden, .. own];
    }

    private static byte[] FourPasses(string key, byte[] plain)
    {
        int half = (plain.Length + 1) / 2;
        bool isOdd = plain.Length % 2 == 1;
        byte[] left = plain[..half], right = plain[^half..];
        ClearMiddle(isOdd, left, right);
        for (byte pass = 1; pass <= 4; pass++)
        {
            (byte[] from, byte[] to) = pass % 2 == 1 ? (left, right) : (right, left);
            byte[] input = new byte[16];
            from.CopyTo(input, 0);
            (input[14], input[15]) = ((byte)plain.Length, pass);
            byte[] output = Block(key, input);
            for (int i = 0; i < half; i++)
            {
                to[i] ^= output[i];
            }

            ClearMiddle(isOdd, left, right);
        }

        return isOdd ? [.. left[..^1], (byte)(left[^1] | right[0]), .. right[1..]] : [.. left, .. right];
    }

    private static void ClearMiddle(bool isOdd, byte[] left, byte[] right)
    {
        if (isOdd)
        {
            left[^1] &= 0xF0;
            right[0] &= 0x0F;
        }
    }

    private static byte[] Block(string key, byte[] block)
    {
        using var aes = Aes.Create();
        aes.Key = Convert.FromHexString(key);
        return aes.EncryptEcb(block, PaddingMode.None);
    }
}
