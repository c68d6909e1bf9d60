using System.Numerics;
using System.Runtime.InteropServices;
using Dataplane.Native;
using Dataplane.Packets;

namespace Dataplane.Routing.Lpm;

/// <summary>Longest prefix match for IPv4 at full table size: one byte, one load per lookup (see <see cref="Ipv4PrefixKernel"/>), changed in place.</summary>
/// <remarks>
/// Values are 1 or more and a lookup gives <see cref="NoMatch"/> where no route holds the address; values up to 254 are the fast ones.
/// Any number of threads may look up while one changes routes: none of them waits or is waited for, and each address goes from its old
/// answer to its new one at one instant, whatever a change consists of. What readers might still hold is used again only after each of them
/// has passed between two batches (<see cref="GracePeriods"/>).
/// </remarks>
internal sealed class Ipv4Lpm : IDisposable
{
    /// <summary>What a lookup gives when no route holds the address.</summary>
    public const int NoMatch = 0;

    private readonly Ipv4Rib _rib = new();
    private readonly MappedRegion _table;
    private readonly BlockArena _blocks;
    private readonly Ipv4AreaPainter _painter;

    /// <summary>One bit for each area whose cells are not what the routes say.</summary>
    private readonly ulong[] _dirty = new ulong[Ipv4Rib.Areas / 64];

    /// <summary>Makes an empty table; it takes 17 MB of address space, and of memory what routes touch.</summary>
    /// <param name="periods">Where readers say that they have passed.</param>
    public Ipv4Lpm(GracePeriods periods)
    {
        _table = MappedRegion.Allocate(Ipv4PrefixKernel.TableBytes);
        _blocks = new BlockArena(Ipv4PrefixKernel.BlockCapacityBytes, Ipv4PrefixKernel.BlockBytes, periods);
        _painter = new Ipv4AreaPainter(_rib, _table, _blocks, periods);
    }

    /// <summary>Routes.</summary>
    public int Count => _rib.Count;

    /// <summary>Bytes that lookups read from.</summary>
    public long MemoryBytes => Ipv4PrefixKernel.TableBytes + _blocks.UsedBytes;

    /// <summary>Bytes that only changes need: the routes themselves.</summary>
    public long ControlBytes => _rib.MemoryBytes;

    /// <summary>The value of the longest route that holds an address, or <see cref="NoMatch"/>.</summary>
    /// <param name="address">In host order.</param>
    public int Lookup(uint address) => Ipv4PrefixKernel.Lookup(_table, _blocks.Region, address);

    /// <summary>Looks up many addresses; best in batches of up to 256.</summary>
    /// <param name="addresses">In host order.</param>
    /// <param name="values">Gets a value for each address.</param>
    /// <exception cref="ArgumentException">Fewer values than addresses.</exception>
    public void Lookup(ReadOnlySpan<uint> addresses, Span<int> values) => Lookup(addresses, values, CodePaths.Current);

    /// <inheritdoc cref="Lookup(ReadOnlySpan{uint}, Span{int})"/>
    internal void Lookup(ReadOnlySpan<uint> addresses, Span<int> values, CodePath path)
    {
        if (path == CodePath.Scalar)
        {
            Ipv4PrefixKernel.LookupScalar(_table, _blocks.Region, addresses, values);
        }
        else
        {
            Ipv4PrefixKernel.Lookup(_table, _blocks.Region, addresses, values);
        }
    }

    /// <summary>The value of exactly this route, <see cref="NoMatch"/> when there is none. For the thread that changes routes.</summary>
    public int Find(uint first, int length) => _rib.Find(first & Mask(Checked(length)), length);

    /// <summary>The length of the longest route that holds an address, -1 for none. For the thread that changes routes.</summary>
    public int LongestLength(uint address) => _rib.LongestLength(address);

    /// <summary>Adds or replaces a route.</summary>
    /// <param name="first">An address of the prefix; host bits do not matter.</param>
    /// <param name="length">0 to 32.</param>
    /// <param name="value">1 or more.</param>
    /// <returns>The value it had before, <see cref="NoMatch"/> for none.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A length or value outside its range.</exception>
    /// <exception cref="InvalidOperationException">No room for more divided prefixes. The route is noted and comes into force with the first change after there is room.</exception>
    public int Set(uint first, int length, int value)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(value, 1);
        return Change(first, length, value);
    }

    /// <summary>Withdraws a route.</summary>
    /// <returns>The value it had, <see cref="NoMatch"/> when there was none.</returns>
    /// <inheritdoc cref="Set"/>
    public int Withdraw(uint first, int length) => Change(first, length, NoMatch);

    /// <summary>Sets and withdraws many routes; each address changes once, to what is right after all of them. Of equal prefixes the last counts.</summary>
    /// <exception cref="ArgumentException">A length or value outside its range; nothing was changed.</exception>
    /// <inheritdoc cref="Set"/>
    public void Apply(ReadOnlySpan<Ipv4RouteChange> changes)
    {
        foreach (ref readonly Ipv4RouteChange change in changes)
        {
            if (change.Length > 32 || change.Value < 0)
            {
                throw new ArgumentException($"{change}: the length is 0 to 32 and the value 0 or more.", nameof(changes));
            }
        }

        if (changes.Length < Ipv4Rib.Areas / 64)
        {
            foreach (ref readonly Ipv4RouteChange change in changes)
            {
                Note(in change);
            }
        }
        else
        {
            NoteInOrder(changes);
        }

        RepaintDirty();
    }

    /// <summary>Takes back memory that no reader holds any more. Changes do so too; this is for when there are none for long.</summary>
    public void Reclaim()
    {
        _painter.Reclaim();
        _blocks.Reclaim();
    }

    /// <summary>Frees the memory; no thread may look up any more.</summary>
    public void Dispose()
    {
        _table.Dispose();
        _blocks.Dispose();
    }

    private static uint Mask(int length) => (uint)(0xFFFF_FFFFUL << (32 - length));

    private static int Checked(int length)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)length, 32u, nameof(length));
        return length;
    }

    private int Change(uint first, int length, int value)
    {
        first &= Mask(Checked(length));
        int before = _rib.Set(first, length, value);
        if (before != value)
        {
            int area = (int)(first >> (32 - Ipv4Rib.AreaLength));
            MarkDirty(first, length);
            if (length >= Ipv4Rib.AreaLength)
            {
                // Marked until it is done: what fails for want of memory is tried again with the next bulk change.
                _painter.Paint(area, length > 24 ? (int)(first >> 8) & 63 : -1);
                _dirty[area >> 6] &= ~(1UL << area);
            }
            else
            {
                RepaintDirty();
            }
        }

        return before;
    }

    private void Note(in Ipv4RouteChange change)
    {
        uint first = change.First & Mask(change.Length);
        if (_rib.Set(first, change.Length, change.Value) != change.Value)
        {
            MarkDirty(first, change.Length);
        }
    }

    /// <summary>Notes changes area by area (a counting sort, which keeps the order of equal prefixes): the lists of an area are then in the cache.</summary>
    private void NoteInOrder(ReadOnlySpan<Ipv4RouteChange> changes)
    {
        var next = new int[Ipv4Rib.Areas + 1];
        foreach (ref readonly Ipv4RouteChange change in changes)
        {
            next[(change.First >> (32 - Ipv4Rib.AreaLength)) + 1]++;
        }

        for (int area = 1; area < next.Length; area++)
        {
            next[area] += next[area - 1];
        }

        var sorted = new Ipv4RouteChange[changes.Length];
        foreach (ref readonly Ipv4RouteChange change in changes)
        {
            sorted[next[change.First >> (32 - Ipv4Rib.AreaLength)]++] = change;
        }

        foreach (ref readonly Ipv4RouteChange change in sorted.AsSpan())
        {
            Note(in change);
        }
    }

    private void MarkDirty(uint first, int length)
    {
        int area = (int)(first >> (32 - Ipv4Rib.AreaLength));
        int areas = length >= Ipv4Rib.AreaLength ? 1 : 1 << (Ipv4Rib.AreaLength - length);
        if (areas < 64)
        {
            _dirty[area >> 6] |= ((1UL << areas) - 1) << area;
        }
        else
        {
            _dirty.AsSpan(area >> 6, areas >> 6).Fill(ulong.MaxValue);
        }
    }

    private void RepaintDirty()
    {
        for (int word = 0; word < _dirty.Length; word++)
        {
            for (; _dirty[word] != 0; _dirty[word] &= _dirty[word] - 1)
            {
                _painter.Paint((word << 6) + BitOperations.TrailingZeroCount(_dirty[word]), -1);
            }
        }
    }
}
