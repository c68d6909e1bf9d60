using System.Globalization;
using Dataplane.Balancing;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Routing;
using Dataplane.Telemetry;
using Dataplane.Tests.Flows;
using Dataplane.Tests.Reference;

namespace Dataplane.Tests.Pipeline;

/// <summary>Random and damaged packets through the whole pipeline: no exception, every packet accounted for, every checksum sent right.</summary>
public sealed class RandomPacketsTests
{
    private const int BatchPackets = 256, SlotBytes = 2048;

    /// <summary>What <see cref="Packets_Random_AreAccountedForAndSentSound_Long"/> sends.</summary>
    private static long LongCount => long.Parse(Environment.GetEnvironmentVariable("DATAPLANE_RANDOM_PACKETS") ?? "10000000", CultureInfo.InvariantCulture);

    [Fact]
    public async Task Packets_Random_AreAccountedForAndSentSound()
    {
        await SendSoundAsync(seed: 1, 140_000);
        await SendWildAsync(seed: 2, 140_000);
        await SendOneByOneAsync(seed: 3, 20_000);
    }

    [Fact]
    [Trait("Category", "Slow")]
    public async Task Packets_Random_AreAccountedForAndSentSound_Long()
    {
        await SendSoundAsync(seed: 11, LongCount * 45 / 100);
        await SendWildAsync(seed: 12, LongCount * 45 / 100);
        await SendOneByOneAsync(seed: 13, LongCount / 10);
    }

    /// <summary>The same packets one per batch and 256 per batch: the same frames come out.</summary>
    [Fact]
    public async Task Packets_InBatchesOfAnySize_GiveTheSameFrames()
    {
        List<string> one = await ForwardAsync(1), many = await ForwardAsync(BatchPackets), some = await ForwardAsync(7);
        Assert.True(one.Count > 5_000, $"only {one.Count} frames came out");
        Assert.Equal(one, many);
        Assert.Equal(one, some);
    }

    private static TestPlane Create(int lanMtu = 1280) => TestPlane.Create(builder =>
    {
        foreach (ServiceNet net in new[] { ServiceNet.V4, ServiceNet.V6 })
        {
            string family = net == ServiceNet.V4 ? "v4" : "v6";
            net.Add(builder, $"tcp-{family}", 80, tcp: true, BalancePolicy.Maglev, 11, 12, 13);
            net.Add(builder, $"udp-{family}", 53, tcp: false, BalancePolicy.RoundRobin, 11, 12, 13);
        }

        builder.Interface("lan", "10.5.0.1/24", vlan: 5).Interface("lan", "2001:db8:5::1/64", vlan: 5)
            .Route("0.0.0.0/0", "10.1.0.12", "10.1.0.13").Route("::/0", "2001:db8:2::12", "2001:db8:2::60")
            .RouteReject("192.0.2.0/24", RouteReject.Prohibited)
            .Filter(filter => filter.Deny(protocol: 6, toPort: "23").Deny(from: "2001:db8:1::9/128"))
            .Workers(workers => workers with { FlowEntries = 1024, IcmpErrorsPerSecond = 1_000_000 });
    }, lanMtu: lanMtu);

    private static async Task SendSoundAsync(ulong seed, long count)
    {
        await using TestPlane plane = Create();
        var mutator = new PacketMutator(seed, PacketCorpus.Make());
        byte[] frames = new byte[BatchPackets * SlotBytes];
        int[] lengths = new int[BatchPackets];
        long sent = 0;
        for (; sent < count; sent += BatchPackets)
        {
            (string port, MacAddress mac) = NextPort(mutator);
            Fill(mutator, mac, wild: false, frames, lengths);
            Assert.Equal(BatchPackets, plane[port].SendMany(frames, lengths));
            Step(plane, mutator);
            Drain(plane, (packet, bytes) =>
            {
                Assert.True(packet.Problem is null, $"{packet.Problem}: {Convert.ToHexString(bytes)} (seed {seed}, behind {sent})");
                Assert.True(packet.TransportChecksumRight != false, $"checksum: {Convert.ToHexString(bytes)} (seed {seed}, behind {sent})");
            });
        }

        AssertAccounted(plane, sent);
    }

    private static async Task SendWildAsync(ulong seed, long count)
    {
        await using TestPlane plane = Create();
        var mutator = new PacketMutator(seed, PacketCorpus.Make());
        byte[] frames = new byte[BatchPackets * SlotBytes];
        int[] lengths = new int[BatchPackets];
        long sent = 0;
        for (; sent < count; sent += BatchPackets)
        {
            (string port, MacAddress mac) = NextPort(mutator);
            Fill(mutator, mac, wild: true, frames, lengths);
            Assert.Equal(BatchPackets, plane[port].SendMany(frames, lengths));
            Step(plane, mutator);
            Drain(plane, (packet, bytes) => Assert.False(packet.IsTruncated, $"{packet.Problem}: {Convert.ToHexString(bytes)} (seed {seed}, behind {sent})"));
        }

        AssertAccounted(plane, sent);
    }

    /// <summary>One packet at a time, so that what comes out can be held against what went in.</summary>
    private static async Task SendOneByOneAsync(ulong seed, long count)
    {
        await using TestPlane plane = Create();
        var mutator = new PacketMutator(seed, PacketCorpus.Make());
        byte[] buffer = new byte[SlotBytes];
        for (long sent = 0; sent < count; sent++)
        {
            (string port, MacAddress mac) = NextPort(mutator);
            byte[] frame = buffer[..mutator.NextWild(buffer, mac)];
            bool wasRight = ReferenceDecoder.Decode(frame).TransportChecksumRight == true && plane.Engine.ReadAccounting().Held == 0;
            Assert.True(plane[port].TrySend(frame));
            Step(plane, mutator);
            Drain(plane, (packet, bytes) => Assert.True(!wasRight || packet.TransportChecksumRight != false,
                $"{Convert.ToHexString(frame)} became {Convert.ToHexString(bytes)} (seed {seed}, packet {sent})"));
        }

        AssertAccounted(plane, count);
    }

    private static async Task<List<string>> ForwardAsync(int batch)
    {
        await using TestPlane plane = Create(lanMtu: 1500);
        var mutator = new PacketMutator(5, PacketCorpus.MakeForwardOnly());
        byte[] buffer = new byte[SlotBytes];
        var frames = new List<string>();
        for (int sent = 1; sent <= 10_000; sent++)
        {
            int length = mutator.NextSound(buffer, TestPlane.WanMac);
            Assert.True(plane["wan"].TrySend(buffer.AsSpan(0, length)));
            if (sent % batch == 0 || sent == 10_000)
            {
                frames.AddRange(plane.Run().Select(sentFrame => $"{sentFrame.Port} {Convert.ToHexString(sentFrame.Frame)}"));
            }
        }

        // Answers of the engine's own follow the batch they belong to: the order among frames is not compared.
        frames.Sort(StringComparer.Ordinal);
        return frames;
    }

    private static (string Port, MacAddress Mac) NextPort(PacketMutator mutator) =>
        mutator.Next(2) == 0 ? ("wan", TestPlane.WanMac) : ("lan", TestPlane.LanMac);

    /// <summary>Fills a batch with frames back to back.</summary>
    private static void Fill(PacketMutator mutator, MacAddress mac, bool wild, byte[] frames, int[] lengths)
    {
        int at = 0;
        for (int i = 0; i < lengths.Length; i++)
        {
            Span<byte> target = frames.AsSpan(at, SlotBytes);
            lengths[i] = wild ? mutator.NextWild(target, mac) : mutator.NextSound(target, mac);
            at += lengths[i];
        }
    }

    private static void Step(TestPlane plane, PacketMutator mutator)
    {
        plane.Clock.Advance(TimeSpan.FromMilliseconds(mutator.Next(20)));
        while (plane.Engine.RunOnce() > 0)
        {
        }
    }

    private static void Drain(TestPlane plane, Action<ReferencePacket, byte[]> check)
    {
        foreach (string name in new[] { "wan", "lan" })
        {
            MemoryPort port = plane[name];
            string mac = (name == "wan" ? TestPlane.WanMac : TestPlane.LanMac).ToString();
            while (true)
            {
                using ReceivedFrames received = port.ReceiveMany();
                if (received.Count == 0)
                {
                    break;
                }

                foreach (ReadOnlySpan<byte> frame in received)
                {
                    byte[] bytes = frame.ToArray();
                    ReferencePacket packet = ReferenceDecoder.Decode(bytes);
                    Assert.True(packet.SourceMac == mac && packet.EtherType is 0x0800 or 0x86DD or 0x0806 && packet.HeaderChecksumRight != false
                        && (packet.Arp is not null || packet.Tags.Count == 0 || (name == "lan" && packet.Tags is [(0x8100, 0, false, 5)])),
                            $"by {name}: {Convert.ToHexString(bytes)}");
                    check(packet, bytes);
                }
            }
        }

        Accounting accounting = plane.Engine.ReadAccounting();
        Assert.True(accounting.IsBalanced, accounting.ToString());
    }

    private static void AssertAccounted(TestPlane plane, long sent)
    {
        Accounting accounting = plane.Engine.ReadAccounting();
        Assert.True(accounting.IsBalanced && accounting.Received == sent && accounting.Transmitted == plane["wan"].ReceivedFrames + plane["lan"].ReceivedFrames,
            accounting.ToString());
        Assert.True(accounting.Transmitted > sent / 10, $"few packets found their way: {accounting}");
    }
}
