using Dataplane.Gateway.Networks;
using Dataplane.Names;
using Dataplane.Packets;

namespace Dataplane.Gateway.Tests.Networks;

/// <summary>Zones change where endpoints add to them or take away, and nowhere else.</summary>
public sealed class NetworkZonesTests
{
    [Fact]
    public void ToSpecs_RecordOfTwoEndpoints_StaysUntilBothAreGone()
    {
        var zones = new NetworkZones();
        NameRecord record = Record("web", 1), same = Record("web", 1);
        zones.Add("web", record);
        zones.Add("WEB", same);
        Assert.Single(Assert.Single(zones.ToSpecs()).Records);
        zones.Remove("web", record);
        Assert.Single(Assert.Single(zones.ToSpecs()).Records);
        zones.Remove("web", same);
        Assert.Empty(zones.ToSpecs());
    }

    [Fact]
    public void ToSpecs_OneOfAThousandZonesChanged_MakesThatOneAnew()
    {
        var zones = new NetworkZones();
        for (int number = 0; number < 1000; number++)
        {
            zones.Add($"c{number}", Record($"c{number}", number));
        }

        IReadOnlyList<ZoneSpec> before = zones.ToSpecs();
        int made = zones.ZonesMade;
        zones.Add("c7", Record("c7", 2000));
        zones.Remove("c9", Record("c9", 9));
        IReadOnlyList<ZoneSpec> after = zones.ToSpecs();
        Assert.Equal(2, zones.ZonesMade - made);
        Assert.Equal(["c7"], after.Except(before, ReferenceEqualityComparer.Instance).Cast<ZoneSpec>().Select(zone => zone.Name));
        Assert.Equal(["c7", "c9"], before.Except(after, ReferenceEqualityComparer.Instance).Cast<ZoneSpec>().Select(zone => zone.Name));
        Assert.Equal(1000, before.Count);
    }

    private static NameRecord Record(string name, int number) => NameRecord.Of(name, IpAddress.FromV4(0x0A000000 + (uint)number));
}
