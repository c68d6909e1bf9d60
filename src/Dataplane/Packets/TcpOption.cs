namespace Dataplane.Packets;

/// <summary>One TCP option inside its segment (RFC 9293, 3.1).</summary>
public readonly ref struct TcpOption
{
    private const int SackBlockBytes = 8;

    private readonly ReadOnlySpan<byte> _bytes;

    internal TcpOption(ReadOnlySpan<byte> bytes) => _bytes = bytes;

    /// <summary>The option kind, see <see cref="TcpOptionKinds"/>.</summary>
    public byte Kind => _bytes[0];

    /// <summary>What follows kind and length.</summary>
    public ReadOnlySpan<byte> Data => _bytes[2..];

    /// <summary>Whether this is a well-formed SACK-permitted option.</summary>
    public bool IsSackPermitted => Kind == TcpOptionKinds.SackPermitted && _bytes.Length == 2;

    /// <summary>The number of selective acknowledgment blocks; 0 for any other or a malformed option.</summary>
    public int SackBlockCount => Kind == TcpOptionKinds.Sack && Data.Length % SackBlockBytes == 0 ? Data.Length / SackBlockBytes : 0;

    /// <summary>The maximum segment size in bytes; false for any other or a malformed option.</summary>
    public bool TryGetMaxSegmentSize(out ushort sizeBytes)
    {
        bool valid = Kind == TcpOptionKinds.MaxSegmentSize && _bytes.Length == 4;
        sizeBytes = valid ? NetworkOrder.ReadUInt16(_bytes, 2) : (ushort)0;
        return valid;
    }

    /// <summary>The window scale as sent (RFC 7323 has values above 14 count as 14); false for any other or a malformed option.</summary>
    public bool TryGetWindowScale(out byte shift)
    {
        bool valid = Kind == TcpOptionKinds.WindowScale && _bytes.Length == 3;
        shift = valid ? _bytes[2] : (byte)0;
        return valid;
    }

    /// <summary>The timestamps; false for any other or a malformed option.</summary>
    public bool TryGetTimestamps(out TcpTimestamps timestamps)
    {
        bool valid = Kind == TcpOptionKinds.Timestamps && _bytes.Length == 10;
        timestamps = valid ? new TcpTimestamps(NetworkOrder.ReadUInt32(_bytes, 2), NetworkOrder.ReadUInt32(_bytes, 6)) : default;
        return valid;
    }

    /// <summary>A selective acknowledgment block; false when <paramref name="index"/> is not below <see cref="SackBlockCount"/>.</summary>
    public bool TryGetSackBlock(int index, out TcpSackBlock block)
    {
        bool valid = (uint)index < (uint)SackBlockCount;
        int offset = 2 + (SackBlockBytes * index);
        block = valid ? new TcpSackBlock(NetworkOrder.ReadUInt32(_bytes, offset), NetworkOrder.ReadUInt32(_bytes, offset + 4)) : default;
        return valid;
    }
}
