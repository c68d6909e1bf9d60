using Dataplane.Packets;
using Dataplane.Tests.Pipeline;
using FsCheck;
using FsCheck.Fluent;
using static Dataplane.Tests.Nat64.Nat64Net;

namespace Dataplane.Tests.Nat64;

/// <summary>Any packet there and back against a translator that is written for the tests alone.</summary>
public sealed class Nat64PropertyTests
{
    [Fact]
    public async Task AnyPacket_ThereAndBack_IsWhatTheReferenceMakesOfIt()
    {
        await using TestPlane plane = Create();
        var packets = Gen.Choose(0, int.MaxValue).Select(seed => new Random(seed)).ToArbitrary();
        int port = 2000;
        Prop.ForAll(packets, random => RoundTrip(plane, random, port = 2000 + ((port + 1) % 500))).Check(Config.QuickThrowOnFailure.WithMaxTest(400));
    }

    private static void RoundTrip(TestPlane plane, Random random, int port)
    {
        int host = random.Next(11, 14), length = random.Next(0, 1400), kind = random.Next(3);
        byte ttl = (byte)random.Next(2, 256), tos = (byte)random.Next(256);
        byte[] payload = new byte[length];
        random.NextBytes(payload);
        PacketBuilder there = FromInside(host, ttl: ttl, tos: tos), back = FromOutside(ttl: ttl, tos: tos, dontFragment: length > 1200);
        if (random.Next(3) == 0)
        {
            there = there.HopByHop(new byte[6]).DestinationOptions(new byte[14]);
        }

        byte[] sent = Add(there, kind, port, 80, isRequest: true).Payload(payload).Build();
        byte[] outside = plane.SendForOne("lan", sent, "wan");
        int at = kind == 2 ? 38 : 34, poolPort = (outside[at] << 8) | outside[at + 1];
        byte[] inside = new byte[16], pool = new byte[4], prefix = new byte[16];
        Host(host).Write(inside);
        Gateway.Write(pool);
        Embedded.Write(prefix);
        var reference = new ReferenceTranslator(inside, pool, prefix[..12], port, poolPort);
        Same(reference.ToV4(sent[14..], IdentificationOf(outside)), outside[14..]);

        byte[] answer = Add(back, kind, 80, poolPort, isRequest: false).Payload(payload).Build();
        Same(reference.ToV6(answer[14..]), plane.SendForOne("wan", answer, "lan")[14..]);
    }

    private static PacketBuilder Add(PacketBuilder builder, int kind, int source, int destination, bool isRequest) => kind switch
    {
        0 => builder.Tcp((ushort)source, (ushort)destination, isRequest ? TcpFlags.Syn : TcpFlags.Syn | TcpFlags.Ack, 1000, 2000),
        1 => builder.Udp((ushort)source, (ushort)destination),
        _ => isRequest ? builder.EchoRequest((ushort)source, 3) : builder.EchoReply((ushort)destination, 3),
    };
}
