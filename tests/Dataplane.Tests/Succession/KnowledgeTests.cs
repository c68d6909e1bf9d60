using System.Buffers.Binary;
using Dataplane.Balancing;
using Dataplane.Hashing;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Routing;
using Dataplane.Succession;
using Dataplane.Telemetry;
using Dataplane.Tests.Pipeline;

namespace Dataplane.Tests.Succession;

/// <summary>What a successor knows beside flows: routes learnt, backends that are down, clients with affinity.</summary>
public sealed class KnowledgeTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private readonly string _path = $"@dataplane-test-{Guid.NewGuid():N}";
    private readonly MemoryPort _wan = new(new MemoryPortOptions { Mac = TestPlane.WanMac }), _lan = new(new MemoryPortOptions { Mac = TestPlane.LanMac });

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 3)]
    public async Task Client_WithAffinity_KeepsItsBackend(int workersBefore, int workersAfter)
    {
        await using DataplaneEngine first = Build(workersBefore), second = Build(workersAfter);
        await first.StartAsync();
        string[] homes = new string[12];
        for (int client = 0; client < homes.Length; client++)
        {
            homes[client] = await AskAsync(client, 2000);
        }

        Assert.Equal(3, homes.Distinct().Count());
        await HandOverAsync(first, second);

        // The other way round: chosen in turn, hardly any would go where it was before.
        for (int client = homes.Length - 1; client >= 0; client--)
        {
            Assert.Equal(homes[client], await AskAsync(client, 3000));
        }

        await second.StopAsync();
    }

    [Fact]
    public async Task BackendThatIsDown_StaysDownUntilItIsFoundUp()
    {
        await using DataplaneEngine first = Build(1), second = Build(1);
        await first.StartAsync();
        await first.ReportHealthAsync("web", IpAddress.Parse("10.1.0.12"), 8080, isUp: false, "found so before");
        await HandOverAsync(first, second);
        BackendStatus told = second.ReadServices()[0].Backends.Single(backend => backend.Address == IpAddress.Parse("10.1.0.12"));
        Assert.Equal((BackendState.Down, "found so before"), (told.State, told.Reason));
        for (int client = 0; client < 9; client++)
        {
            Assert.NotEqual("10.1.0.12", await AskAsync(client, 3000));
        }

        Assert.NotNull(await second.ReportHealthAsync("web", IpAddress.Parse("10.1.0.12"), 8080, isUp: true, "checked anew"));
        await second.StopAsync();
    }

    [Fact]
    public async Task LearntRoutes_AreThereFromTheFirstPacket_AndGoWhenTheyAreWithdrawn()
    {
        await using DataplaneEngine first = Build(1), second = Build(1);
        await first.StartAsync();
        var prefix = IpPrefix.Parse("203.0.113.0/24");
        await first.UpdateRoutesAsync([new RouteSpec { To = prefix, Via = [new NextHopSpec { Address = IpAddress.Parse("10.1.0.13") }] }]);
        await HandOverAsync(first, second);
        Assert.True(_wan.TrySend(Packet(0, 1, "203.0.113.7")));
        Assert.Equal("203.0.113.7", Destination(await ReceiveAsync()));
        Assert.Equal(1, (await second.UpdateRoutesAsync([], [prefix])).Withdrawn);
        await second.StopAsync();
        Assert.True(second.ReadAccounting().IsBalanced);
    }

    [Fact]
    public void Bytes_AreReadAsWritten_AndRefusedWhenDamagedOrOfAnotherVersion()
    {
        var web = new BackendSlots.Identity(IpAddress.Parse("192.0.2.80"), 80, 6, IpAddress.Parse("2001:db8::1"), 8080, ServicePrefix: 32, ServiceLastPort: 80);
        var known = new Knowledge { Seed = 77 };
        known.Routes.Add(new RouteSpec { To = IpPrefix.Parse("2001:db8::/32"), Via = [new NextHopSpec { Port = "wan", Vlan = 5, Weight = 3 }, new NextHopSpec { Address = IpAddress.Parse("2001:db8:1::9") }] });
        known.Routes.Add(new RouteSpec { To = IpPrefix.Parse("10.0.0.0/8"), Reject = RouteReject.Blackhole });
        known.Down.Add((web, "refused"));
        known.Affinities.Add((Knowledge.ServiceOf(web), [web], [new AffinityEntry(65535, 0xABCDEF, 0, 12)]));
        byte[] bytes = known.ToBytes();
        Knowledge read = Knowledge.FromBytes(bytes);
        Assert.Equal(77ul, read.Seed);
        Assert.Equal(known.Routes.Select(route => (route.To, route.Reject, string.Join('|', route.Via))), read.Routes.Select(route => (route.To, route.Reject, string.Join('|', route.Via))));
        Assert.Equal(known.Down, read.Down);
        Assert.Equal(known.Affinities[0].Clients, read.Affinities[0].Clients);
        Assert.Equal((known.Affinities[0].Service, web), (read.Affinities[0].Service, read.Affinities[0].Backends[0]));
        for (int at = 0; at < bytes.Length; at++)
        {
            byte[] damaged = [.. bytes];
            damaged[at] ^= 4;
            Assert.Throws<SuccessionException>(() => Knowledge.FromBytes(damaged));
            Assert.Throws<SuccessionException>(() => Knowledge.FromBytes(bytes[..at]));
        }
    }

    /// <summary>A predecessor that says what cannot be, with a checksum that is right: every byte changed in several ways, cut off anywhere, and with more behind it.</summary>
    [Fact]
    public void Bytes_WithARightChecksum_AreReadOrRefusedAndNothingElse()
    {
        var web = new BackendSlots.Identity(IpAddress.Parse("192.0.2.80"), 80, 6, IpAddress.Parse("10.1.0.11"), 8080, ServicePrefix: 32, ServiceLastPort: 80);
        var known = new Knowledge { Seed = 77 };
        known.Routes.Add(new RouteSpec { To = IpPrefix.Parse("2001:db8::/32"), Via = [new NextHopSpec { Port = "wan" }] });
        known.Routes.Add(new RouteSpec { To = IpPrefix.Parse("10.0.0.0/8"), Reject = RouteReject.Blackhole });
        known.Down.Add((web, "refused"));
        known.Affinities.Add((Knowledge.ServiceOf(web), [web], [new AffinityEntry(1, 2, 0, 3)]));
        byte[] bytes = known.ToBytes()[..^sizeof(uint)];
        int read = 0, refused = 0;
        for (int at = 0; at < bytes.Length; at++)
        {
            foreach (byte change in new byte[] { 1, 2, 0x40, 0x80, 0xFF })
            {
                byte[] lie = [.. bytes];
                lie[at] ^= change;
                if (Record.Exception(() => Knowledge.FromBytes(Signed(lie))) is { } thrown)
                {
                    Assert.IsType<SuccessionException>(thrown);
                    refused++;
                }
                else
                {
                    read++;
                }
            }

            Assert.Throws<SuccessionException>(() => Knowledge.FromBytes(Signed(bytes[..at])));
        }

        Assert.InRange(read, 1, int.MaxValue);
        Assert.InRange(refused, 1, int.MaxValue);
        Assert.Equal(77ul, Knowledge.FromBytes(Signed(bytes)).Seed);
        Assert.Throws<SuccessionException>(() => Knowledge.FromBytes(Signed([.. bytes, 0])));

        static byte[] Signed(byte[] bytes)
        {
            byte[] all = [.. bytes, 0, 0, 0, 0];
            BinaryPrimitives.WriteUInt32LittleEndian(all.AsSpan(bytes.Length), Crc32C.Checksum(bytes));
            return all;
        }
    }

    private async Task HandOverAsync(DataplaneEngine first, DataplaneEngine second)
    {
        Task handed = first.HandOverAsync(_path);
        Assert.Equal(HandOverOutcome.TakenOver, (await second.StartAfterAsync(_path)).Outcome);
        await handed.WaitAsync(s_patience);
    }

    private DataplaneEngine Build(int workers)
    {
        DataplaneBuilder builder = new DataplaneBuilder().Port("wan", PortSource.Memory(_wan)).Port("lan", PortSource.Memory(_lan));
        TestPlane.AddAddresses(builder, withNeighbours: true);
        return builder.Service("web", "192.0.2.80", 80, service => service.Balance(BalancePolicy.RoundRobin).Affinity(TimeSpan.FromMinutes(5))
            .Backend("10.1.0.11", 8080).Backend("10.1.0.12", 8080).Backend("10.1.0.13", 8080)).Workers(settings => settings with { Count = workers }).Build();
    }

    private async Task<string> AskAsync(int client, ushort port)
    {
        Assert.True(_wan.TrySend(Packet(client, port, "192.0.2.80")));
        return Destination(await ReceiveAsync());
    }

    private static byte[] Packet(int client, ushort port, string destination) =>
        PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv4($"198.51.100.{20 + client}", destination).Tcp(port, 80, TcpFlags.Syn, 1, 0).Build();

    private static string Destination(byte[] frame) => IpAddress.ReadV4(frame.AsSpan(30)).ToString();

    private async Task<byte[]> ReceiveAsync()
    {
        byte[] buffer = new byte[2048];
        int length;
        for (long end = Environment.TickCount64 + (long)s_patience.TotalMilliseconds; !_lan.TryReceive(buffer, out length); await Task.Delay(1))
        {
            Assert.True(Environment.TickCount64 < end, "nothing left");
        }

        return buffer[..length];
    }
}
