using System.Diagnostics;
using System.Globalization;
using Dataplane.Balancing;
using Dataplane.Packets;
using Dataplane.Telemetry;
using Dataplane.Tests.Pipeline;
using Xunit.Abstractions;

namespace Dataplane.Tests.Flows;

/// <summary>Backends that come and go under ten thousand flows, and a flood on a table that is too small for it: short here, as long as DATAPLANE_SOAK_SECONDS says on request.</summary>
/// <remarks>At full length: 300 for the changes (100 a minute), 60 for the flood. What was counted is printed.</remarks>
public sealed class SoakTests(ITestOutputHelper output)
{
    private const int ChangesPerMinute = 100, Live = 10_000, LiveInFlood = 1_000, Backends = 20;

    private static readonly int? s_seconds = int.TryParse(Environment.GetEnvironmentVariable("DATAPLANE_SOAK_SECONDS"), NumberStyles.None, CultureInfo.InvariantCulture, out int seconds) ? seconds : null;

    [Fact]
    public async Task BackendsThatComeAndGo_MoveNoFlowOfThoseThatStay()
    {
        await using TestPlane plane = TestPlane.Create(builder => builder.Route("0.0.0.0/0", "198.51.100.2").Workers(settings => settings with { FlowEntries = 65_536 }));
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
            HashSet<IpAddress> there = [.. backends.Select(backend => backend.Address)];
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

    [Fact]
    public async Task FloodFromAMillionSources_TakesNoLiveFlowAndLetsNewOnesIn()
    {
        await using TestPlane plane = TestPlane.Create(builder => builder.Route("0.0.0.0/0", "198.51.100.2").Workers(settings => settings with { FlowEntries = 65_536 }));
        await SetAsync(plane, [.. Enumerable.Range(0, Backends).Select(number => Backend(number))]);
        IpAddress[] homes = [.. Enumerable.Range(0, LiveInFlood).Select(flow => Begin(plane, 2 * flow))];
        long memory = plane.Engine.ReadFigures().FlowTableBytes, spoofed = 0, tried = 0, opened = 0;
        var random = new Random(9);
        byte[] flood = Packet("203.0.113.1", 1, isTcp: true, TcpFlags.Syn);
        var watch = Stopwatch.StartNew();
        TimeSpan length = TimeSpan.FromSeconds(s_seconds ?? 2);
        for (int turn = 0; watch.Elapsed < length; turn++)
        {
            for (int i = 0; i < 64; i++)
            {
                byte[] syn = [.. flood];
                Spoof(syn, random.Next(1_000_000), (ushort)random.Next(1024, 65536));
                plane["wan"].TrySend(syn);
                spoofed++;
            }

            plane.Run();
            Assert.Equal(homes[turn % LiveInFlood], Ask(plane, 2 * (turn % LiveInFlood), TcpFlags.Ack));
            if (turn % 8 == 0)
            {
                tried++;
                opened += TryBegin(plane, 40_000 + (2 * (int)(tried % 10_000)), out _) ? 1 : 0;
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

    private static Task<ChangeReceipt> SetAsync(TestPlane plane, IReadOnlyList<BackendSpec> backends) => plane.Engine.UpdateAsync(spec => spec with
    {
        Services = [.. new[] { ("tcp", IpProtocols.Tcp), ("udp", IpProtocols.Udp) }.Select(kind => new ServiceSpec
        {
            Name = kind.Item1, Address = IpAddress.Parse("192.0.2.80"), Port = 80, Protocol = kind.Item2, Balance = BalancePolicy.Maglev, Backends = [.. backends],
        })],
        Neighbours = [.. spec.Neighbours.Where(neighbour => !neighbour.Address.ToString().StartsWith("10.1.0.", StringComparison.Ordinal)),
            .. backends.Select(backend => new Dataplane.Routing.NeighbourSpec { Port = "lan", Address = backend.Address, Mac = TestPlane.ServerMac })],
    });

    private static BackendSpec Backend(int number) => new() { Address = IpAddress.Parse(string.Create(CultureInfo.InvariantCulture, $"10.1.0.{20 + (number % 230)}")), Port = 8080 };

    private static IpAddress Begin(TestPlane plane, int flow)
    {
        Assert.True(TryBegin(plane, flow, out IpAddress home), $"flow {flow} was not begun");
        return home;
    }

    /// <summary>Odd numbers are UDP; TCP has its handshake.</summary>
    private static bool TryBegin(TestPlane plane, int flow, out IpAddress home)
    {
        home = Ask(plane, flow, TcpFlags.Syn);
        if (flow % 2 == 0 && !home.IsNone)
        {
            (string source, ushort port) = Client(flow);
            byte[] answer = PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Ipv4(home.ToString(), source).Tcp(8080, port, TcpFlags.Syn | TcpFlags.Ack, 5, 2).Build();
            (string Port, byte[] Frame)[] seen = [.. plane.Send("lan", answer)];
            return seen.Length == 1 && seen[0].Port == "wan" && IpAddress.ReadV4(seen[0].Frame.AsSpan(26)) == IpAddress.Parse("192.0.2.80") && Ask(plane, flow, TcpFlags.Ack) == home;
        }

        return !home.IsNone;
    }

    private static IpAddress Ask(TestPlane plane, int flow, TcpFlags flags)
    {
        (string source, ushort port) = Client(flow);
        (string Port, byte[] Frame)[] sent = [.. plane.Send("wan", Packet(source, port, flow % 2 == 0, flags))];
        return sent.Length == 1 && sent[0].Port == "lan" ? IpAddress.ReadV4(sent[0].Frame.AsSpan(30)) : default;
    }

    private static (string Source, ushort Port) Client(int flow) => (string.Create(CultureInfo.InvariantCulture, $"203.0.{113 + (flow / 25_000)}.{flow % 250}"), (ushort)(2000 + (flow / 250 % 100)));

    private static byte[] Packet(string source, ushort port, bool isTcp, TcpFlags flags)
    {
        PacketBuilder builder = PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv4(source, "192.0.2.80");
        return (isTcp ? builder.Tcp(port, 80, flags, 1, 1) : builder.Udp(port, 80)).Build();
    }

    /// <summary>Another source in 11.0.0.0/8, with the header's checksum.</summary>
    private static void Spoof(byte[] frame, int number, ushort port)
    {
        (frame[26], frame[27], frame[28], frame[29]) = (11, (byte)(number >> 16), (byte)(number >> 8), (byte)number);
        (frame[34], frame[35], frame[24], frame[25]) = ((byte)(port >> 8), (byte)port, 0, 0);
        ushort sum = InternetChecksum.Compute(frame.AsSpan(14, 20));
        (frame[24], frame[25]) = ((byte)(sum >> 8), (byte)sum);
    }
}
