namespace Dataplane.Balancing;

/// <summary>How packets of QUIC connections find their backend by the connection ID, whatever address and port the client has by now. For services over UDP.</summary>
public sealed record QuicSpec
{
    /// <summary>How servers write connection IDs.</summary>
    public ConnectionIdFormat ConnectionIds { get; init; }

    /// <summary>The configurations of <see cref="ConnectionIdFormat.QuicLb"/>, one to seven; none for other formats.</summary>
    public IReadOnlyList<QuicLbSpec> Configs { get; init; } = [];

    /// <summary>Whether two say the same, configuration by configuration.</summary>
    public bool Equals(QuicSpec? other) => other is not null && ConnectionIds == other.ConnectionIds
        && (ReferenceEquals(Configs, other.Configs) || (Configs is not null && other.Configs is not null && Configs.SequenceEqual(other.Configs)));

    /// <summary>A hash that is the same for those that say the same.</summary>
    public override int GetHashCode() => HashCode.Combine(ConnectionIds, Configs?.Count);
}
