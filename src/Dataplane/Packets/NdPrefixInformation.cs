namespace Dataplane.Packets;

/// <summary>What a router says about a prefix of the link (RFC 4861, 4.6.2).</summary>
public readonly record struct NdPrefixInformation
{
    /// <summary>Bytes of the option (32).</summary>
    public const int LengthBytes = 32;

    /// <summary>A lifetime without end, in seconds as on the wire.</summary>
    public const uint Infinite = uint.MaxValue;

    private const byte OnLinkFlag = 0x80, AutonomousFlag = 0x40;

    /// <summary>The prefix.</summary>
    public IpPrefix Prefix { get; init; }

    /// <summary>Whether addresses of the prefix are reached without a router.</summary>
    public bool OnLink { get; init; }

    /// <summary>Whether hosts may make addresses from the prefix (RFC 4862).</summary>
    public bool Autonomous { get; init; }

    /// <summary>How long the prefix is on the link, in seconds; <see cref="Infinite"/> for ever.</summary>
    public uint ValidLifetimeSeconds { get; init; }

    /// <summary>How long addresses made from it are preferred, in seconds; <see cref="Infinite"/> for ever.</summary>
    public uint PreferredLifetimeSeconds { get; init; }

    internal static bool TryRead(ReadOnlySpan<byte> option, out NdPrefixInformation information)
    {
        information = default;
        if (option.Length != LengthBytes || option[Field.PrefixLength] > 128)
        {
            return false;
        }

        information = new NdPrefixInformation
        {
            Prefix = new IpPrefix(IpAddress.ReadV6(option[Field.Prefix..]), option[Field.PrefixLength]),
            OnLink = (option[Field.Flags] & OnLinkFlag) != 0,
            Autonomous = (option[Field.Flags] & AutonomousFlag) != 0,
            ValidLifetimeSeconds = NetworkOrder.ReadUInt32(option, Field.ValidLifetime),
            PreferredLifetimeSeconds = NetworkOrder.ReadUInt32(option, Field.PreferredLifetime),
        };
        return true;
    }

    internal void Emit(Span<byte> option)
    {
        option[..LengthBytes].Clear();
        option[0] = NdOptionKinds.PrefixInformation;
        option[1] = LengthBytes / NdOption.UnitBytes;
        option[Field.PrefixLength] = (byte)Prefix.Length;
        option[Field.Flags] = (byte)((OnLink ? OnLinkFlag : 0) | (Autonomous ? AutonomousFlag : 0));
        NetworkOrder.WriteUInt32(option, Field.ValidLifetime, ValidLifetimeSeconds);
        NetworkOrder.WriteUInt32(option, Field.PreferredLifetime, PreferredLifetimeSeconds);
        Prefix.Address.Write(option[Field.Prefix..]);
    }

    private static class Field
    {
        public const int PrefixLength = 2, Flags = 3, ValidLifetime = 4, PreferredLifetime = 8, Prefix = 16;
    }
}
