using System.Buffers.Binary;
using System.Text;
using Dataplane.Hashing;
using Dataplane.Packets;

namespace Dataplane.Balancing.Compatibility;

/// <summary>The tables of Cilium's Maglev, slot by slot, and the slot it looks a packet up in. Immutable: used by any number of threads.</summary>
public sealed class CiliumMaglev
{
    /// <summary>Cilium's table size.</summary>
    public const int DefaultSize = 16381;

    /// <summary>Cilium's seed where none is configured.</summary>
    public const string DefaultSeed = "JLfvgnHc2kaSUFaI";

    private readonly uint _backendSeed, _packetSeedV4, _packetSeedV6;

    /// <summary>Takes the settings that all nodes of a cluster share.</summary>
    /// <param name="seed"><c>--bpf-lb-maglev-hash-seed</c>: 12 bytes in base 64.</param>
    /// <param name="size"><c>--bpf-lb-maglev-table-size</c>: a prime.</param>
    /// <exception cref="ArgumentException">The seed is no base 64 or not of 12 bytes, or the size is no prime.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The size is out of range.</exception>
    public CiliumMaglev(string seed = DefaultSeed, int size = DefaultSize)
    {
        ArgumentNullException.ThrowIfNull(seed);
        MaglevTable.CheckSize(size);
        Span<byte> bytes = stackalloc byte[12];
        if (seed.Length != 16 || !Convert.TryFromBase64String(seed, bytes, out int written) || written != bytes.Length)
        {
            throw new ArgumentException($"\"{seed}\" is no seed for Cilium's Maglev: that is 12 bytes in base 64, 16 letters.", nameof(seed));
        }

        Size = size;
        _backendSeed = BinaryPrimitives.ReadUInt32BigEndian(bytes);
        _packetSeedV4 = BinaryPrimitives.ReadUInt32BigEndian(bytes[4..]);
        _packetSeedV6 = BinaryPrimitives.ReadUInt32BigEndian(bytes[8..]);
    }

    /// <summary>Slots of every table.</summary>
    public int Size { get; }

    /// <summary>Fills a table.</summary>
    /// <param name="backends">In any order.</param>
    /// <returns>The id of the backend of every slot; empty without backends.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A weight is not from 1 to 65535, or a protocol is none of Cilium's.</exception>
    public int[] Build(IReadOnlyList<CiliumBackend> backends)
    {
        ArgumentNullException.ThrowIfNull(backends);
        foreach (CiliumBackend backend in backends)
        {
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(backend.Weight, nameof(backends));
            ArgumentOutOfRangeException.ThrowIfGreaterThan(backend.Weight, ushort.MaxValue, nameof(backends));
        }

        if (backends.Count == 0)
        {
            return [];
        }

        (string Text, CiliumBackend Backend)[] sorted = [.. backends.Select(backend => (Text: backend.HashText, Backend: backend))
            .OrderBy(entry => entry.Text, StringComparer.Ordinal)];
        var next = new int[sorted.Length];
        var skips = new int[sorted.Length];
        var targets = new double[sorted.Length];
        for (int i = 0; i < sorted.Length; i++)
        {
            (ulong first, ulong second) = Murmur3.Hash128(Encoding.ASCII.GetBytes(sorted[i].Text), _backendSeed);
            next[i] = (int)(first % (uint)Size);
            skips[i] = (int)(second % (uint)(Size - 1)) + 1;
            targets[i] = sorted[i].Backend.Weight / (double)sorted.Length;
        }

        return Fill([.. sorted.Select(entry => entry.Backend)], next, skips, targets);
    }

    /// <summary>The slot a packet of a flow is looked up in, for a service without session affinity: the destination address does not count.</summary>
    /// <param name="key">The flow, as the client sends it.</param>
    public int SlotOf(in FlowKey key)
    {
        // Addresses and ports as they stand in the header, read as numbers of a machine that reads the lowest byte first.
        uint ports = BinaryPrimitives.ReverseEndianness((uint)(key.Transport >> 32));
        if (key.Family != 6)
        {
            return (int)(JenkinsHash.Hash(BinaryPrimitives.ReverseEndianness((uint)key.SourceLow), ports, key.Protocol, _packetSeedV4) % (uint)Size);
        }

        uint a = BinaryPrimitives.ReverseEndianness((uint)(key.SourceHigh >> 32)), b = BinaryPrimitives.ReverseEndianness((uint)key.SourceHigh);
        uint c = BinaryPrimitives.ReverseEndianness((uint)(key.SourceLow >> 32));
        JenkinsHash.Mix(ref a, ref b, ref c);
        a += BinaryPrimitives.ReverseEndianness((uint)key.SourceLow);
        b += ports;
        c += key.Protocol;
        JenkinsHash.Mix(ref a, ref b, ref c);
        return (int)(JenkinsHash.Finish(a + _packetSeedV6, b, c) % (uint)Size);
    }

    /// <summary>Slot for slot the backends have turns; a backend that has had more than its weight allows passes its turn on to the next.</summary>
    private int[] Fill(CiliumBackend[] backends, int[] next, int[] skips, double[] targets)
    {
        long sum = backends.Sum(backend => (long)backend.Weight);
        bool weighted = sum / backends.Length > 1;
        var slots = new int[Size];
        var free = new FreeSlots(Size);
        for (int turn = 0; turn < Size; turn++)
        {
            int i = turn % backends.Length;
            if (weighted)
            {
                while ((ulong)(turn + 1) * (ulong)backends[i].Weight < (ulong)targets[i])
                {
                    i = i + 1 == backends.Length ? 0 : i + 1;
                }

                targets[i] += sum;
            }

            slots[free.Take(ref next[i], skips[i])] = backends[i].Id;
        }

        return slots;
    }
}
