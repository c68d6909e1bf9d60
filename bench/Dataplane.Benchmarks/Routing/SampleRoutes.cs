using Dataplane.Packets;

namespace Dataplane.Benchmarks.Routing;

/// <summary>Routes with the mix of prefix lengths of public BGP tables: more than half /24 and /48.</summary>
internal static class SampleRoutes
{
    private static readonly int[] s_lengthsV4 = [24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 23, 23, 22, 22, 22, 21, 20, 19, 16];
    private static readonly int[] s_lengthsV6 = [48, 48, 48, 48, 48, 48, 48, 48, 48, 47, 46, 44, 44, 40, 40, 36, 32, 32, 32, 29];
    private static readonly ulong[] s_registriesV6 = [0x2001, 0x2400, 0x2600, 0x2800, 0x2A00, 0x2C00];

    public static (IpPrefix Prefix, int Value)[] V4(Random random, int count)
    {
        var routes = new (IpPrefix, int)[count];
        for (int i = 0; i < count; i++)
        {
            var address = IpAddress.FromV4((uint)random.NextInt64(0x0100_0000, 0xE000_0000));
            routes[i] = (new IpPrefix(address, s_lengthsV4[random.Next(s_lengthsV4.Length)]).Network, random.Next(250));
        }

        return routes;
    }

    public static (IpPrefix Prefix, int Value)[] V6(Random random, int count)
    {
        var routes = new (IpPrefix, int)[count];
        for (int i = 0; i < count; i++)
        {
            // Allocations fill the registries' blocks from below; a thousand /32 each, cut up by their holders.
            ulong high = (s_registriesV6[random.Next(s_registriesV6.Length)] << 48) | ((ulong)(uint)random.Next(1000) << 32) | (uint)random.NextInt64(1L << 32);
            routes[i] = (new IpPrefix(IpAddress.FromV6(high, 0), s_lengthsV6[random.Next(s_lengthsV6.Length)]).Network, random.Next(250));
        }

        return routes;
    }

    public static IpAddress AddressIn(Random random, IpPrefix prefix)
    {
        var noise = new UInt128((ulong)random.NextInt64(), (ulong)random.NextInt64());
        return IpAddress.FromBits(prefix.Family, prefix.First.Bits | (noise & (prefix.First.Bits ^ prefix.Last.Bits)));
    }
}
