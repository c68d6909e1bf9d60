using Dataplane.Benchmarks.Routing;
using Dataplane.Configuration;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Routing;
using Dataplane.Telemetry;
using Dataplane.Tests.Pipeline;

namespace Dataplane.Tests.Routing;

/// <summary>Routes that change: by configuration and learnt while running, alone and in groups.</summary>
public sealed class RouteUpdateTests
{
    private static readonly int[] s_gateways = [21, 22, 23, 24];

    [Theory]
    [InlineData("203.0.113.0/24", "203.0.113.9", "10.1.0.21")]
    [InlineData("2001:db8:aaaa::/48", "2001:db8:aaaa::9", "2001:db8:2::22")]
    public async Task UpdateRoutes_LearntAndWithdrawn_ForwardsMeanwhile(string prefix, string address, string gateway)
    {
        await using TestPlane plane = Create();
        plane.SendForDrop("wan", Packet(address, 1), DropReason.NoRoute);

        Assert.Equal(new RouteReceipt(2, 1, 0, 0, 0), await plane.Engine.UpdateRoutesAsync([Route(prefix, gateway)]));
        Assert.Equal(HostOf(gateway), GatewayOf(plane.SendForOne("wan", Packet(address, 1), "lan")));

        Assert.Equal(new RouteReceipt(3, 0, 1, 0, 0), await plane.Engine.UpdateRoutesAsync([Route(prefix, gateway[..^1] + "4")]));
        Assert.Equal(24, GatewayOf(plane.SendForOne("wan", Packet(address, 1), "lan")));

        Assert.Equal(new RouteReceipt(4, 0, 0, 1, 0), await plane.Engine.UpdateRoutesAsync([], [IpPrefix.Parse(prefix), IpPrefix.Parse("192.0.2.0/24")]));
        plane.SendForDrop("wan", Packet(address, 1), DropReason.NoRoute);
    }

    [Fact]
    public async Task UpdateRoutes_PrefixOfTheConfiguration_WaitsBehindIt()
    {
        await using TestPlane plane = Create(builder => builder.Route("203.0.113.0/24", "10.1.0.21"));
        RouteReceipt receipt = await plane.Engine.UpdateRoutesAsync([Route("203.0.113.0/24", "10.1.0.22"), Route("203.0.113.0/25", "10.1.0.23")]);
        Assert.Equal((1, 0, 1), (receipt.Added, receipt.Replaced, receipt.Shadowed));
        Assert.Equal(23, GatewayOf(plane.SendForOne("wan", Packet("203.0.113.9", 1), "lan")));
        Assert.Equal(21, GatewayOf(plane.SendForOne("wan", Packet("203.0.113.209", 1), "lan")));

        Assert.Equal(0, (await plane.Engine.UpdateAsync(plane.Engine.Spec with { Routes = [] })).LearntRoutesLost);
        Assert.Equal(22, GatewayOf(plane.SendForOne("wan", Packet("203.0.113.209", 1), "lan")));
        Assert.Equal(23, GatewayOf(plane.SendForOne("wan", Packet("203.0.113.9", 1), "lan")));
    }

    [Fact]
    public async Task UpdateRoutes_BadRoutes_AllErrorsAtOnceAndNothingChanged()
    {
        await using TestPlane plane = Create();
        RouteSpec noGateway = Route("203.0.113.0/24", "172.16.0.1"), hostBits = new() { To = IpPrefix.Parse("192.0.2.1/24"), Reject = RouteReject.Blackhole };
        ConfigurationException error = await Assert.ThrowsAsync<ConfigurationException>(
            () => plane.Engine.UpdateRoutesAsync([Route("198.51.0.0/16", "10.1.0.21"), noGateway, hostBits]));
        Assert.Equal(["routes[1].via[0].address", "routes[2].to"], error.Errors.Select(entry => entry.Path).Order());
        Assert.Equal(1, plane.Engine.Version);
        plane.SendForDrop("wan", Packet("198.51.1.1", 1), DropReason.NoRoute);
        await plane.Engine.StopAsync();
        await Assert.ThrowsAsync<InvalidOperationException>(() => plane.Engine.UpdateRoutesAsync([]));
        Assert.Throws<InvalidOperationException>(() => plane.Engine.Explain(Packet("198.51.1.1", 1), "wan"));
    }

    [Fact]
    public async Task Update_InterfaceOfLearntRouteGoes_RouteIsForgottenAndCounted()
    {
        await using TestPlane plane = Create();
        await plane.Engine.UpdateRoutesAsync([Route("203.0.113.0/24", "10.1.0.21"), Route("2001:db8:aaaa::/48", "2001:db8:2::21")]);
        DataplaneSpec spec = plane.Engine.Spec;
        DataplaneSpec onlyV6 = spec with
        {
            Interfaces = [.. spec.Interfaces.Where(entry => entry.Address.Address != IpAddress.Parse("10.1.0.1"))],
            Neighbours = [.. spec.Neighbours.Where(entry => entry.Address.IsIpv6)],
        };
        Assert.Equal(1, (await plane.Engine.UpdateAsync(onlyV6)).LearntRoutesLost);
        Assert.Equal(0, (await plane.Engine.UpdateAsync(spec)).LearntRoutesLost);
        plane.SendForDrop("wan", Packet("203.0.113.9", 1), DropReason.NoRoute);
        Assert.Equal(21, GatewayOf(plane.SendForOne("wan", Packet("2001:db8:aaaa::9", 1), "lan")));
    }

    [Theory]
    [InlineData("203.0.113.0/24", "203.0.113.9", "10.1.0.")]
    [InlineData("2001:db8:aaaa::/48", "2001:db8:aaaa::9", "2001:db8:2::")]
    public async Task Update_GroupLosesAndGainsMembers_OnlyTheirFlowsMove(string prefix, string address, string network)
    {
        await using TestPlane plane = Create(builder => builder.Route(prefix, network + "21", network + "22", network + "23"));
        DataplaneSpec spec = plane.Engine.Spec;
        int[] three = Gateways(plane, address);
        Assert.Equal([21, 22, 23], three.Distinct().Order());

        await plane.Engine.UpdateAsync(spec with { Routes = [Route(prefix, network + "21", network + "23")] });
        int[] two = Gateways(plane, address);
        Assert.All(three.Zip(two), flow => Assert.True(flow.First == flow.Second || flow.First == 22, $"a flow moved from {flow.First} to {flow.Second}"));
        Assert.DoesNotContain(22, two);

        await plane.Engine.UpdateAsync(spec with { Routes = [Route(prefix, network + "24", network + "21", network + "23")] });
        int[] again = Gateways(plane, address);
        Assert.All(two.Zip(again), flow => Assert.True(flow.First == flow.Second || flow.Second == 24, $"a flow moved from {flow.First} to {flow.Second}"));
        Assert.InRange(again.Count(gateway => gateway == 24), again.Length / 4, again.Length / 2);
    }

    /// <summary>A route that leaves a group of many for a smaller one moves no flows but those of the member it lost.</summary>
    [Fact]
    public async Task Update_OneRouteOfAGroupChanges_OthersStayAndItsOwnFlowsMoveLeast()
    {
        await using TestPlane plane = Create(builder => builder
            .Route("203.0.113.0/24", "10.1.0.21", "10.1.0.22", "10.1.0.23").Route("192.0.2.0/24", "10.1.0.21", "10.1.0.22", "10.1.0.23"));
        int[] before = Gateways(plane, "203.0.113.9"), other = Gateways(plane, "192.0.2.9");
        await plane.Engine.UpdateAsync(plane.Engine.Spec with
        {
            Routes = [Route("203.0.113.0/24", "10.1.0.21", "10.1.0.22"), Route("192.0.2.0/24", "10.1.0.21", "10.1.0.22", "10.1.0.23")],
        });
        Assert.Equal(other, Gateways(plane, "192.0.2.9"));
        Assert.All(before.Zip(Gateways(plane, "203.0.113.9")), flow => Assert.True(flow.First == flow.Second || flow.First == 23));
    }

    [Fact]
    public void Compile_GroupOfManyRoutesChanges_TableStaysAndOneEntryChanges()
    {
        NextHopSpec[] Via(params int[] hosts) => [.. hosts.Select(host => new NextHopSpec { Address = IpAddress.Parse($"10.1.0.{host}") })];
        RouteSpec[] Routes(NextHopSpec[] via) =>
            [.. Enumerable.Range(0, 20_000).Select(i => new RouteSpec { To = new IpPrefix(IpAddress.FromV4(0x64000000u + ((uint)i << 8)), 24), Via = via })];
        using var rig = new PipelineRig();
        rig.Republish(rig.Spec with { Routes = Routes(Via(21, 22)) });
        rig.Worker.RunOnce(rig.NowNs);
        CompiledRoutes before = rig.Context.Tables.Routes;
        rig.Republish(rig.Spec with { Routes = Routes(Via(21, 22, 23)) });
        rig.Worker.RunOnce(rig.NowNs);
        CompiledRoutes after = rig.Context.Tables.Routes;
        Assert.Same(before.Table, after.Table);
        int number = after.Table.Find(IpPrefix.Parse("100.0.7.0/24"));
        Assert.Equal((2, 3, 20_000), (before.Entries[number]!.Members.Length, after.Entries[number]!.Members.Length, after.Uses[number]));
    }

    [Fact]
    public async Task UpdateRoutes_InternetOfBothFamilies_ForwardsAsTheOracleSays()
    {
        await using TestPlane plane = Create();
        (uint First, byte Length, int Value)[] v4 = InternetRoutes.V4(3, 20_000, 15);
        (UInt128 First, byte Length, int Value)[] v6 = InternetRoutes.V6(3, 20_000, 15);
        List<(IpPrefix Prefix, int Value)> routes =
        [
            .. v4.Select(route => (new IpPrefix(IpAddress.FromV4(route.First), route.Length), route.Value)),
            .. v6.Select(route => (new IpPrefix(IpAddress.FromBits(IpFamily.V6, route.First), route.Length), route.Value)),
        ];
        RouteReceipt receipt = await plane.Engine.UpdateRoutesAsync([.. routes.Select(route => OfValue(route.Prefix, route.Value))]);
        Assert.Equal(routes.Count, receipt.Added);
        IpAddress[] keys = [.. InternetRoutes.KeysV4(5, v4, 200).Select(IpAddress.FromV4).Where(address => !address.IsLoopback),
            .. InternetRoutes.KeysV6(5, v6, 200).Select(key => IpAddress.FromBits(IpFamily.V6, key))];
        AssertForwarded(plane, keys, new LengthByLength(routes));

        List<(IpPrefix Prefix, int Value)> stay = [.. routes.Where((_, i) => i % 3 != 0)];
        receipt = await plane.Engine.UpdateRoutesAsync([], [.. routes.Where((_, i) => i % 3 == 0).Select(route => route.Prefix)]);
        Assert.Equal(routes.Count - stay.Count, receipt.Withdrawn);
        AssertForwarded(plane, keys, new LengthByLength(stay));
    }

    private static void AssertForwarded(TestPlane plane, IpAddress[] keys, LengthByLength oracle)
    {
        foreach (IpAddress key in keys)
        {
            // Values name sets of gateways, one bit for each.
            int value = oracle.Lookup(key);
            byte[] packet = Packet(key.ToString(), 7);
            if (value == 0)
            {
                plane.SendForDrop("wan", packet, DropReason.NoRoute);
            }
            else
            {
                IReadOnlyList<(string Port, byte[] Frame)> sent = plane.Send("wan", packet);
                Assert.True(sent.Count == 1, $"{key}, value {value}: {plane.Engine.Explain(packet, "wan")}");
                int gateway = GatewayOf(sent[0].Frame);
                Assert.True((value >> (gateway - 21) & 1) != 0, $"{key} went to {gateway}, value {value}");
            }
        }
    }

    private static RouteSpec OfValue(IpPrefix prefix, int value)
    {
        string network = prefix.Family == IpFamily.V4 ? "10.1.0." : "2001:db8:2::";
        return Route(prefix.ToString(), [.. s_gateways.Where((_, bit) => (value >> bit & 1) != 0).Select(host => network + host)]);
    }

    private static TestPlane Create(Action<Dataplane.DataplaneBuilder>? configure = null) => TestPlane.Create(builder =>
    {
        foreach (int host in s_gateways)
        {
            builder.Neighbour("lan", $"10.1.0.{host}", $"02:00:00:00:05:{host}").Neighbour("lan", $"2001:db8:2::{host}", $"02:00:00:00:05:{host}");
        }

        configure?.Invoke(builder);
    });

    private static RouteSpec Route(string to, params string[] via) =>
        new() { To = IpPrefix.Parse(to), Via = [.. via.Select(gateway => new NextHopSpec { Address = IpAddress.Parse(gateway) })] };

    /// <summary>The gateway of each of many flows to one address.</summary>
    private static int[] Gateways(TestPlane plane, string address) =>
        [.. Enumerable.Range(0, 600).Select(flow => GatewayOf(plane.SendForOne("wan", Packet(address, flow), "lan")))];

    private static byte[] Packet(string destination, int flow)
    {
        PacketBuilder ethernet = PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac);
        PacketBuilder ip = destination.Contains(':', StringComparison.Ordinal) ? ethernet.Ipv6("2001:db8:1::2", destination) : ethernet.Ipv4("198.51.100.2", destination);
        return ip.Udp((ushort)(2000 + flow), 53).Payload("route").Build();
    }

    private static int HostOf(string gateway) => int.Parse(gateway.AsSpan(gateway.Length - 2), System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>The gateways' hardware addresses end with their host numbers, in decimal digits.</summary>
    private static int GatewayOf(byte[] frame) => ((frame[5] >> 4) * 10) + (frame[5] & 15);
}
