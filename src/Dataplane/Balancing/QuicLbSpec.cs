using System.Globalization;

namespace Dataplane.Balancing;

/// <summary>One configuration of QUIC-LB: how connection IDs with its number are made and read (draft-ietf-quic-load-balancers-21, 4 and 5).</summary>
public sealed record QuicLbSpec
{
    /// <summary>Its number, 0 to 6, which stands in the first three bits of connection IDs; 7 is kept for those that lead nowhere.</summary>
    public required int Id { get; init; }

    /// <summary>Bytes of a server ID, 1 to 15.</summary>
    public required int ServerIdBytes { get; init; }

    /// <summary>Bytes of the nonce, 4 to 18; with those of the server ID at most 19.</summary>
    public required int NonceBytes { get; init; }

    /// <summary>The AES-128 key that hides the server ID, 32 hexadecimal digits; null: it stands there in clear.</summary>
    public string? Key { get; init; }

    /// <summary>Whether the other five bits of the first byte are the length of what follows it; then connection IDs where it does not fit lead nowhere.</summary>
    public bool EncodesLength { get; init; }

    /// <summary>Everything but the key.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"configuration {Id}: server ID {ServerIdBytes} bytes, nonce {NonceBytes} bytes, {(Key is null ? "in clear" : "encrypted")}");
}
