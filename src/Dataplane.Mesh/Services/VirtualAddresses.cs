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

    private readonly Dictionary<IpAddress, ulong> _owners = [];
    private readonly Dictionary<string, IpAddress> _given = new(StringComparer.Ordinal);

    /// <summary>Gives each name an address.</summary>
    /// <param name="range">The range.</param>
    /// <param name="reserved">Addresses that are taken.</param>
    /// <param name="names">Who wants one.</param>
    public static IReadOnlyDictionary<string, IpAddress> Allocate(IpPrefix range, IReadOnlySet<IpAddress> reserved, IEnumerable<string> names)
    {
        var pool = new VirtualAddresses();
        var waiting = new Stack<(string Name, int Try)>(names.Distinct(StringComparer.Ordinal).OrderDescending(StringComparer.Ordinal).Select(name => (name, 0)));
        var holders = new Dictionary<IpAddress, (string Name, int Try)>();
        while (waiting.TryPop(out (string Name, int Try) next))
        {
            for (; next.Try < MaxTries; next.Try++)
            {
                ulong claim = XxHash64.Hash(Encoding.UTF8.GetBytes(next.Name), (ulong)next.Try);
                IpAddress address = AddressOf(range, claim);
                if (reserved.Contains(address) || (pool._owners.TryGetValue(address, out ulong held) && held <= claim))
                {
                    continue;
                }

                if (holders.Remove(address, out (string Name, int Try) former))
                {
                    pool._given.Remove(former.Name);
                    waiting.Push((former.Name, former.Try + 1));
                }

                (pool._owners[address], pool._given[next.Name], holders[address]) = (claim, address, next);
                break;
            }
        }

        return pool._given;
    }

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
