using Dataplane.Balancing;
using Dataplane.Hashing;
using Dataplane.Nat;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Snapshots;
using Dataplane.Telemetry;
using Dataplane.Tests.Flows;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Reference;
using Dataplane.Tests.Tracking;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Snapshots;

/// <summary>Flows of one engine go on in another: the same backends, ports and bytes; and what is no state changes nothing.</summary>
public sealed class StateTests
{
    [Theory]
    [InlineData(4, 1)]
    [InlineData(6, 1)]
    [InlineData(4, 3)]
    [InlineData(6, 3)]
    public async Task Flows_OfAService_GoOnInAnotherEngineBothWays(int family, int workers)
    {
        ServiceNet net = ServiceNet.Of(family);
        await using TestPlane before = Create(net, 1), after = Create(net, workers);
        var homes = new Dictionary<ushort, byte[]>();
        for (ushort port = 2000; port < 2060; port++)
        {
            before.SendForOne("wan", net.FromClient().Tcp(port, 80, TcpFlags.Syn).Build(), "lan");
            homes[port] = before.SendForOne("wan", net.FromClient().Tcp(port, 80, TcpFlags.Ack).PayloadOf(9).Build(), "lan");
        }

        byte[] state = await SaveAsync(before);
        StateReceipt receipt = await LoadAsync(after, state);
        Assert.Equal((StateRefusal.None, 60L, 0L, 0L, 0L), (receipt.Refusal, receipt.Flows, receipt.WithoutBackend, receipt.WithoutRoom, receipt.Replaced));
        foreach ((ushort port, byte[] expected) in homes.Reverse())
        {
            // Round robin would have sent them elsewhere.
            for (int times = 0; times < 3; times++)
            {
                ServiceNet.Same(expected, after.SendForOne("wan", net.FromClient().Tcp(port, 80, TcpFlags.Ack).PayloadOf(9).Build(), "lan"));
            }

            int host = net.HostOf(expected);
            ServiceNet.Same(net.AtClient().Tcp(80, port, TcpFlags.Ack).Build(), after.SendForOne("lan", net.FromBackend(host).Tcp(8080, port, TcpFlags.Ack).Build(), "wan"));
        }

        Assert.Equal(60, after.Engine.ReadServices()[0].Backends.Sum(backend => backend.ActiveFlows));
        Assert.Equal(60L, (await LoadAsync(after, state)).Replaced);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task StartAsync_WithAState_KnowsTheFlowsBeforeItsFirstPacket(int workers)
    {
        ServiceNet net = ServiceNet.V4;
        using var state = new MemoryStream();
        byte[] expected = [];
        (MemoryPort firstWan, MemoryPort firstLan, DataplaneEngine first) = Make(1);
        await using (first)
        {
            first.StartManual();
            foreach (TcpFlags flags in new[] { TcpFlags.Syn, TcpFlags.Ack })
            {
                Assert.True(firstWan.TrySend(net.FromClient().Tcp(2000, 80, flags).Build()));
                while (firstLan.PendingReceived == 0)
                    first.RunOnce();
                expected = Take(firstLan);
            }

            await first.SaveStateAsync(state);
        }

        // What waits when the engine starts belongs to a flow of the state; chosen anew, its backend would be another: that of the second turn is.
        state.Position = 0;
        (MemoryPort wan, MemoryPort lan, DataplaneEngine second) = Make(workers);
        await using (second)
        {
            Assert.True(wan.TrySend(net.FromClient().Tcp(2001, 80, TcpFlags.Syn).Build()));
            Assert.True(wan.TrySend(net.FromClient().Tcp(2000, 80, TcpFlags.Ack).Build()));
            StateReceipt receipt = await second.StartAsync(state);
            Assert.Equal((StateRefusal.None, 1L), (receipt.Refusal, receipt.Flows));
            while (lan.PendingReceived < 2)
                await Task.Delay(5);
            byte[][] frames = [Take(lan), Take(lan)];
            Assert.Single(frames, frame => frame.AsSpan().SequenceEqual(expected));
            await second.StopAsync();
            Assert.True(second.ReadAccounting().IsBalanced);
        }

        (MemoryPort Wan, MemoryPort Lan, DataplaneEngine Engine) Make(int count)
        {
            MemoryPort wan = new(new MemoryPortOptions { Mac = TestPlane.WanMac }), lan = new(new MemoryPortOptions { Mac = TestPlane.LanMac });
            DataplaneBuilder builder = new DataplaneBuilder().Port("wan", PortSource.Memory(wan)).Port("lan", PortSource.Memory(lan));
            TestPlane.AddAddresses(builder, withNeighbours: true);
            return (wan, lan, net.Add(builder, "web", 80, tcp: true, BalancePolicy.RoundRobin, 11, 12, 13).Workers(settings => settings with { Count = count }).Build());
        }

        static byte[] Take(MemoryPort port)
        {
            byte[] buffer = new byte[2048];
            Assert.True(port.TryReceive(buffer, out int length));
            return buffer[..length];
        }
    }

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Translations_OfSources_KeepTheirPorts(int family)
    {
        IpAddress inside = IpAddress.Parse(family == 4 ? "10.1.0.11" : "2001:db8:2::11"), outside = IpAddress.Parse(family == 4 ? "198.51.100.2" : "2001:db8:1::2");
        static void Nat(DataplaneBuilder builder) => builder.Nat("lan", "wan");
        await using TestPlane before = TestPlane.Create(Nat), after = TestPlane.Create(Nat);
        PacketBuilder Out() => PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Ip(inside, outside);
        byte[][] packets = [Out().Udp(4000, 53).PayloadOf(5).Build(), Out().Tcp(4001, 80).Build(), Out().EchoRequest(77, 1).PayloadOf(8).Build()];
        byte[][] left = [.. packets.Select(packet => before.SendForOne("lan", packet, "wan"))];
        Assert.Equal(3, (await LoadAsync(after, await SaveAsync(before))).Flows);
        Assert.Equal(6, after.Engine.ReadFigures().FlowEntries);
        for (int i = 0; i < packets.Length; i++)
        {
            ServiceNet.Same(left[i], after.SendForOne("lan", packets[i], "wan"));
        }

        Assert.Equal(6, after.Engine.ReadFigures().FlowEntries);
        IpAddress address = IpAddress.Parse(ReferenceDecoder.Decode(left[0]).Source);
        byte[] answer = after.SendForOne("wan", PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ip(outside, address).Udp(53, 4000).PayloadOf(3).Build(), "lan");
        Assert.Equal((inside.ToString(), 4000, true), (ReferenceDecoder.Decode(answer).Destination, ReferenceDecoder.Decode(answer).DestinationPort, ReferenceDecoder.Decode(answer).TransportChecksumRight == true));
    }

    [Fact]
    public async Task Connections_UnderRulesWithStates_GoOnWithTheirWindows()
    {
        TrackedNet net = TrackedNet.Of(4);
        void Rules(DataplaneBuilder builder) => TrackedNet.StatefulRules(builder);
        await using TestPlane before = TestPlane.Create(Rules), after = TestPlane.Create(Rules);
        before.SendForOne("lan", net.FromInside().Tcp(3000, 80, TcpFlags.Syn, 100, 0, 1000).Build(), "wan");
        before.SendForOne("wan", net.FromOutside().Tcp(80, 3000, TcpFlags.Syn | TcpFlags.Ack, 500, 101, 1000).Build(), "lan");
        before.SendForOne("lan", net.FromInside().Tcp(3000, 80, TcpFlags.Ack, 101, 501, 1000).Build(), "wan");
        Assert.Equal(1, (await LoadAsync(after, await SaveAsync(before))).Flows);

        // From outside, and in the window: established; far outside it: invalid.
        after.SendForOne("wan", net.FromOutside().Tcp(80, 3000, TcpFlags.Ack, 501, 101, 1000).PayloadOf(10).Build(), "lan");
        Assert.Empty(after.Send("wan", net.FromOutside().Tcp(80, 3000, TcpFlags.Ack, 900_000, 101, 1000).PayloadOf(10).Build()));
    }

    [Fact]
    public async Task Flows_OfWhatIsNotThere_AreLeftOutAndCounted()
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane before = net.Create(true, BalancePolicy.RoundRobin, 4096, 11, 12), after = net.Create(true, BalancePolicy.RoundRobin, 4096, 12);
        for (ushort port = 2000; port < 2010; port++)
        {
            before.SendForOne("wan", net.FromClient().Tcp(port, 80, TcpFlags.Syn).Build(), "lan");
        }

        StateReceipt receipt = await LoadAsync(after, await SaveAsync(before));
        Assert.Equal((5L, 5L), (receipt.Flows, receipt.WithoutBackend));
        Assert.All(Enumerable.Range(2000, 10), port => Assert.Equal(12, net.HostOf(after.SendForOne("wan", net.FromClient().Tcp((ushort)port, 80, TcpFlags.Ack).Build(), "lan"))));
    }

    [Fact]
    public async Task Flows_IdleForTooLong_AreForgottenAsIfTheyHadStayed()
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane before = net.Create(false, BalancePolicy.RoundRobin, 4096, 11), after = net.Create(false, BalancePolicy.RoundRobin, 4096, 11);
        before.SendForOne("wan", net.FromClient().Udp(2000, 80).Build(), "lan");
        before.Wait(TimeSpan.FromSeconds(200));
        before.SendForOne("wan", net.FromClient().Udp(2001, 80).Build(), "lan");
        after.Clock.Advance(TimeSpan.FromSeconds(400));
        byte[] state = await SaveAsync(before);
        Assert.Equal(2, (await LoadAsync(after, state)).Flows);
        after.Wait(TimeSpan.FromSeconds(80));

        // One was idle for 200 seconds before and 200 between, the other for 200 and 80 now: of the 300 that they have.
        Assert.Equal(2, after.Engine.ReadFigures().FlowEntries);
    }

    [Fact]
    public async Task State_Refused_SaysWhyAndChangesNothing()
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane plane = Create(net, 1);
        plane.SendForOne("wan", net.FromClient().Tcp(2000, 80, TcpFlags.Syn).Build(), "lan");
        byte[] state = await SaveAsync(plane);
        await using TestPlane other = Create(net, 1);
        async Task Refused(StateRefusal refusal, byte[] bytes)
        {
            StateReceipt receipt = await LoadAsync(other, bytes);
            Assert.Equal((refusal, 0L), (receipt.Refusal, receipt.Flows));
            Assert.Contains("cold start", receipt.ToString(), StringComparison.Ordinal);
        }

        await Refused(StateRefusal.NotAState, []);
        await Refused(StateRefusal.NotAState, "ports: {}"u8.ToArray());
        await Refused(StateRefusal.OtherVersion, Changed(state, 8, 1));
        await Refused(StateRefusal.OtherVersion, Changed(state, 12, 1));
        await Refused(StateRefusal.Truncated, state[..8]);
        await Refused(StateRefusal.Truncated, state[..^1]);
        await Refused(StateRefusal.Damaged, [.. state, 0]);
        await Refused(StateRefusal.Damaged, Changed(state, state.Length - 100, (byte)(state[^100] ^ 1)));
        int flow = state.Length - 16 - SavedFlow.Bytes;
        await Refused(StateRefusal.Malformed, Signed(Changed(state, flow, 99)));
        await Refused(StateRefusal.Malformed, Signed(Changed(state, flow + 8, 200)));
        await Refused(StateRefusal.Malformed, Signed(Changed(state, flow + 9, 200)));
        Assert.Equal(0, other.Engine.ReadFigures().FlowEntries);
        Assert.Equal(1, (await LoadAsync(other, state)).Flows);
    }

    [Fact]
    public async Task State_DamagedAnywhere_IsRefusedAndNeverThrows()
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane plane = Create(net, 1);
        for (ushort port = 2000; port < 2020; port++)
        {
            plane.SendForOne("wan", net.FromClient().Tcp(port, 80, TcpFlags.Syn).Build(), "lan");
        }

        byte[] state = await SaveAsync(plane);
        await using TestPlane other = Create(net, 1);
        Prop.ForAll(Gen.Choose(0, state.Length - 1).ToArbitrary(), Gen.Choose(1, 255).ToArbitrary(), Gen.Elements(0, 1, 2).ToArbitrary(), (at, bits, way) =>
        {
            // With a checksum that fits, anything may be taken over that makes sense; nothing may throw.
            byte[] damaged = way == 0 ? state[..at] : Changed(state, at, (byte)(state[at] ^ bits));
            StateReceipt receipt = LoadAsync(other, way == 2 ? Signed(damaged) : damaged).GetAwaiter().GetResult();
            Assert.True(way == 2 || receipt.Refusal != StateRefusal.None, $"byte {at}");
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(500));
        other.Run();
    }

    [Fact]
    public async Task NatRules_AreFoundAgainByWhatTheySay()
    {
        static void Nat(DataplaneBuilder builder, string from) => builder.Nat(new NatSpec { Inside = "lan", Outside = "wan", From = IpPrefix.Parse(from) });
        await using TestPlane before = TestPlane.Create(builder => Nat(builder, "10.1.0.0/24")), after = TestPlane.Create(builder => Nat(builder, "10.0.0.0/8"));
        before.SendForOne("lan", PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Ipv4("10.1.0.11", "198.51.100.2").Udp(4000, 53).Build(), "wan");
        StateReceipt receipt = await LoadAsync(after, await SaveAsync(before));
        Assert.Equal((0L, 1L), (receipt.Flows, receipt.WithoutBackend));
    }

    private static byte[] Changed(byte[] state, int at, byte value)
    {
        byte[] changed = [.. state];
        changed[at] = value;
        return changed;
    }

    /// <summary>With the checksum that fits.</summary>
    private static byte[] Signed(byte[] state)
    {
        BitConverter.TryWriteBytes(state.AsSpan(state.Length - 4), Crc32C.Checksum(state.AsSpan(0, state.Length - 4)));
        return state;
    }

    private static async Task<byte[]> SaveAsync(TestPlane plane)
    {
        using var stream = new MemoryStream();
        await plane.Engine.SaveStateAsync(stream);
        return stream.ToArray();
    }

    private static async Task<StateReceipt> LoadAsync(TestPlane plane, byte[] state)
    {
        using var stream = new MemoryStream(state);
        return await plane.Engine.LoadStateAsync(stream);
    }

    private static TestPlane Create(ServiceNet net, int workers) => TestPlane.Create(builder =>
        net.Add(builder, "web", 80, tcp: true, BalancePolicy.RoundRobin, 11, 12, 13).Workers(settings => settings with { Count = workers }));
}
