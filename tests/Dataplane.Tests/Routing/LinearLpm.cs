using Dataplane.Packets;

namespace Dataplane.Tests.Routing;

/// <summary>The oracle: looks at every prefix and keeps the longest, of equal ones the last.</summary>
internal static class LinearLpm
{
    public static int Lookup(IReadOnlyList<(IpPrefix Prefix, int Value)> routes, IpAddress address)
    {
        int best = -1, value = -1;
        foreach ((IpPrefix prefix, int candidate) in routes)
        {
            if (prefix.Length >= best && prefix.Contains(address))
            {
                (best, value) = (prefix.Length, candidate);
            }
        }

        return value;
    }

    /// <summary>The addresses where a table can go wrong: both ends of every prefix and their neighbours.</summary>
    public static IEnumerable<IpAddress> Probes(IReadOnlyList<(IpPrefix Prefix, int Value)> routes)
    {
        foreach ((IpPrefix prefix, _) in routes)
        {
            yield return prefix.Address;
            yield return prefix.First;
            yield return prefix.Last;
            yield return IpAddress.FromBits(prefix.Family, prefix.First.Bits - 1);
            yield return IpAddress.FromBits(prefix.Family, prefix.Last.Bits + 1);
        }

        foreach (IpFamily family in new[] { IpFamily.V4, IpFamily.V6 })
        {
            yield return IpAddress.FromBits(family, 0);
            yield return IpAddress.FromBits(family, UInt128.MaxValue);
        }
    }
}
