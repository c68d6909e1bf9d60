using Dataplane.Packets;

namespace Dataplane.Tests.Conformance;

/// <summary>The world of all cases: a gateway between an outside ("wan") and an inside ("lan"), with every neighbour known.</summary>
/// <remarks>Outside a client at .2 of the link, and behind it many remote hosts; inside hosts 11 to 13; a service address that is on no link.</remarks>
internal static class ConformanceWorld
{
    public static readonly MacAddress WanMac = MacAddress.Parse("02:00:00:00:00:01");
    public static readonly MacAddress LanMac = MacAddress.Parse("02:00:00:00:00:02");
    public static readonly MacAddress ClientMac = MacAddress.Parse("02:00:00:00:01:01");
    public static readonly MacAddress ServerMac = MacAddress.Parse("02:00:00:00:02:01");

    /// <summary>Adds interfaces, neighbours and the route to the remote hosts; ports "wan" and "lan" are the caller's.</summary>
    public static DataplaneBuilder AddTo(DataplaneBuilder builder)
    {
        builder.Interface("wan", "198.51.100.1/24").Interface("wan", "2001:db8:1::1/64").Interface("lan", "10.1.0.1/24").Interface("lan", "2001:db8:2::1/64")
            .Neighbour("wan", "198.51.100.2", ClientMac.ToString()).Neighbour("wan", "2001:db8:1::2", ClientMac.ToString())
            .Route("203.0.113.0/24", "198.51.100.2").Route("2001:db8:9::/64", "2001:db8:1::2")
            .Workers(workers => workers with { Seed = 1, FlowEntries = 4096, IcmpErrorsPerSecond = 100_000 });
        foreach (int host in Enumerable.Range(11, 3))
        {
            builder.Neighbour("lan", $"10.1.0.{host}", ServerMac.ToString()).Neighbour("lan", $"2001:db8:2::{host}", ServerMac.ToString());
        }

        return builder;
    }
}
