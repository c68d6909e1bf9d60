using Dataplane.Flows;
using Dataplane.Nat;
using Dataplane.Packets;

namespace Dataplane.Tests.Nat;

/// <summary>What a mapping remembers beyond its flows.</summary>
public sealed class PortMappingsTests
{
    /// <summary>Several flows use a mapping, and each says when its own inside was heard: the latest counts, across the wrap of the clock too.</summary>
    [Theory]
    [InlineData(10u)]
    [InlineData(3u)]
    public void Refresh_ByFlowsInAnyOrder_KeepsTheLatest(uint latest)
    {
        IpAddress inside = IpAddress.Parse("10.1.0.11"), outside = IpAddress.Parse("198.51.100.1");
        var mappings = new PortMappings(new FlowHash(1), 16);
        int index = mappings.Add(inside, 4000, outside, 4001, IpProtocols.Udp, 0, 1);
        var inward = new FlowEntry { Key = FlowKey.Create(IpAddress.Parse("203.0.113.1"), 53, outside, 4001, IpProtocols.Udp) };
        mappings[index].LastSent = latest - 9;
        foreach (uint ticks in new[] { latest - 5, latest, latest - 4, latest - 5 })
        {
            mappings.Refresh(in inward, ticks);
        }

        Assert.Equal(latest, mappings[index].LastSent);
        Assert.Equal(index, mappings.FindInside(inside, 4000, IpProtocols.Udp, 0, 1));
    }
}
