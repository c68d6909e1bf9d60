using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Switching;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Reference;
using FsCheck;
using FsCheck.Fluent;
using static Dataplane.Tests.Switching.NetworkPlane;

namespace Dataplane.Tests.Switching;

/// <summary>Any frame by any port of networks of any kind: what comes out elsewhere is exactly what a few lines of rules say.</summary>
public sealed class BridgeModelTests
{
    private static readonly string[] s_owners = ["a", "b", "c", "d", "wan", "blue", "red"];

    /// <summary>One frame: port it comes by, owners of its four addresses, family, hops left.</summary>
    private sealed record Sent(string Port, string SourceMac, string TargetMac, string Source, string Destination, int Family, byte Ttl, int Kind);

    /// <summary>How the networks are: flags of both, and whether they reach each other.</summary>
    private sealed record World(bool BlueInternal, bool BlueIsolated, bool RedInternal, bool RedIsolated, bool Reach)
    {
        public bool IsInternal(string network) => network == "blue" ? BlueInternal : RedInternal;

        public bool IsIsolated(string network) => network == "blue" ? BlueIsolated : RedIsolated;
    }

    [Fact]
    public void AnyFrame_InAnyWorld_GoesWhereTheRulesSayAndNowhereElse()
    {
        Gen<bool> coin = Gen.Elements(true, false);
        Gen<World> worlds = from flags in coin.ArrayOf(5) select new World(flags[0], flags[1], flags[2], flags[3], flags[4]);
        Prop.ForAll(worlds.ToArbitrary(), Frames().ListOf(60).ToArbitrary(), Check).Check(Config.QuickThrowOnFailure.WithMaxTest(40));
    }

    private static Gen<Sent> Frames() =>
        from port in Gen.Elements(PortNames)
        from owners in Gen.Elements(s_owners).ArrayOf(4)
        from honest in Gen.Choose(0, 9).ArrayOf(2)
        from family in Gen.Elements(4, 6)
        from ttl in Gen.Elements((byte)1, (byte)2, (byte)64)
        from kind in Gen.Choose(0, 3)
        select new Sent(port, honest[0] > 1 ? port : owners[0], owners[1], honest[1] > 1 ? port : owners[2], owners[3], family, ttl, kind);

    private static bool Check(World world, IList<Sent> frames)
    {
        TestPlane plane = Create(
            blue => blue with { Internal = world.BlueInternal, Isolate = world.BlueIsolated, Reach = world.Reach ? ["red"] : [] },
            red => red with { Internal = world.RedInternal, Isolate = world.RedIsolated });
        foreach (Sent sent in frames)
        {
            byte[] frame = Build(sent).Build();
            (string Port, byte[] Frame)? expected = Expect(world, sent);
            IReadOnlyList<(string Port, byte[] Frame)> seen = plane.Send(sent.Port, frame);

            // What is said back to the sender alone is another test's; nobody else may see anything but this.
            List<(string Port, byte[] Frame)> others = [.. seen.Where(each => each.Port != sent.Port || (expected is { } wanted && wanted.Port == sent.Port))];
            Assert.True(others.Count == (expected is null ? 0 : 1), $"{world} {sent}: {others.Count} frames, by {string.Join(", ", others.Select(each => each.Port))}");
            if (expected is { } one)
            {
                Assert.Equal((one.Port, Convert.ToHexString(one.Frame)), (others[0].Port, Convert.ToHexString(others[0].Frame)));
            }
        }

        plane.DisposeAsync().AsTask().GetAwaiter().GetResult();
        return true;
    }

    private static MacAddress Mac(string owner) => owner switch { "blue" => Blue, "red" => Red, _ => MacOf(owner) };

    private static PacketBuilder Build(Sent sent) => Finish(sent, PacketBuilder.Ethernet(Mac(sent.SourceMac), TargetOf(sent)), sent.Ttl);

    /// <summary>At the port outside, the gateway is the engine's own hardware address there.</summary>
    private static MacAddress TargetOf(Sent sent) => sent.Port == "wan" && sent.TargetMac is "blue" or "red" ? TestPlane.WanMac : Mac(sent.TargetMac);

    private static PacketBuilder Finish(Sent sent, PacketBuilder link, byte ttl)
    {
        PacketBuilder packet = link.Ip(AddressOf(sent.Source, sent.Family), AddressOf(sent.Destination, sent.Family), ttl);
        return sent.Kind switch { 0 => packet.Tcp(1000, 80), 1 => packet.Udp(1000, 80).PayloadOf(33), 2 => packet.EchoReply(1, 1), _ => packet.Carrying(132).PayloadOf(12) };
    }

    private static string? NetworkOf(string owner) => owner switch { "a" or "b" => "blue", "c" or "d" => "red", _ => null };

    private static (string Port, byte[] Frame)? Expect(World world, Sent sent)
    {
        string? network = NetworkOf(sent.Port);
        bool isGateway = sent.Port == "wan" ? sent.TargetMac is "blue" or "red" : sent.TargetMac == network;
        bool isHonest = network is null
            ? NetworkOf(sent.Source) is null && sent.Source == "wan"
            : sent.SourceMac == sent.Port && sent.Source == sent.Port;
        if (!isHonest)
        {
            return null;
        }

        if (!isGateway)
        {
            bool isNeighbour = network is not null && NetworkOf(sent.TargetMac) == network && sent.TargetMac != sent.Port && !world.IsIsolated(network);
            return isNeighbour ? (sent.TargetMac, Build(sent).Build()) : null;
        }

        if (sent.Destination is "blue" or "red" || sent.Ttl <= 1 || !MayPass(world, sent.Port, sent.Destination))
        {
            return null;
        }

        PacketBuilder link = PacketBuilder.Ethernet(GatewayOf(sent.Destination), MacOf(sent.Destination));
        return (sent.Destination, Finish(sent, link, (byte)(sent.Ttl - 1)).Build());
    }

    private static bool MayPass(World world, string from, string to)
    {
        string? source = NetworkOf(from), target = NetworkOf(to);
        if (source == target)
        {
            return source is null || from == to || !world.IsIsolated(source);
        }

        return source is not null && target is not null ? world.Reach : !world.IsInternal((source ?? target)!);
    }
}
