using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Bridging;

/// <summary>Which port of a bridge a hardware address was last seen behind, for each VLAN.</summary>
/// <remarks>
/// <para>Theory of operation. Buckets of eight places, two cache lines each; an address has one bucket, by a hash whose key is drawn at random, so that nobody can choose addresses that
/// share one. Nothing is ever pushed out: an address for which there is no place, neither empty nor aged, is not learnt. So a flood of addresses costs those that come behind it, and
/// takes nothing from those that are known; how many one port can take is limited besides.</para>
/// <para>All workers read and write. A place is claimed by one atomic exchange of its key; its value, one word of port, time and sixteen bits of the hash, is written behind it. Whoever
/// reads a key with the value of another address sees by these bits that the two do not belong together, and takes the address for unknown. Two workers that learn one address at the
/// same moment may give it two places; the first is found, the second ages.</para>
/// </remarks>
internal sealed class MacTable
{
    private const int Ways = 8, WordsOfPlace = 2;
    private const ulong Valid = 1UL << 63;
    private const int TicksForAll = 10;

    private readonly CacheLineArray<ulong> _words;
    private readonly int[] _counts;
    private readonly int[] _recount;
    private readonly int _shift;
    private readonly int _ageing;
    private readonly ulong _seed;
    private readonly ulong _multiplier;
    private int _sweep;
    private long _changes;
    private long _changesBefore;

    /// <param name="entries">Places, rounded up to a power of two.</param>
    /// <param name="ports">Ports of the bridge.</param>
    /// <param name="ageingSeconds">How long an address is kept without a frame of it.</param>
    public MacTable(int entries, int ports, int ageingSeconds)
    {
        Capacity = Math.Max(Ways, (int)BitOperations.RoundUpToPowerOf2((uint)entries));
        _words = new CacheLineArray<ulong>(Capacity * WordsOfPlace);
        _counts = new int[ports];
        _recount = new int[ports];
        _shift = 64 - BitOperations.Log2((uint)(Capacity / Ways));
        _ageing = ageingSeconds;
        _seed = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong)));
        _multiplier = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong))) | 1;
    }

    /// <summary>Places there are.</summary>
    public int Capacity { get; }

    /// <summary>Time as it is kept: whole seconds.</summary>
    public static uint SecondsOf(long nowNs) => (uint)(nowNs / 1_000_000_000);

    /// <summary>An address of a VLAN as one word.</summary>
    public static ulong KeyOf(ulong mac, int vlan) => mac | ((ulong)vlan << 48) | Valid;

    /// <summary>Addresses learnt behind a port; it may be out by a few while several workers learn, for some seconds.</summary>
    public int CountOf(int port) => Math.Max(0, Volatile.Read(ref _counts[port]));

    /// <summary>The port behind which an address was seen, by its place in the bridge; -1 when it is not known.</summary>
    public int Find(ulong key, uint now)
    {
        ulong hash = HashOf(key);
        Span<Place> bucket = BucketOf(hash);
        for (int way = 0; way < bucket.Length; way++)
        {
            if (Volatile.Read(ref bucket[way].Key) == key)
            {
                ulong value = Volatile.Read(ref bucket[way].Value);
                return IsOf(value, hash) && !IsAged(value, now) ? PortOf(value) : -1;
            }
        }

        return -1;
    }

    /// <summary>Notes that a frame of an address came by a port.</summary>
    /// <param name="key">The address.</param>
    /// <param name="port">The port, by its place in the bridge.</param>
    /// <param name="limit">Addresses that the port may have.</param>
    /// <param name="moves">Addresses that may come to the port from others.</param>
    /// <param name="nowNs">Worker time.</param>
    public Learning Learn(ulong key, int port, int limit, TokenBucket moves, long nowNs)
    {
        uint now = SecondsOf(nowNs);
        ulong hash = HashOf(key), seen = ValueOf(port, now, hash);
        Span<Place> bucket = BucketOf(hash);
        int free = -1;
        for (int way = 0; way < bucket.Length; way++)
        {
            ref Place place = ref bucket[way];
            ulong known = Volatile.Read(ref place.Key), value = Volatile.Read(ref place.Value);
            if (known == key && IsOf(value, hash) && !IsAged(value, now))
            {
                return value == seen ? Learning.Known : Renew(ref place, value, seen, port, moves, nowNs);
            }

            if (known == key || (free < 0 && (known == 0 || IsAged(value, now))))
            {
                free = way;
                if (known == key)
                {
                    break;
                }
            }
        }

        return free < 0 || CountOf(port) >= limit || !TryClaim(ref bucket[free], key, seen, port) ? Learning.Refused : Learning.Learnt;
    }

    /// <summary>Empties a tenth of the places of what has aged; ten times a second, by one worker.</summary>
    public void Sweep(long nowNs)
    {
        uint now = SecondsOf(nowNs);
        if (_sweep == 0)
        {
            _changesBefore = Volatile.Read(ref _changes);
            Array.Clear(_recount);
        }

        int end = (int)((long)Capacity * (_sweep + 1) / TicksForAll);
        for (int at = (int)((long)Capacity * _sweep / TicksForAll); at < end; at++)
        {
            ref Place place = ref PlacesFrom(at)[0];
            ulong key = Volatile.Read(ref place.Key), value = Volatile.Read(ref place.Value);
            if (key == 0)
            {
                continue;
            }

            if (!IsAged(value, now))
            {
                _recount[PortOf(value)]++;
            }
            else if (Interlocked.CompareExchange(ref place.Key, 0, key) == key)
            {
                Count(PortOf(value), -1);
            }
        }

        _sweep = (_sweep + 1) % TicksForAll;
        if (_sweep == 0 && Volatile.Read(ref _changes) == _changesBefore)
        {
            // Two workers that change one place at the same moment can count it wrongly. With nothing changed meanwhile the places themselves say what is right.
            _recount.CopyTo(_counts, 0);
        }
    }

    /// <summary>Forgets addresses. Any thread; a frame that comes meanwhile may have its address learnt again at once.</summary>
    /// <param name="port">Those behind a port, by its place in the bridge; -1: behind any.</param>
    /// <param name="vlan">Those of a VLAN; -1: of any.</param>
    /// <param name="mac">This one; 0: all.</param>
    /// <returns>How many were forgotten.</returns>
    public int Forget(int port, int vlan, ulong mac)
    {
        int forgotten = 0;
        for (int at = 0; at < Capacity; at++)
        {
            ref Place place = ref PlacesFrom(at)[0];
            ulong key = Volatile.Read(ref place.Key), value = Volatile.Read(ref place.Value);
            bool isMeant = key != 0 && (port < 0 || PortOf(value) == port) && (vlan < 0 || VlanOf(key) == vlan) && (mac == 0 || MacOf(key) == mac);
            if (isMeant && Interlocked.CompareExchange(ref place.Key, 0, key) == key)
            {
                Count(PortOf(value), -1);
                forgotten++;
            }
        }

        return forgotten;
    }

    /// <summary>Takes over what another table knows.</summary>
    /// <param name="other">The other table.</param>
    /// <param name="ports">By place of a port in the other's bridge: its place in this one, or -1.</param>
    /// <param name="limits">Addresses that each port may have.</param>
    /// <param name="nowNs">Worker time.</param>
    public void TakeOver(MacTable other, ReadOnlySpan<int> ports, ReadOnlySpan<int> limits, long nowNs)
    {
        var none = new TokenBucket(0, 0);
        foreach ((ulong key, ulong value) in other.All())
        {
            if (!other.IsAged(value, SecondsOf(nowNs)) && ports[PortOf(value)] is >= 0 and int port)
            {
                Learn(key, port, limits[port], none, (long)SecondsOfValue(value) * 1_000_000_000);
            }
        }
    }

    /// <summary>What is known. Any thread; allocates.</summary>
    /// <param name="nowNs">Worker time.</param>
    public IEnumerable<(MacAddress Mac, int Vlan, int Port, int AgeSeconds)> Read(long nowNs)
    {
        uint now = SecondsOf(nowNs);
        foreach ((ulong key, ulong value) in All())
        {
            if (!IsAged(value, now))
            {
                yield return (new MacAddress(MacOf(key)), VlanOf(key), PortOf(value), Math.Max(0, (int)(now - SecondsOfValue(value))));
            }
        }
    }

    private static ulong MacOf(ulong key) => key & 0xFFFF_FFFF_FFFF;

    private static int VlanOf(ulong key) => (int)(key >> 48) & 0xFFF;

    private static int PortOf(ulong value) => (int)(value >> 32) & 0xFFFF;

    private static uint SecondsOfValue(ulong value) => (uint)value;

    /// <summary>Port, time, and sixteen bits of the hash below those that choose the bucket.</summary>
    private ulong ValueOf(int port, uint seconds, ulong hash) => ((ulong)TagOf(hash) << 48) | ((ulong)(uint)port << 32) | seconds;

    private ushort TagOf(ulong hash) => (ushort)(hash >> (_shift - 16));

    private bool IsOf(ulong value, ulong hash) => (ushort)(value >> 48) == TagOf(hash);

    // Signed: another worker's clock may be a moment ahead.
    private bool IsAged(ulong value, uint now) => (int)(now - SecondsOfValue(value)) > _ageing;

    /// <summary>Spreads addresses that follow each other too, which hosts of one make do: one multiplication by any odd number leaves some of these in heaps.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // Twice per frame, three multiplications.
    private ulong HashOf(ulong key)
    {
        ulong hash = (key ^ _seed) * 0x9E37_79B9_7F4A_7C15;
        hash = (hash ^ (hash >> 32)) * _multiplier;
        return (hash ^ (hash >> 29)) * 0xBF58_476D_1CE4_E5B9;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)] // Twice per frame, a shift and an addition.
    private Span<Place> BucketOf(ulong hash) => PlacesFrom((int)(_shift == 64 ? 0 : hash >> _shift) * Ways)[..Ways];

    [MethodImpl(MethodImplOptions.AggressiveInlining)] // Twice per frame, two additions.
    private Span<Place> PlacesFrom(int at) =>
        MemoryMarshal.Cast<ulong, Place>(_words.Elements.AsSpan(_words.Start + (at * WordsOfPlace), (Capacity - at) * WordsOfPlace));

    private IEnumerable<(ulong Key, ulong Value)> All()
    {
        for (int at = 0; at < Capacity; at++)
        {
            ulong key = Volatile.Read(ref PlacesFrom(at)[0].Key), value = Volatile.Read(ref PlacesFrom(at)[0].Value);
            if (key != 0 && IsOf(value, HashOf(key)))
            {
                yield return (key, value);
            }
        }
    }

    private Learning Renew(ref Place place, ulong value, ulong seen, int port, TokenBucket moves, long nowNs)
    {
        int before = PortOf(value);
        if (before == port)
        {
            Volatile.Write(ref place.Value, seen);
            return Learning.Known;
        }

        if (!moves.TryTake(nowNs))
        {
            return Learning.MoveRefused;
        }

        Volatile.Write(ref place.Value, seen);
        Count(before, -1);
        Count(port, 1);
        return Learning.Moved;
    }

    private bool TryClaim(ref Place place, ulong key, ulong seen, int port)
    {
        ulong known = Volatile.Read(ref place.Key), value = Volatile.Read(ref place.Value);
        if (Interlocked.CompareExchange(ref place.Key, key, known) != known)
        {
            return false;
        }

        Volatile.Write(ref place.Value, seen);
        if (known != 0)
        {
            Count(PortOf(value), -1);
        }

        Count(port, 1);
        return true;
    }

    private void Count(int port, int change)
    {
        Interlocked.Add(ref _counts[port], change);
        Interlocked.Increment(ref _changes);
    }

    private struct Place
    {
        public ulong Key;
        public ulong Value;
    }
}
