using Dataplane.Packets;

namespace Dataplane.Filtering;

/// <summary>A prefix of either family as plain numbers; bits of IPv4 stand at the top. Ordered by address, then by length.</summary>
/// <param name="High">The first 64 bits of its lowest address.</param>
/// <param name="Low">The others.</param>
/// <param name="Length">Leading bits that matter, 1 to 128.</param>
internal readonly record struct PrefixKey(ulong High, ulong Low, int Length) : IComparable<PrefixKey>
{
    /// <summary>The key of a prefix.</summary>
    public static PrefixKey Of(IpPrefix prefix)
    {
        IpAddress first = prefix.First;
        return prefix.Family == IpFamily.V4 ? new PrefixKey(first.Low << 32, 0, prefix.Length) : new PrefixKey(first.High, first.Low, prefix.Length);
    }

    /// <summary>16 bits of the address, counted from 0 at the top.</summary>
    public int Chunk(int level) => (ushort)((level < 4 ? High : Low) >> (48 - (16 * (level & 3))));

    /// <summary>Whether a prefix that is not before this one in order lies in it.</summary>
    public bool Contains(in PrefixKey other)
    {
        ulong high = High ^ other.High, low = Low ^ other.Low;
        return other.Length >= Length && (Length <= 64 ? Length == 0
            || high >> (64 - Length) == 0 : high == 0 && (Length == 128 ? low == 0 : low >> (128 - Length) == 0));
    }

    /// <inheritdoc/>
    public int CompareTo(PrefixKey other)
    {
        int order = High.CompareTo(other.High);
        order = order != 0 ? order : Low.CompareTo(other.Low);
        return order != 0 ? order : Length.CompareTo(other.Length);
    }
}
