using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using Dataplane.Balancing;
using Dataplane.Packets;
using Dataplane.Telemetry;
using Dataplane.Tests.Pipeline;
using Xunit.Abstractions;

namespace Dataplane.Tests.Flows;

/// <summary>Backends that come and go under ten thousand flows of both families, and a flood on a table that is too small for it, with one worker and with several: short here, as long as DATAPLANE_SOAK_SECONDS says on request.</summary>
/// <remarks>Of four numbers of flows one is TCP over IPv4, one UDP, one TCP over IPv6, one UDP. At full length: 300 for the changes (100 a minute), 60 for the flood. What was counted is printed.</remarks>
public sealed class SoakTests(ITestOutputHelper output)
{
    private const int ChangesPerMinute = 100, Live = 10_000, LiveInFlood = 1_000, Backends = 20;

    private static readonly IpAddress s_service = IpAddress.Parse("192.0.2.80"), s_service6 = IpAddress.Parse("2001:db8:80::80");

    private static readonly int? s_seconds = int.TryParse(Environment.GetEnvironmentVariable("DATAPLANE_SOAK_SECONDS"), NumberStyles.None, CultureInfo.InvariantCulture, out int seconds) ? seconds : null;

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task BackendsThatComeAndGo_MoveNoFlowOfThoseThatStay(int workers)
    {
        await using TestPlane plane = Create(workers);
        var random = new Random(7);
        List<BackendSpec> backends = [.. Enumerable.Range(0, Backends).Select(number => Backend(number))];
        await SetAsync(plane, backends);
        IpAddress[] homes = [.. Enumerable.Range(0, Live).Select(flow => Begin(plane, flow))];
        int changes = s_seconds is { } length ? length * ChangesPerMinute / 60 : 40, next = Backends;
        long moved = 0, kept = 0, checkedFlows = 0;
        var watch = Stopwatch.StartNew();
        for (int change = 0; change < changes; change++)
        {
            switch (change % 4)
            {
                case 0:
                    backends.Add(Backend(next++));
                    break;
                case 1:
                    backends.RemoveAt(random.Next(backends.Count));
                    break;
                case 2:
                    int drained = random.Next(backends.Count);
                    backends[drained] = backends[drained] with { Drain = !backends[drained].Drain };
                    break;
                default:
                    int weighed = random.Next(backends.Count);
                    backends[weighed] = backends[weighed] with { Weight = random.Next(1, 9) };
                    break;
            }

            ChangeReceipt receipt = await SetAsync(plane, backends);
            HashSet<IpAddress> there = [.. backends.SelectMany(backend => new[] { backend.Address, V6Of(backend).Address })];
            int gone = homes.Count(home => !there.Contains(home));
            Assert.Equal(((long)Live, (long)(Live - gone)), (receipt.Flows.Total, receipt.Flows.Kept));
            Assert.Equal(receipt.Flows.Total, receipt.Flows.Kept + receipt.Flows.Moved + receipt.Flows.Ended + receipt.Flows.Leaving);
            (moved, kept) = (moved + gone, kept + receipt.Flows.Kept);

            // All of them send: who lost its backend goes to another, nobody else does.
            for (int flow = 0; flow < Live; flow++)
            {
                IpAddress now = Ask(plane, flow, TcpFlags.Ack);
                Assert.True(now == homes[flow] || !there.Contains(homes[flow]), $"flow {flow} went from {homes[flow]} to {now} at change {change}");
                homes[flow] = now;
                checkedFlows++;
            }

            TimeSpan due = TimeSpan.FromSeconds(60.0 / ChangesPerMinute * (change + 1)) - watch.Elapsed;
            plane.Clock.Advance(TimeSpan.FromSeconds(60.0 / ChangesPerMinute));
            if (s_seconds is not null && due > TimeSpan.Zero)
            {
                await Task.Delay(due);
            }
        }

        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{changes} changes in {watch.Elapsed.TotalSeconds:F0} s, {Live} flows: {checkedFlows} packets checked, {kept} times kept, {moved} moved because their backend had gone, 0 others"));
        Assert.True(plane.Engine.ReadAccounting().IsBalanced);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task FloodFromAMillionSources_TakesNoLiveFlowAndLetsNewOnesIn(int workers)
    {
        await using TestPlane plane = Create(workers);
        await SetAsync(plane, [.. Enumerable.Range(0, Backends).Select(number => Backend(number))]);
        IpAddress[] homes = [.. Enumerable.Range(0, LiveInFlood).Select(flow => Begin(plane, 2 * flow))];
        long memory = plane.Engine.ReadFigures().FlowTableBytes, spoofed = 0, tried = 0, opened = 0;
        var random = new Random(9);
        byte[][] floods = [Packet(0, TcpFlags.Syn), Packet(2, TcpFlags.Syn)];
        var watch = Stopwatch.StartNew();
        TimeSpan length = TimeSpan.FromSeconds(s_seconds ?? 2);
        for (int turn = 0; watch.Elapsed < length; turn++)
        {
            for (int i = 0; i < 64; i++)
            {
                byte[] syn = [.. floods[i % 2]];
                Spoof(syn, IsV6(2 * (i % 2)), random.Next(1_000_000), (ushort)random.Next(1024, 65536));
                plane["wan"].TrySend(syn);
                spoofed++;
            }

            plane.Run();
            Assert.Equal(homes[turn % LiveInFlood], Ask(plane, 2 * (turn % LiveInFlood), TcpFlags.Ack));
            if (turn % 8 == 0)
            {
                tried++;
                opened += TryBegin(plane, 40_000 + (2 * (int)tried), out _) ? 1 : 0;
            }

            plane.Clock.Advance(TimeSpan.FromMilliseconds(1));
        }

        for (int flow = 0; flow < LiveInFlood; flow++)
        {
            Assert.Equal(homes[flow], Ask(plane, 2 * flow, TcpFlags.Ack));
        }

        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{spoofed} spoofed SYNs in {watch.Elapsed.TotalSeconds:F0} s; {LiveInFlood} flows all where they were; {opened} of {tried} new connections; table {memory} bytes, now {plane.Engine.ReadFigures().FlowTableBytes}"));
        Assert.Equal(memory, plane.Engine.ReadFigures().FlowTableBytes);
        Assert.True(opened >= tried * 99 / 100, $"{opened} of {tried} new connections");
    }

    private static TestPlane Create(int workers) => TestPlane.Create(builder => builder.Route("0.0.0.0/0", "198.51.100.2").Route("::/0", "2001:db8:1::2")
        .Workers(settings => settings with { Count = workers, FlowEntries = 65_536 }));

    private static Task<ChangeReceipt> SetAsync(TestPlane plane, IReadOnlyList<BackendSpec> backends) => plane.Engine.UpdateAsync(spec => spec with
    {
        Services =
        [
            Service("tcp", IpProtocols.Tcp, s_service, backends), Service("udp", IpProtocols.Udp, s_service, backends),
            Service("tcp6", IpProtocols.Tcp, s_service6, [.. backends.Select(V6Of)]), Service("udp6", IpProtocols.Udp, s_service6, [.. backends.Select(V6Of)]),
        ],
        Neighbours =
        [
            .. spec.Neighbours.Where(neighbour => neighbour.Port == "wan"),
            .. backends.SelectMany(backend => new[] { backend, V6Of(backend) }).Select(backend => new Dataplane.Routing.NeighbourSpec { Port = "lan", Address = backend.Address, Mac = TestPlane.ServerMac }),
        ],
    });

    private static ServiceSpec Service(string name, byte protocol, IpAddress address, IReadOnlyList<BackendSpec> backends) =>
        new() { Name = name, Address = address, Port = 80, Protocol = protocol, Balance = BalancePolicy.Maglev, Backends = [.. backends] };

    private static BackendSpec Backend(int number) => new() { Address = IpAddress.FromV4(0x0A010000u + 20 + (uint)(number % 230)), Port = 8080 };

    /// <summary>The same backend by its other address.</summary>
    private static BackendSpec V6Of(BackendSpec backend) => backend with { Address = IpAddress.FromV6(0x20010db8_00020000, backend.Address.Low & 0xFF) };

    private static IpAddress Begin(TestPlane plane, int flow)
    {
        Assert.True(TryBegin(plane, flow, out IpAddress home), $"flow {flow} was not begun");
        return home;
    }

    private static bool IsTcp(int flow) => (flow & 1) == 0;

    private static bool IsV6(int flow) => (flow & 2) != 0;

    /// <summary>TCP has its handshake.</summary>
    private static bool TryBegin(TestPlane plane, int flow, out IpAddress home)
    {
        home = Ask(plane, flow, TcpFlags.Syn);
        if (IsTcp(flow) && !home.IsNone)
        {
            (IpAddress source, ushort port) = Client(flow);
            byte[] answer = PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Ip(home, source).Tcp(8080, port, TcpFlags.Syn | TcpFlags.Ack, 5, 2).Build();
            (string Port, byte[] Frame)[] seen = [.. plane.Send("lan", answer)];
            return seen.Length == 1 && seen[0].Port == "wan" && (IsV6(flow) ? IpAddress.ReadV6(seen[0].Frame.AsSpan(22)) == s_service6 : IpAddress.ReadV4(seen[0].Frame.AsSpan(26)) == s_service)
                && Ask(plane, flow, TcpFlags.Ack) == home;
        }

        return !home.IsNone;
    }

    private static IpAddress Ask(TestPlane plane, int flow, TcpFlags flags)
    {
        (string Port, byte[] Frame)[] sent = [.. plane.Send("wan", Packet(flow, flags))];
        return sent.Length != 1 || sent[0].Port != "lan" ? default : IsV6(flow) ? IpAddress.ReadV6(sent[0].Frame.AsSpan(38)) : IpAddress.ReadV4(sent[0].Frame.AsSpan(30));
    }

    /// <summary>Another address and port for every number of a flow.</summary>
    private static (IpAddress Source, ushort Port) Client(int flow) =>
        (IsV6(flow) ? IpAddress.FromV6(0x20010db8_00090000, (uint)flow / 400) : IpAddress.FromV4(0xCB007100u + ((uint)flow / 400)), (ushort)(2000 + (flow % 400)));

    private static byte[] Packet(int flow, TcpFlags flags)
    {
        (IpAddress source, ushort port) = Client(flow);
        PacketBuilder builder = PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ip(source, IsV6(flow) ? s_service6 : s_service);
        return (IsTcp(flow) ? builder.Tcp(port, 80, flags, 1, 1) : builder.Udp(port, 80)).Build();
    }

    /// <summary>Another source, in 11.0.0.0/8 with the header's checksum, or in 2001:db8:b::/64.</summary>
    private static void Spoof(byte[] frame, bool isV6, int number, ushort port)
    {
        int transport = isV6 ? 54 : 34;
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(transport), port);
        if (isV6)
        {
            BinaryPrimitives.WriteUInt64BigEndian(frame.AsSpan(22), 0x20010db8_000b0000);
            BinaryPrimitives.WriteUInt64BigEndian(frame.AsSpan(30), (ulong)number);
            return;
        }

        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(26), (11 << 24) | number);
        (frame[24], frame[25]) = (0, 0);
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(24), InternetChecksum.Compute(frame.AsSpan(14, 20)));
    }
}
