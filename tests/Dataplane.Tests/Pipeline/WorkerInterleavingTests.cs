using Dataplane.Balancing;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;
using Dataplane.Tests.Flows;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Pipeline;

/// <summary>Whatever order the workers run in, the packets of each flow leave as they would have with one worker, and in the same order.</summary>
public sealed class WorkerInterleavingTests
{
    private const int Rounds = 12;

    // No port of the flows of a script: fragments may come in every round, answers must not come in the same.
    private const ushort OfFragments = 1999;

    [Fact]
    public void Workers_InAnyOrder_SendPerFlowWhatOneSends() => Prop.ForAll(Gen.Choose(0, int.MaxValue).ToArbitrary(), seed =>
    {
        int workers = 2 + (seed % 3);
        List<(string Port, byte[] Frame)>[] script = Script(new Random(seed));
        Dictionary<string, List<string>> expected = Play(script, 1, seed, out Accounting one);
        Dictionary<string, List<string>> actual = Play(script, workers, seed, out Accounting several);
        Assert.Equal(expected.Keys.Order(), actual.Keys.Order());
        Assert.All(expected, flow => Assert.Equal(flow.Value, actual[flow.Key]));
        Assert.Equal(one.ToString(), several.ToString());
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(150));

    /// <summary>Packets in rounds; in one round a flow has packets of one direction only, as directions are in no order to each other.</summary>
    private static List<(string Port, byte[] Frame)>[] Script(Random random)
    {
        var rounds = new List<(string Port, byte[] Frame)>[Rounds];
        (ServiceNet Net, bool Tcp, ushort Port)[] flows = [.. Enumerable.Range(0, 12).Select(i =>
            (random.Next(2) == 0 ? ServiceNet.V4 : ServiceNet.V6, random.Next(2) == 0, (ushort)(2000 + (i * 97))))];
        for (int round = 0; round < Rounds; round++)
        {
            rounds[round] = [];
            foreach ((ServiceNet net, bool tcp, ushort port) in flows.Where(_ => random.Next(3) > 0))
            {
                bool back = round > 0 && random.Next(2) == 0;
                for (int packet = random.Next(1, 5); packet > 0; packet--)
                {
                    rounds[round].Add(Packet(random, net, tcp, port, back));
                }
            }

            // Others in between: routed, expired, to the engine itself, unroutable, and pieces of packets.
            for (int other = random.Next(6); other > 0; other--)
            {
                rounds[round].Add(Other(random));
            }
        }

        return rounds;
    }

    private static (string Port, byte[] Frame) Packet(Random random, ServiceNet net, bool tcp, ushort port, bool back)
    {
        // Every backend may be the flow's: what comes from one that is not is no packet of it, and goes as it came.
        PacketBuilder builder = back ? net.FromBackend(random.Next(11, 14)) : net.FromClient();
        TcpFlags flags = random.Next(8) switch { 0 => TcpFlags.Syn, 1 => TcpFlags.Fin | TcpFlags.Ack, 2 => TcpFlags.Rst, _ => TcpFlags.Ack };
        (ushort from, ushort to) = back ? ((ushort)8080, port) : (port, (ushort)80);
        builder = tcp ? builder.Tcp(from, to, flags) : builder.Udp(from, to);
        byte[] payload = new byte[random.Next(1, 120)];
        random.NextBytes(payload);
        return (back ? "lan" : "wan", builder.Payload(payload).Build());
    }

    private static (string Port, byte[] Frame) Other(Random random)
    {
        PacketBuilder from = PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac);
        byte[] payload = new byte[random.Next(1, 60)];
        random.NextBytes(payload);
        return ("wan", random.Next(6) switch
        {
            0 => from.Ipv4("198.51.100.2", "10.1.0.12").Udp(7, 7).Payload(payload).Build(),
            1 => from.Ipv6("2001:db8:1::2", "2001:db8:2::12", 1).Udp(7, 7).Payload(payload).Build(),
            2 => from.Ipv4("198.51.100.2", "198.51.100.1").EchoRequest(1, 1).Build(),
            3 => from.Ipv4("198.51.100.2", "192.0.2.1").Udp(7, 7).Payload(payload).Build(),
            4 => ServiceNet.V4.FromClient().Udp(OfFragments, 80).PayloadOf(200).BuildFragments(64)[random.Next(2)],
            _ => payload,
        });
    }

    /// <summary>What leaves, in order, by port, family, protocol, addresses and ports.</summary>
    private static Dictionary<string, List<string>> Play(List<(string Port, byte[] Frame)>[] script, int workers, int seed, out Accounting accounting)
    {
        var random = new Random(seed + 1);
        TestPlane plane = TestPlane.Create(builder =>
        {
            foreach (ServiceNet net in new[] { ServiceNet.V4, ServiceNet.V6 })
            {
                string family = net == ServiceNet.V4 ? "v4" : "v6";
                net.Add(builder, family + "-tcp", 80, tcp: true, BalancePolicy.Maglev, 11, 12, 13);
                net.Add(builder, family + "-udp", 80, tcp: false, BalancePolicy.Maglev, 11, 12, 13);
            }

            builder.Filter(filter => filter.Deny(protocol: 17, fromPort: "2097"));
            builder.Workers(spec => spec with { Count = workers, FlowEntries = 4096, IcmpErrorsPerSecond = 1_000_000 });
        });
        plane.Capture();
        var flows = new Dictionary<string, List<string>>();
        try
        {
            foreach (List<(string Port, byte[] Frame)> round in script)
            {
                foreach ((string port, byte[] frame) in round)
                {
                    Assert.True(plane[port].TrySend(frame));
                    if (random.Next(3) == 0)
                    {
                        Worker worker = plane.Engine.Workers[random.Next(workers)];
                        worker.RunOnce(worker.NowNs);
                        Assert.True(plane.Engine.ReadAccounting() is { IsBalanced: true, Held: >= 0 });
                    }
                }

                foreach ((string port, byte[] frame) in plane.Run())
                {
                    PacketHeaders headers = default;
                    FlowKey key = default;
                    string flow = PacketParser.Parse(frame, ref headers, ref key) == DropReason.None ? $"{port} {key}" : port;
                    (flows.TryGetValue(flow, out List<string>? frames) ? frames : flows[flow] = []).Add(Convert.ToHexString(frame));
                }
            }
        }
        finally
        {
            plane.DisposeAsync().AsTask().GetAwaiter().GetResult();
        }

        accounting = plane.Engine.ReadAccounting();
        return flows;
    }
}
