using System.Security.Cryptography;
using System.Text;
using Dataplane.Packets;

namespace Dataplane.Networks;

/// <summary>Chooses address ranges for networks that name none.</summary>
public static class SubnetPools
{
    private const int UlaSubnetLength = 64;
    private const int UlaSiteLength = 48;

    /// <summary>The pools of Docker, in its order, with the length of the subnets cut from them: 31 networks.</summary>
    private static readonly (IpPrefix Pool, int SubnetLength)[] s_pools =
    [
        (IpPrefix.Parse("172.17.0.0/16"), 16), (IpPrefix.Parse("172.18.0.0/16"), 16), (IpPrefix.Parse("172.19.0.0/16"), 16),
        (IpPrefix.Parse("172.20.0.0/14"), 16), (IpPrefix.Parse("172.24.0.0/14"), 16), (IpPrefix.Parse("172.28.0.0/14"), 16),
        (IpPrefix.Parse("192.168.0.0/16"), 20),
    ];

    /// <summary>The first IPv4 subnet of Docker's default pools that overlaps nothing.</summary>
    /// <param name="taken">Other networks, and where the host has routes to.</param>
    /// <exception cref="LeaseException">All 31 overlap something.</exception>
    public static IpPrefix ChooseIpv4(IReadOnlyCollection<IpPrefix> taken)
    {
        ArgumentNullException.ThrowIfNull(taken);
        foreach ((IpPrefix pool, int length) in s_pools)
        {
            uint step = 1u << (32 - length);
            for (ulong at = pool.First.Low; at <= pool.Last.Low; at += step)
            {
                var candidate = new IpPrefix(IpAddress.FromV4((uint)at), length);
                if (!taken.Any(candidate.Overlaps))
                {
                    return candidate;
                }
            }
        }

        throw new LeaseException("No subnet is free in 172.17.0.0/16 to 172.31.0.0/16 and 192.168.0.0/16: networks and routes of the host take them all. Give the network a subnet.");
    }

    /// <summary>An IPv6 /64 of the unique local addresses (RFC 4193) of a site, that overlaps nothing.</summary>
    /// <param name="site">A word that only this host has, from which its /48 is made.</param>
    /// <param name="network">The network's name, from which the subnet is, so that it gets the same when it is made again.</param>
    /// <param name="taken">Other networks, and where the host has routes to.</param>
    public static IpPrefix ChooseIpv6(string site, string network, IReadOnlyCollection<IpPrefix> taken)
    {
        ArgumentNullException.ThrowIfNull(taken);
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes("dataplane site " + site), hash);
        ulong high = 0xFDUL << 56;
        for (int i = 0; i < 5; i++)
        {
            high |= (ulong)hash[i] << (48 - (8 * i));
        }

        SHA256.HashData(Encoding.UTF8.GetBytes("dataplane network " + network), hash);
        const int Subnets = 1 << (UlaSubnetLength - UlaSiteLength);
        int first = (hash[0] << 8) | hash[1];
        for (int i = 0; i < Subnets; i++)
        {
            var candidate = new IpPrefix(IpAddress.FromV6(high | (ushort)(first + i), 0), UlaSubnetLength);
            if (!taken.Any(candidate.Overlaps))
            {
                return candidate;
            }
        }

        throw new LeaseException($"No /64 is free in the unique local addresses of this host, {new IpPrefix(IpAddress.FromV6(high, 0), UlaSiteLength)}.");
    }
}
