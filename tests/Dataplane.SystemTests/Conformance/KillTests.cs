using System.Diagnostics;
using System.Globalization;
using System.Text;
using Dataplane.Packets;
using Dataplane.SystemTests.Support;
using Dataplane.Tests.Conformance;

namespace Dataplane.SystemTests.Conformance;

/// <summary>kill -9 under traffic, again and again: the next process forwards, the hash alone leads flows to the same backends, and nothing is left behind.</summary>
/// <remarks>DATAPLANE_KILLS says how often (10), DATAPLANE_KILL_SEED which moments; the seed is in every failure.</remarks>
[Collection(AloneCollection.Name)]
public sealed class KillTests
{
    private const int Flows = 400, Backends = 5;

    [SystemFact("ip")]
    public async Task Gateway_KilledAtRandomMoments_ForwardsToTheSameBackendsAndLeavesNothingBehind()
    {
        int kills = Setting("DATAPLANE_KILLS", 10), seed = Setting("DATAPLANE_KILL_SEED", Environment.TickCount);
        var random = new Random(seed);
        using var wire = new Wire();
        wire.Lay();
        DirectoryInfo folder = Directory.CreateTempSubdirectory("dpkill");
        try
        {
            string path = Path.Combine(folder.FullName, "gateway.yaml");
            await File.WriteAllTextAsync(path, Yaml());
            string before = await ReadWhatIsThereAsync(wire, folder);
            string[]? chosen = null;
            for (int kill = 0; kill <= kills; kill++)
            {
                await using GatewayProgram gateway = await GatewayProgram.StartAsync(wire.Home.Name, path, Yaml());
                string[] now = AskAll(wire);
                int same = now.Zip(chosen ??= now).Count(pair => pair.First == pair.Second);
                Assert.True(same >= Flows * 99 / 100, $"{same} of {Flows} flows at the same backend after kill {kill} (seed {seed})");
                SendFor(wire, random, TimeSpan.FromMilliseconds(random.Next(200)));
                await gateway.KillAsync();
                await AwaitNothingLeftAsync(wire, folder, before, $"kill {kill}, seed {seed}");
                wire.Take([]);
            }

            Assert.Equal(Backends * 2, chosen!.Distinct().Count());
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static int Setting(string name, int otherwise) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } given ? int.Parse(given, CultureInfo.InvariantCulture) : otherwise;

    /// <summary>Sends packets of all flows until each has come to a backend, and says to which.</summary>
    private static string[] AskAll(Wire wire)
    {
        string?[] backends = new string?[Flows];
        var watch = Stopwatch.StartNew();
        while (backends.Contains(null))
        {
            Assert.True(watch.Elapsed < ChildProgram.Patience, $"{backends.Count(backend => backend is null)} flows are not forwarded");
            for (int flow = 0; flow < Flows; flow++)
            {
                if (backends[flow] is null)
                    wire.Send("wan", Packet(flow));
                if (flow % 16 == 15)
                    Note(wire, backends);
            }

            Thread.Yield();
            Note(wire, backends);
        }

        return backends!;
    }

    private static void Note(Wire wire, string?[] backends)
    {
        var came = new List<(string Port, byte[] Frame)>();
        wire.Take(came);
        foreach ((string port, byte[] frame) in came.Where(entry => entry.Port == "lan"))
        {
            bool isV4 = frame[12] == 8;
            int flow = ((frame[isV4 ? 34 : 54] << 8) | frame[isV4 ? 35 : 55]) - 10_000;
            backends[flow] = (isV4 ? IpAddress.ReadV4(frame.AsSpan(30)) : IpAddress.ReadV6(frame.AsSpan(38))).ToString();
        }
    }

    /// <summary>Traffic that the kill comes into.</summary>
    private static void SendFor(Wire wire, Random random, TimeSpan time)
    {
        for (var watch = Stopwatch.StartNew(); watch.Elapsed < time;)
        {
            wire.Send("wan", Packet(random.Next(Flows)));
            wire.Take([]);
        }
    }

    /// <summary>A packet in the middle of a flow: half of each family, half TCP and half UDP.</summary>
    private static byte[] Packet(int flow)
    {
        (string client, string service) = flow % 2 == 0 ? ("198.51.100.2", "192.0.2.80") : ("2001:db8:1::2", "2001:db8:80::80");
        PacketBuilder packet = PacketBuilder.Ethernet(ConformanceWorld.ClientMac, ConformanceWorld.WanMac).Ip(IpAddress.Parse(client), IpAddress.Parse(service));
        ushort port = (ushort)(10_000 + flow);
        return (flow / 2 % 2 == 0 ? packet.Udp(port, 80) : packet.Tcp(port, 80, TcpFlags.Ack, 1000, 2000)).PayloadOf(64).Build();
    }

    /// <summary>A process that was killed is gone when its end is told; what the kernel takes back for it may follow.</summary>
    private static async Task AwaitNothingLeftAsync(Wire wire, DirectoryInfo folder, string before, string when)
    {
        var watch = Stopwatch.StartNew();
        string now;
        while ((now = await ReadWhatIsThereAsync(wire, folder)) != before)
        {
            Assert.True(watch.Elapsed < ChildProgram.Patience, $"left behind ({when}):\n{now}\nbefore:\n{before}");
            await Task.Delay(20);
        }
    }

    /// <summary>Interfaces with their XDP programs and addresses, packet sockets, Unix sockets, and files.</summary>
    private static async Task<string> ReadWhatIsThereAsync(Wire wire, DirectoryInfo folder)
    {
        string home = wire.Home.Name;
        string links = (await ChildProgram.RunAsync(home, ["ip", "-o", "-d", "link", "show"])).MustSucceed().Output;
        string addresses = (await ChildProgram.RunAsync(home, ["ip", "-o", "addr", "show"])).MustSucceed().Output;
        string sockets = (await ChildProgram.RunAsync(home, ["cat", "/proc/net/packet", "/proc/net/unix"])).MustSucceed().Output;
        int packetSockets = sockets.Split('\n').Count(line => line.Length > 0);
        return string.Create(CultureInfo.InvariantCulture, $"{links}{addresses}{packetSockets} sockets\n{string.Join('\n', folder.EnumerateFileSystemInfos().Select(entry => entry.Name).Order())}");
    }

    private static string Yaml()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $$"""
            ports:
              wan: { kind: af_packet, interface: wan, mac: "{{ConformanceWorld.WanMac}}" }
              lan: { kind: af_packet, interface: lan, mac: "{{ConformanceWorld.LanMac}}" }
            interfaces:
              - { port: wan, address: 198.51.100.1/24 }
              - { port: wan, address: "2001:db8:1::1/64" }
              - { port: lan, address: 10.1.0.1/24 }
              - { port: lan, address: "2001:db8:2::1/64" }
            neighbours:

            """);
        for (int backend = 11; backend < 11 + Backends; backend++)
        {
            foreach (string address in new[] { $"10.1.0.{backend}", $"2001:db8:2::{backend}" })
                text.Append(CultureInfo.InvariantCulture, $"  - {{ port: lan, address: \"{address}\", mac: \"{ConformanceWorld.ServerMac}\" }}\n");
        }

        text.Append("services:\n");
        foreach ((string family, string address, string prefix) in new[] { ("4", "192.0.2.80", "10.1.0."), ("6", "2001:db8:80::80", "2001:db8:2::") })
        {
            foreach (string protocol in new[] { "tcp", "udp" })
            {
                text.Append(CultureInfo.InvariantCulture, $"  - name: {protocol}{family}\n    address: \"{address}\"\n    port: 80\n    protocol: {protocol}\n    balance: maglev\n    backends:\n");
                foreach (int backend in Enumerable.Range(11, Backends))
                    text.Append(CultureInfo.InvariantCulture, $"      - {{ address: \"{prefix}{backend}\", port: 8080 }}\n");
            }
        }

        return text.ToString();
    }
}
