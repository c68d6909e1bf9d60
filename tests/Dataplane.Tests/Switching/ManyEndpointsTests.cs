using Dataplane.Filtering;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Switching;
using Dataplane.Tests.Pipeline;

namespace Dataplane.Tests.Switching;

/// <summary>A thousand endpoints in several networks, and one more.</summary>
public sealed class ManyEndpointsTests
{
    private const int Count = 1000, PerNetwork = 250;

    [Fact]
    public async Task ThousandEndpoints_InFourNetworks_ReachEachOtherAndOneMoreIsAttached()
    {
        MemoryPort[] ports = [.. Enumerable.Range(0, Count + 1).Select(_ => new MemoryPort(new MemoryPortOptions { RingSlots = 8 }))];
        DataplaneBuilder Build(int count)
        {
            DataplaneBuilder builder = new DataplaneBuilder().UseTimeProvider(new TestClock())
                .Filter(filter => filter.Deny(port: "p999", protocol: 17, toPort: "9").Deny(port: "p3", protocol: 17, toPort: "9"));
            for (int i = 0; i < count; i++)
            {
                builder.Port($"p{i}", PortSource.Memory(ports[i]));
            }

            foreach (int network in Enumerable.Range(0, (Count / PerNetwork) + 1))
            {
                builder.Network(new NetworkSpec
                {
                    Name = $"n{network}",
                    Subnets = [IpPrefix.Parse($"10.{network}.0.0/16"), IpPrefix.Parse($"fd00:{network}::/64")],
                    Endpoints = [.. Enumerable.Range(network * PerNetwork, PerNetwork).Where(i => i < count).Select(i => new EndpointSpec
                    {
                        Name = $"e{i}",
                        Port = $"p{i}",
                        Mac = MacOf(i),
                        Addresses = [AddressOf(i, 4), AddressOf(i, 6)],
                    })],
                });
            }

            return builder;
        }

        await using DataplaneEngine engine = Build(Count).Build();
        engine.StartManual();
        int table = engine.Workers.Tables!.Routes.Table.GetHashCode();
        AssertPasses(engine, ports, 0, 249);
        AssertPasses(engine, ports, 255, 256);
        AssertPasses(engine, ports, 998, 750);

        // Rules name ports by name, whatever their numbers; others with the same low byte are not meant.
        Assert.True(ports[999].TrySend(PacketBuilder.Ethernet(MacOf(999), MacOf(998)).Ip(AddressOf(999, 4), AddressOf(998, 4)).Udp(1, 9).Build()));
        Assert.True(ports[255].TrySend(PacketBuilder.Ethernet(MacOf(255), MacOf(256)).Ip(AddressOf(255, 4), AddressOf(256, 4)).Udp(1, 9).Build()));
        Run(engine);
        Assert.Equal(1, engine.ReadAccounting().DroppedFor(DropReason.FilterRule));

        await engine.UpdateAsync(Build(Count + 1).ToSpec());
        Assert.Equal(Count + 1, engine.ReadEndpoints().Count);
        AssertPasses(engine, ports, 0, 249);

        // The subnets' routes are the same: nothing in the table of routes had to be written.
        Assert.Equal(table, engine.Workers.Tables!.Routes.Table.GetHashCode());
        Assert.True(engine.ReadAccounting().IsBalanced);
    }

    private static MacAddress MacOf(int i) => new(0x0200_0B00_0000UL + (uint)i);

    private static IpAddress AddressOf(int i, int family) => family == 4
        ? IpAddress.FromV4(0x0A00_0000u + ((uint)(i / PerNetwork) << 16) + (uint)(i % PerNetwork) + 2)
        : IpAddress.FromV6(0xFD00_0000_0000_0000 + ((ulong)(i / PerNetwork) << 32), (ulong)(i % PerNetwork) + 2);

    private static void AssertPasses(DataplaneEngine engine, MemoryPort[] ports, int from, int to)
    {
        byte[] buffer = new byte[2048];
        foreach (int family in new[] { 4, 6 })
        {
            byte[] frame = PacketBuilder.Ethernet(MacOf(from), MacOf(to)).Ip(AddressOf(from, family), AddressOf(to, family)).Udp(1, 2).Build();
            Assert.True(ports[from].TrySend(frame));
            Run(engine);
            Assert.True(ports[to].TryReceive(buffer, out int length), $"{from} to {to}: {engine.ReadAccounting()}");
            NetworkPlane.Same(frame, buffer[..length]);
        }
    }

    private static void Run(DataplaneEngine engine)
    {
        while (engine.RunOnce() > 0)
        {
        }
    }
}
