using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.SystemTests.Support;
using Dataplane.Telemetry;
using Dataplane.Tests.Conformance;

namespace Dataplane.SystemTests.Conformance;

/// <summary>The cases of conformance through real rings, after a reload: one engine for a group, which begins without the group's configuration and gets it while it runs.</summary>
public sealed class RingConformanceTests(Wire wire) : IClassFixture<Wire>
{
    public static TheoryData<string> Groups => [.. ConformanceGroups.All.Where(group => group.Cases.Any(CasePlayer.CanBePlayed)).Select(group => group.Name)];

    [SystemTheory]
    [MemberData(nameof(Groups))]
    public async Task Group_ThroughRingsAfterAReload_IsAsInMemory(string name)
    {
        ConformanceGroup group = ConformanceGroups.Of(name);
        wire.Lay();
        wire.SetLanMtu(group.LanMtuBytes);
        (PortSource wan, PortSource lan) = (Source("wan", ConformanceWorld.WanMac), Source("lan", ConformanceWorld.LanMac));
        await using DataplaneEngine engine = NewBuilder(wan, lan).Build();
        await engine.StartAsync();
        DataplaneBuilder configured = NewBuilder(wan, lan);
        group.Configure(configured);
        await engine.UpdateAsync(configured.ToSpec());
        string said = string.Join("\n\n", CasePlayer.Play(group, new RingBed(wire, engine)).Select(failure => failure.Said));
        Assert.True(said.Length == 0, said);
        await engine.StopAsync();
        Accounting accounting = engine.ReadAccounting();
        Assert.True(accounting.IsBalanced && accounting.Held == 0, accounting.ToString());
    }

    private static DataplaneBuilder NewBuilder(PortSource wan, PortSource lan) => ConformanceWorld.AddTo(new DataplaneBuilder().Port("wan", wan).Port("lan", lan));

    private PortSource Source(string name, MacAddress mac) => PortSource.Custom(new AfPacketPortFactory(name)
    {
        Mac = mac,
        ReceiveOptions = new AfPacketReceiveOptions { NetworkNamespace = wire.Home.Name },
        TransmitOptions = new AfPacketTransmitOptions { NetworkNamespace = wire.Home.Name },
    });
}
