using System.Text;
using Dataplane.Hashing;
using Dataplane.Packets;

namespace Dataplane.Mesh.Services;

/// <summary>Gives services addresses that depend on their names alone, so that every gateway gives the same ones without asking another.</summary>
/// <remarks>
/// An address is the hash of the name; of two names that want one address, the one whose hash is smaller gets it and the other its next choice. So an address changes
/// when a service comes that has a better claim to it: with 1,000 services in a /16, to less than one in a hundred of new services. Who needs more certainty names
/// the address. Names in the first sixteenth of the range (at least 16, at most 256 addresses) are never taken: those are for services that name theirs,
/// as in Kubernetes (KEP-3070).
/// </remarks>
internal sealed class VirtualAddresses
{
    private const int MaxTries = 64;

    private readonly IpPrefix _range;
    private readonly Dictionary<IpAddress, ulong> _owners = [];
    private readonly Dictionary<string, IpAddress> _given = new(StringComparer.Ordinal);

    /// <summary>Addresses that some name wanted and did not get: should one become free, other names may have other addresses.</summary>
    private readonly HashSet<IpAddress> _refused = [];

    /// <summary>Names that had an address for a while and lost it to another: who lost one to them meanwhile might have it still, had they never come.</summary>
    private readonly HashSet<string> _displaced = new(StringComparer.Ordinal);

    /// <summary>Gives each name an address.</summary>
    /// <param name="range">The range.</param>
    /// <param name="reserved">Addresses that are taken.</param>
    /// <param name="names">Who wants one.</param>
    public VirtualAddresses(IpPrefix range, IReadOnlySet<IpAddress> reserved, IEnumerable<string> names)
    {
        _range = range;
        Allocate(reserved, names);
    }

    /// <summary>Who got which address.</summary>
    public IReadOnlyDictionary<string, IpAddress> Given => _given;

    /// <summary>Gives each name an address.</summary>
    /// <param name="range">The range.</param>
    /// <param name="reserved">Addresses that are taken.</param>
    /// <param name="names">Who wants one.</param>
    public static IReadOnlyDictionary<string, IpAddress> Allocate(IpPrefix range, IReadOnlySet<IpAddress> reserved, IEnumerable<string> names) =>
        new VirtualAddresses(range, reserved, names)._given;

    /// <summary>Gives one name more an address, if that changes none of another.</summary>
    /// <returns>False when another name would have to give way: then all must be given anew.</returns>
    public bool TryAdd(string name, IReadOnlySet<IpAddress> reserved)
    {
        for (int number = 0; number < MaxTries; number++)
        {
            ulong claim = ClaimOf(name, number);
            IpAddress address = AddressOf(_range, claim);
            bool isHeld = _owners.TryGetValue(address, out ulong held);
            if (!isHeld && !reserved.Contains(address))
            {
                (_owners[address], _given[name]) = (claim, address);
                return true;
            }

            if (isHeld && held > claim)
            {
                return false;
            }

            _refused.Add(address);
        }

        return true;
    }

    /// <summary>Takes the address of a name back, if no other name has another address for its sake: nobody wanted that one, and all others the name wanted were taken when it came.</summary>
    /// <returns>False when that is not so: then all must be given anew.</returns>
    public bool TryRemove(string name)
    {
        if (_displaced.Contains(name))
        {
            return false;
        }

        if (!_given.TryGetValue(name, out IpAddress address))
        {
            return true;
        }

        return MayFree(address) && _given.Remove(name) && _owners.Remove(address);
    }

    /// <summary>Whether nobody has an address, so that reserving it changes nothing.</summary>
    public bool MayReserve(IpAddress address) => !_owners.ContainsKey(address);

    /// <summary>Whether nobody wanted an address who did not get it, so that freeing it changes nothing.</summary>
    public bool MayFree(IpAddress address) => !_refused.Contains(address);

    private void Allocate(IReadOnlySet<IpAddress> reserved, IEnumerable<string> names)
    {
        var waiting = new Stack<(string Name, int Try)>(names.Distinct(StringComparer.Ordinal).OrderDescending(StringComparer.Ordinal).Select(name => (name, 0)));
        var holders = new Dictionary<IpAddress, (string Name, int Try)>();
        while (waiting.TryPop(out (string Name, int Try) next))
        {
            for (; next.Try < MaxTries; next.Try++)
            {
                ulong claim = ClaimOf(next.Name, next.Try);
                IpAddress address = AddressOf(_range, claim);
                if (reserved.Contains(address) || (_owners.TryGetValue(address, out ulong held) && held <= claim))
                {
                    _refused.Add(address);
                    continue;
                }

                if (holders.Remove(address, out (string Name, int Try) former))
                {
                    _refused.Add(address);
                    _displaced.Add(former.Name);
                    _given.Remove(former.Name);
                    waiting.Push((former.Name, former.Try + 1));
                }

                (_owners[address], _given[next.Name], holders[address]) = (claim, address, next);
                break;
            }
        }
    }

    private static ulong ClaimOf(string name, int number) => XxHash64.Hash(Encoding.UTF8.GetBytes(name), (ulong)number);

    /// <summary>The part of a range that addresses are taken from, counted from its first address.</summary>
    internal static (UInt128 First, UInt128 Count) Usable(IpPrefix range)
    {
        int bits = Math.Min(range.First.BitLength - range.Length, 64);
        UInt128 size = UInt128.One << bits;
        UInt128 band = UInt128.Min(256, UInt128.Max(16, size / 16));

        // Neither the network's nor the broadcast address; small ranges have no band.
        return size <= 32 ? (size > 2 ? UInt128.One : 0, size > 2 ? size - 2 : size) : (band + 1, size - band - 2);
    }

    private static IpAddress AddressOf(IpPrefix range, ulong claim)
    {
        (UInt128 first, UInt128 count) = Usable(range);
        return IpAddress.FromBits(range.First.Family, range.First.Bits + first + (claim % count));
    }
}
