using System.Buffers.Binary;
using Dataplane.Hashing;
using Dataplane.Packets;

namespace Dataplane.Balancing.Compatibility;

/// <summary>The forwarding table of GitHub's GLB director, row by row, and the row it looks a packet up in.</summary>
/// <remarks>Rendezvous hashing: in each row the backends have an order of their own that no other backend changes; the first two are the row.</remarks>
public static class GlbTable
{
    /// <summary>Rows of every table.</summary>
    public const int RowCount = 65536;

    /// <summary>The most backends a table takes.</summary>
    public const int MaxBackends = 256;

    /// <summary>Fills a table as <c>glb-director-cli build-config</c> does.</summary>
    /// <param name="seed">The table's seed, 16 bytes.</param>
    /// <param name="backends">2 to <see cref="MaxBackends"/> with different addresses, of which at least two are not inactive.</param>
    /// <exception cref="ArgumentException">The seed has another length, there are too few or too many backends, or one has no address.</exception>
    public static GlbRow[] Build(ReadOnlySpan<byte> seed, IReadOnlyList<GlbBackend> backends)
    {
        ArgumentNullException.ThrowIfNull(backends);
        var hash = new SipHash24(seed);
        int present = backends.Count(backend => backend.State != GlbBackendState.Inactive);
        if (backends.Count > MaxBackends || present < 2 || backends.Any(backend => backend.Address.IsNone))
        {
            throw new ArgumentException(
                $"A GLB table takes 2 to {MaxBackends} backends with addresses, two of them not inactive, and not {backends.Count} with {present}.",
                nameof(backends));
        }

        var rows = new GlbRow[RowCount];
        for (int row = 0; row < rows.Length; row++)
        {
            rows[row] = Row(in hash, row, backends);
        }

        return rows;
    }

    /// <summary>The row of a packet, by its source address alone, as the director does unless told otherwise.</summary>
    /// <param name="hashKey">The table's hash key, 16 bytes.</param>
    /// <param name="source">Where the packet comes from.</param>
    /// <exception cref="ArgumentException">The key has another length, or no address at all.</exception>
    public static int RowOf(ReadOnlySpan<byte> hashKey, IpAddress source)
    {
        if (source.IsNone)
        {
            throw new ArgumentException("A packet comes from an address; the default IpAddress has no family.", nameof(source));
        }

        Span<byte> bytes = stackalloc byte[IpAddress.V6LengthBytes];
        return (int)(new SipHash24(hashKey).Hash(bytes[..source.Write(bytes)]) % RowCount);
    }

    /// <summary>The seed of a row: eight bytes that stand before the address of each backend.</summary>
    internal static ulong RowSeed(in SipHash24 hash, int row)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, row);
        return hash.Hash(bytes);
    }

    /// <summary>A backend's rank in a row; the lowest is first. GLB compares the hash as eight bytes, the first of which counts most.</summary>
    internal static ulong Rank(in SipHash24 hash, ulong rowSeed, IpAddress address)
    {
        Span<byte> bytes = stackalloc byte[8 + IpAddress.V6LengthBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, rowSeed);
        return BinaryPrimitives.ReverseEndianness(hash.Hash(bytes[..(8 + address.Write(bytes[8..]))]));
    }

    private static GlbRow Row(in SipHash24 hash, int row, IReadOnlyList<GlbBackend> backends)
    {
        ulong seed = RowSeed(in hash, row), firstRank = ulong.MaxValue, secondRank = ulong.MaxValue;
        int first = -1, second = -1;
        for (int i = 0; i < backends.Count; i++)
        {
            if (backends[i].State == GlbBackendState.Inactive)
            {
                continue;
            }

            ulong rank = Rank(in hash, seed, backends[i].Address);
            if (first < 0 || rank < firstRank)
            {
                (second, secondRank, first, firstRank) = (first, firstRank, i, rank);
            }
            else if (second < 0 || rank < secondRank)
            {
                (second, secondRank) = (i, rank);
            }
        }

        // The second's health does not count; GLB asks only whether it is active.
        bool exchange = (backends[first].State == GlbBackendState.Draining || !backends[first].IsHealthy) && backends[second].State == GlbBackendState.Active;
        return exchange ? new GlbRow(second, first) : new GlbRow(first, second);
    }
}
