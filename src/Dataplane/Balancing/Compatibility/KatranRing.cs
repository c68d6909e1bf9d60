using System.Buffers.Binary;
using Dataplane.Hashing;
using Dataplane.Packets;

namespace Dataplane.Balancing.Compatibility;

/// <summary>Katran's hash ring, slot by slot, and the slot it looks a packet up in: beside Katran, or in its place, flows keep their backends.</summary>
/// <remarks>Computed from the published algorithm and its constants, checked against the expectations of Katran's own tests.</remarks>
public static class KatranRing
{
    /// <summary>Katran's ring size.</summary>
    public const int DefaultSize = 65537;

    private const uint MaxVips = 512, PacketSeed = MaxVips * DefaultSize;

    /// <summary>Fills a ring.</summary>
    /// <param name="reals">In any order; those of one hash stand in the order of their numbers, which Katran leaves open.</param>
    /// <param name="version">How weights are kept.</param>
    /// <param name="size">Slots: a prime from 2 to <see cref="MaglevTable.MaxSize"/>.</param>
    /// <returns>The number of the real of every slot; -1 everywhere when no real has weight.</returns>
    /// <exception cref="ArgumentException">The size is no prime.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The size is out of range, a weight is negative, or no such version.</exception>
    public static int[] Build(IReadOnlyList<KatranReal> reals, KatranVersion version = KatranVersion.Maglev, int size = DefaultSize)
    {
        ArgumentNullException.ThrowIfNull(reals);
        MaglevTable.CheckSize(size);
        if (version is not (KatranVersion.Maglev or KatranVersion.MaglevV2))
        {
            throw new ArgumentOutOfRangeException(nameof(version), version, "Katran fills its ring by Maglev or MaglevV2.");
        }

        foreach (KatranReal real in reals)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(real.Weight, nameof(reals));
        }

        KatranReal[] sorted = [.. reals.Where(real => real.Weight > 0).OrderBy(real => real.Hash).ThenBy(real => real.Number)];
        var ring = new Ring(sorted, size);
        if (sorted.Length <= 1)
        {
            Array.Fill(ring.Slots, sorted.Length == 0 ? -1 : sorted[0].Number);
        }
        else if (version == KatranVersion.Maglev)
        {
            FillFirst(sorted, ring);
        }
        else
        {
            FillSecond(sorted, ring);
        }

        return ring.Slots;
    }

    /// <summary>The slot a packet of a flow is looked up in, for a service without flags: source address and both ports count.</summary>
    /// <param name="key">The flow, as the client sends it.</param>
    /// <param name="size">Slots of the ring.</param>
    /// <exception cref="ArgumentOutOfRangeException">The size is not positive.</exception>
    public static int SlotOf(in FlowKey key, int size = DefaultSize)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(size);
        uint source = BinaryPrimitives.ReverseEndianness((uint)key.SourceLow);
        if (key.Family == 6)
        {
            Span<byte> bytes = stackalloc byte[16];
            BinaryPrimitives.WriteUInt64BigEndian(bytes, key.SourceHigh);
            BinaryPrimitives.WriteUInt64BigEndian(bytes[8..], key.SourceLow);
            source = JenkinsHash.Hash(bytes, MaxVips);
        }

        // The ports as they stand in the header, read as a number of a machine that reads the lowest byte first.
        uint ports = BinaryPrimitives.ReverseEndianness((uint)(key.Transport >> 32));
        return (int)(JenkinsHash.Hash(source, ports, PacketSeed) % (uint)size);
    }

    private static void FillFirst(KatranReal[] reals, Ring ring)
    {
        for (bool first = true; ring.Free > 0; first = false)
        {
            for (int i = 0; i < reals.Length; i++)
            {
                for (int turns = first ? reals[i].Weight : 1; turns > 0 && ring.Free > 0; turns--)
                {
                    ring.Take(i, reals[i].Number);
                }
            }
        }
    }

    private static void FillSecond(KatranReal[] reals, Ring ring)
    {
        int heaviest = reals.Max(real => real.Weight);
        var credits = new long[reals.Length];
        while (ring.Free > 0)
        {
            for (int i = 0; i < reals.Length && ring.Free > 0; i++)
            {
                credits[i] += reals[i].Weight;
                if (credits[i] >= heaviest)
                {
                    credits[i] -= heaviest;
                    ring.Take(i, reals[i].Number);
                }
            }
        }
    }

    /// <summary>The ring while it is filled.</summary>
    private sealed class Ring
    {
        private readonly uint[] _offsets, _skips, _next;
        private readonly bool[] _taken;

        public Ring(KatranReal[] reals, int size)
        {
            Slots = new int[size];
            Free = size;
            _taken = new bool[size];
            _next = new uint[reals.Length];
            _offsets = Array.ConvertAll(reals, real => (uint)(Murmur3.Hash64(real.Hash, 42, 0) % (uint)size));
            _skips = Array.ConvertAll(reals, real => (uint)(Murmur3.Hash64(real.Hash, 2718281828, 2307) % (uint)(size - 1)) + 1);
        }

        public int[] Slots { get; }

        public int Free { get; private set; }

        /// <summary>Gives a real the first free slot of its permutation, which is computed with 32 bits as Katran does, also where that is too few.</summary>
        public void Take(int real, int number)
        {
            uint slot;
            do
            {
                slot = (_offsets[real] + (_next[real]++ * _skips[real])) % (uint)Slots.Length;
            }
            while (_taken[slot]);

            _taken[slot] = true;
            Slots[slot] = number;
            Free--;
        }
    }
}
