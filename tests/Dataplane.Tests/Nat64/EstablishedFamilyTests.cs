using Dataplane.Filtering;
using Dataplane.Flows;
using Dataplane.Nat64;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;
using Dataplane.Tests.Pipeline;
using Dataplane.Tracking;
using FsCheck;
using FsCheck.Fluent;
using static Dataplane.Tests.Nat64.Nat64Net;

namespace Dataplane.Tests.Nat64;

/// <summary>The short way between the families leads where the stages lead, and leaves to them what is odd.</summary>
public sealed class EstablishedFamilyTests
{
    private const TcpFlags Ack = TcpFlags.Ack;

    /// <summary>A stage behind the filter has every packet take the long way: the oracle.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task AnyPacketsOfFlows_LeaveAsTheStagesWouldSendThem(bool withStates)
    {
        await using TestPlane with = Create(more: builder => Rules(builder, withStates)), without = Create(more: builder =>
        {
            Rules(builder, withStates);
            builder.Stage(StagePosition.AfterFilter, new TestStage(_ => { }));
        });
        var packets = Gen.Choose(0, int.MaxValue).Select(seed => new Random(seed)).ToArbitrary();
        Prop.ForAll(packets, random =>
        {
            ushort port = (ushort)random.Next(2000, 2004);
            bool outwards = random.Next(2) == 0, isTcp = random.Next(2) == 0;
            Both(with, without, "lan", isTcp ? FromInside().Tcp(port, 80, TcpFlags.Syn, 7, 0).Build() : FromInside().Udp(port, 80).Build());
            Both(with, without, "wan", isTcp ? FromOutside().Tcp(80, port, TcpFlags.Syn | Ack, 9, 8).Build() : FromOutside().Udp(80, port).Build());
            for (int i = 0; i < 3; i++)
            {
                Both(with, without, outwards ? "lan" : "wan", Packet(random, outwards, isTcp, port));
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));
        Assert.Equal(Assert.Single(without.Engine.ReadNat(), entry => entry.Address == Gateway), Assert.Single(with.Engine.ReadNat(), entry => entry.Address == Gateway));
        Assert.Equal(without.Engine.ReadRules().Select(rule => (rule.Name, rule.Packets, rule.Bytes)), with.Engine.ReadRules().Select(rule => (rule.Name, rule.Packets, rule.Bytes)));
    }

    [Fact]
    public void PlainPacketsOfAFlow_TakeIt_AndWhatIsOddIsLeftToTheStages()
    {
        using var rig = new PipelineRig(builder => builder.Nat(Rule()).Route("0.0.0.0/0", "198.51.100.2"));
        Forward(1, FromInside().Udp(2000, 53).Build());
        Forward(0, FromOutside().Udp(53, 2000).Build());
        Forward(1, FromInside().Udp(2000, 53).Build());
        Forward(0, FromOutside().Udp(53, 2000).Build());
        Assert.Equal(Verdict.Transmit, After(1, FromInside().Udp(2000, 53).Build()));
        Assert.Equal(Verdict.Transmit, After(0, FromOutside().Udp(53, 2000).Build()));
        Assert.Equal(Verdict.Transmit, After(1, FromInside().Udp(2000, 53).PayloadOf(1452).Build()));
        Assert.Equal(Verdict.Transmit, After(0, FromOutside().Udp(53, 2000).PayloadOf(1452).Build()));
        Assert.Equal(Verdict.Transmit, After(0, FromOutside(dontFragment: false).Udp(53, 2000).PayloadOf(1232).Build()));

        // TTL, no checksum, too long, to be cut, headers that IPv4 has none like, another port.
        Assert.Equal(Verdict.Continue, After(1, FromInside(ttl: 1).Udp(2000, 53).Build()));
        Assert.Equal(Verdict.Continue, After(0, FromOutside().Udp(53, 2000, checksum: false).Build()));
        Assert.Equal(Verdict.Continue, After(0, FromOutside().Udp(53, 2000).PayloadOf(1453).Build()));
        Assert.Equal(Verdict.Continue, After(0, FromOutside(dontFragment: false).Udp(53, 2000).PayloadOf(1233).Build()));
        Assert.Equal(Verdict.Continue, After(1, FromInside().DestinationOptions(new byte[6]).Udp(2000, 53).Build()));
        Assert.Equal(Verdict.Continue, After(1, FromInside().Udp(2000, 53).PayloadOf(1600).BuildFragments(1232, 7)[0]));
        Assert.Equal(Verdict.Continue, After(0, FromInside().Udp(2000, 53).Build()));
        rig.Republish(rig.Spec);
        rig.Worker.AdoptPublished();
        Assert.Equal(Verdict.Continue, After(1, FromInside().Udp(2000, 53).Build()));

        void Forward(byte port, byte[] frame)
        {
            rig.Load(port, [frame]);
            ForwardingPipeline.Receive<TracingOff>(rig.Context, rig.Batch);
        }

        Verdict After(byte port, byte[] frame)
        {
            rig.Load(port, [frame]);
            PacketParser.Process(rig.Batch, rig.Context.Hash);
            EstablishedStage.Process<TracingOff>(rig.Context, rig.Batch);
            Assert.Equal(Verdict.Continue, rig.Batch.Verdicts[0]);
            EstablishedFamilyStage.Process<TracingOff>(rig.Context, rig.Batch);
            return rig.Batch.Verdicts[0];
        }
    }

    private static void Rules(DataplaneBuilder builder, bool withStates)
    {
        ConnectionStates states = withStates ? ConnectionStates.Established : ConnectionStates.None;
        builder.Filter(filter => filter.Rule(new FilterRuleSpec { Name = "known", Action = FilterAction.Allow, State = states, Protocol = withStates ? null : IpProtocols.Tcp })
            .Rule(new FilterRuleSpec { Name = "rest", Action = FilterAction.Allow }).DefaultDeny());
    }

    private static byte[] Packet(Random random, bool outwards, bool isTcp, ushort port)
    {
        byte ttl = (byte)random.Next(1, 256), tos = (byte)random.Next(256);
        PacketBuilder from = outwards ? FromInside(ttl: ttl, tos: tos) : FromOutside(ttl: ttl, tos: tos, identification: (ushort)random.Next(65536), dontFragment: random.Next(2) == 0);
        (ushort source, ushort target) = outwards ? (port, (ushort)80) : ((ushort)80, port);
        byte[] payload = new byte[random.Next(4) == 0 ? random.Next(1200, 1440) : random.Next(200)];
        random.NextBytes(payload);
        return (isTcp ? from.Tcp(source, target, random.Next(2) == 0 ? Ack : Ack | TcpFlags.Psh, outwards ? 8u : 10u, outwards ? 10u : 8u)
            : from.Udp(source, target, checksum: outwards || random.Next(4) > 0)).Payload(payload).Build();
    }

    private static void Both(TestPlane one, TestPlane other, string port, byte[] frame) =>
        Assert.Equal(other.Send(port, frame).Select(sent => (sent.Port, Convert.ToHexString(sent.Frame))), one.Send(port, frame).Select(sent => (sent.Port, Convert.ToHexString(sent.Frame))));
}
