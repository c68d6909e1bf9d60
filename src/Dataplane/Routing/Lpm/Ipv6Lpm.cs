using Dataplane.Native;
using Dataplane.Packets;

namespace Dataplane.Routing.Lpm;

/// <summary>Longest prefix match for IPv6 at full table size: the first 32 bits by index and mask, then 16 bits a step, each one vector comparison or two (see <see cref="Ipv6PrefixKernel"/>).</summary>
/// <remarks>
/// Values are 1 or more and a lookup gives <see cref="NoMatch"/> where no route holds the address. Any number of threads may look up while one changes
/// routes: none of them waits or is waited for, and each address goes from its old answer to its new one at one instant, whatever a
/// change consists of. A change makes new blocks for what it touches and then changes the one entry that leads to them; the old blocks
/// are used again only after each reader has passed between two batches (<see cref="GracePeriods"/>).
/// </remarks>
internal sealed class Ipv6Lpm : IDisposable
{
    /// <summary>What a lookup gives when no route holds the address.</summary>
    public const int NoMatch = 0;

    private readonly MappedRegion _root;
    private readonly BlockArena _blocks;
    private readonly Ipv6TableWriter _writer;

    /// <summary>Makes an empty table.</summary>
    /// <param name="periods">Where readers say that they have passed.</param>
    public Ipv6Lpm(GracePeriods periods)
    {
        _root = MappedRegion.Allocate(Ipv6PrefixKernel.RootBytes);
        _blocks = new BlockArena(Ipv6PrefixKernel.BlockCapacityBytes, Ipv6PrefixKernel.BlockBytes, periods, Ipv6PrefixKernel.EmptyBytes);
        _writer = new Ipv6TableWriter(_root, _blocks);
    }

    /// <summary>Routes.</summary>
    public int Count => _writer.Count;

    /// <summary>Bytes that lookups read from.</summary>
    public long MemoryBytes => Ipv6PrefixKernel.RootBytes + Ipv6PrefixKernel.EmptyBytes + _blocks.UsedBytes;

    /// <summary>Bytes that only changes need: the routes themselves.</summary>
    public long ControlBytes => _writer.ControlBytes;

    /// <summary>The value of the longest route that holds an address, or <see cref="NoMatch"/>.</summary>
    /// <param name="high">Upper 64 bits in host order.</param>
    /// <param name="low">Lower 64 bits in host order.</param>
    public int Lookup(ulong high, ulong low) => Ipv6PrefixKernel.Lookup(_root, _blocks.Region, high, low);

    /// <summary>Looks up many addresses; best in batches of up to 256.</summary>
    /// <param name="high">Upper 64 bits in host order.</param>
    /// <param name="low">Lower 64 bits in host order.</param>
    /// <param name="values">Gets a value for each address.</param>
    /// <exception cref="ArgumentException">Fewer values or lower halves than upper ones.</exception>
    public void Lookup(ReadOnlySpan<ulong> high, ReadOnlySpan<ulong> low, Span<int> values) => Lookup(high, low, values, CodePaths.Current);

    /// <inheritdoc cref="Lookup(ReadOnlySpan{ulong}, ReadOnlySpan{ulong}, Span{int})"/>
    internal void Lookup(ReadOnlySpan<ulong> high, ReadOnlySpan<ulong> low, Span<int> values, CodePath path)
    {
        if (path == CodePath.Scalar)
        {
            Ipv6PrefixKernel.LookupScalar(_root, _blocks.Region, high, low, values);
        }
        else
        {
            Ipv6PrefixKernel.Lookup(_root, _blocks.Region, high, low, values);
        }
    }

    /// <summary>The value of exactly this route, <see cref="NoMatch"/> when there is none. For the thread that changes routes.</summary>
    public int Find(UInt128 first, int length) => _writer.Find(first, Checked(length));

    /// <summary>The length of the longest route that holds an address, -1 for none. For the thread that changes routes.</summary>
    public int LongestLength(UInt128 address) => _writer.LongestLength(address);

    /// <summary>Adds or replaces a route.</summary>
    /// <param name="first">An address of the prefix; host bits do not matter.</param>
    /// <param name="length">0 to 128.</param>
    /// <param name="value">1 or more.</param>
    /// <returns>The value it had before, <see cref="NoMatch"/> for none.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A length or value outside its range.</exception>
    /// <exception cref="InvalidOperationException">No room for more divided prefixes. The route is noted and comes into force with the first change after there is room.</exception>
    public int Set(UInt128 first, int length, int value)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(value, 1);
        int before = _writer.Note(first, Checked(length), value);
        _writer.Publish();
        return before;
    }

    /// <summary>Withdraws a route.</summary>
    /// <returns>The value it had, <see cref="NoMatch"/> when there was none.</returns>
    /// <inheritdoc cref="Set"/>
    public int Withdraw(UInt128 first, int length)
    {
        int before = _writer.Note(first, Checked(length), NoMatch);
        _writer.Publish();
        return before;
    }

    /// <summary>Sets and withdraws many routes; each address changes once, to what is right after all of them. Of equal prefixes the last counts.</summary>
    /// <exception cref="ArgumentException">A length or value outside its range; nothing was changed.</exception>
    /// <inheritdoc cref="Set"/>
    public void Apply(ReadOnlySpan<Ipv6RouteChange> changes)
    {
        foreach (ref readonly Ipv6RouteChange change in changes)
        {
            if (change.Length > 128 || change.Value < 0)
            {
                throw new ArgumentException($"{change}: the length is 0 to 128 and the value 0 or more.", nameof(changes));
            }
        }

        foreach (ref readonly Ipv6RouteChange change in changes)
        {
            _writer.Note(change.First, change.Length, change.Value);
        }

        _writer.Publish();
    }

    /// <summary>Takes back memory that no reader holds any more. Changes do so too; this is for when there are none for long.</summary>
    public void Reclaim() => _blocks.Reclaim();

    /// <summary>Frees the memory; no thread may look up any more.</summary>
    public void Dispose()
    {
        _root.Dispose();
        _blocks.Dispose();
    }

    private static int Checked(int length)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)length, 128u, nameof(length));
        return length;
    }
}
