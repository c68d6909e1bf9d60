using Dataplane.Balancing;
using Dataplane.Filtering;
using Dataplane.Flows;
using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Routing;
using Dataplane.Telemetry;
using Dataplane.Tests.Pipeline;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Flows;

/// <summary>What an established flow remembers must give what the stages give.</summary>
public sealed class EstablishedStageTests
{
    private const byte Ack = 16, AckPush = 24;

    /// <summary>The same packet twice: once with the memory wiped, through all the stages, once by memory alone.</summary>
    [Fact]
    public void Process_PacketOfAnEstablishedFlow_LeavesAsTheStagesWouldSendIt()
    {
        using var rig = new PipelineRig(builder =>
        {
            ServiceNet.V4.Add(builder, "t4", 80, tcp: true, BalancePolicy.RoundRobin, 11, 12, 13);
            ServiceNet.V6.Add(builder, "t6", 80, tcp: true, BalancePolicy.RoundRobin, 11, 12, 13);
            ServiceNet.V4.Add(builder, "u4", 53, tcp: false, BalancePolicy.RoundRobin, 11, 12, 13);
            ServiceNet.V6.Add(builder, "u6", 53, tcp: false, BalancePolicy.RoundRobin, 11, 12, 13);
        });
        Prop.ForAll((from family in Gen.Elements(4, 6)
                     from tcp in Gen.Elements(true, false)
                     from port in Gen.Choose(2000, 2003)
                     from payload in Gen.Choose(0, 1400)
                     from ttl in Gen.Choose(2, 255)
                     from push in Gen.Elements(true, false)
                     from checksum in Gen.Elements(true, family == 6)
                     select (family, tcp, port: (ushort)port, payload, ttl: (byte)ttl, push, checksum)).ToArbitrary(), packet =>
                     {
                         byte[] first = Packet(packet.family, packet.tcp, packet.port, 10, 64, TcpFlags.Syn, true);
                         byte[] second = Packet(packet.family, packet.tcp, packet.port, 0, 64, TcpFlags.Ack, true);
                         byte[] frame = Packet(packet.family, packet.tcp, packet.port, packet.payload, packet.ttl, packet.push ? (TcpFlags)AckPush : (TcpFlags)Ack, packet.checksum);
                         Answer(rig, packet.family, packet.tcp, packet.port, Forward(rig, first));
                         Forward(rig, second);

                         rig.Load(0, [frame]);
                         PacketParser.Process(rig.Batch, rig.Context.Hash);
                         int flow = rig.Context.Flows.Find(in rig.Batch.KeyOf(0), rig.Batch.HashOf(0));
                         rig.Context.Flows[flow].Path.TablesVersion = -1;
                         byte[] expected = Forward(rig, frame);

                         rig.Load(0, [frame]);
                         ForwardingPipeline.Receive<TracingOff>(rig.Context, rig.Batch);
                         ushort port = rig.Batch.OutPorts[0];
                         rig.Load(0, [frame]);
                         PacketParser.Process(rig.Batch, rig.Context.Hash);
                         EstablishedStage.Process<TracingOff>(rig.Context, rig.Batch);
                         Assert.Equal(Verdict.Transmit, rig.Batch.Verdicts[0]);
                         Assert.Equal(port, rig.Batch.OutPorts[0]);
                         ServiceNet.Same(expected, rig.Batch.Frame(0).ToArray());
                         return true;
                     }).Check(Config.QuickThrowOnFailure.WithMaxTest(400));
    }

    /// <summary>What is not plain, or not sure, is left to the stages.</summary>
    [Fact]
    public void Process_FlagsTtlLengthOrTables_AreLeftToTheStages()
    {
        using var rig = new PipelineRig(builder => ServiceNet.V4.Add(builder, "t4", 80, tcp: true, BalancePolicy.RoundRobin, 11), lanMtu: 1000);
        byte[] plain = Packet(4, true, 2000, 10, 64, TcpFlags.Ack, true);
        Answer(rig, 4, true, 2000, Forward(rig, Packet(4, true, 2000, 10, 64, TcpFlags.Syn, true)));
        Forward(rig, plain);
        Assert.Equal(Verdict.Transmit, AfterIt(plain));
        Assert.Equal(Verdict.Continue, AfterIt(Packet(4, true, 2000, 10, 1, TcpFlags.Ack, true)));
        Assert.Equal(Verdict.Continue, AfterIt(Packet(4, true, 2000, 1200, 64, TcpFlags.Ack, true)));
        Assert.Equal(Verdict.Transmit, AfterIt(Packet(4, true, 2000, 960, 64, TcpFlags.Ack, true)));
        Assert.Equal(Verdict.Continue, AfterIt(Packet(4, true, 2000, 961, 64, TcpFlags.Ack, true)));
        byte[] forAnother = [.. plain];
        forAnother[5] ^= 1;
        Assert.Equal(Verdict.Continue, AfterIt(forAnother));
        Assert.Equal(Verdict.Continue, AfterIt(Packet(4, true, 2000, 10, 64, TcpFlags.Fin, true)));
        Forward(rig, Packet(4, true, 2000, 10, 64, TcpFlags.Fin, true));
        Assert.Equal(Verdict.Continue, AfterIt(plain));
        Assert.Equal(Verdict.Continue, AfterIt(Packet(4, true, 2001, 10, 64, TcpFlags.Ack, true)));
        Answer(rig, 4, true, 2002, Forward(rig, Packet(4, true, 2002, 10, 64, TcpFlags.Ack, true)));
        Assert.Equal(Verdict.Continue, AfterIt(Packet(4, true, 2002, 10, 64, TcpFlags.Ack, true)));
        Forward(rig, Packet(4, true, 2002, 10, 64, TcpFlags.Ack, true));
        Assert.Equal(Verdict.Transmit, AfterIt(Packet(4, true, 2002, 10, 64, TcpFlags.Ack, true)));
        rig.Load(1, [Packet(4, true, 2002, 10, 64, TcpFlags.Ack, true)]);
        PacketParser.Process(rig.Batch, rig.Context.Hash);
        EstablishedStage.Process<TracingOff>(rig.Context, rig.Batch);
        Assert.Equal(Verdict.Continue, rig.Batch.Verdicts[0]);
        rig.Republish(rig.Spec);
        rig.Worker.AdoptPublished();
        Assert.Equal(Verdict.Continue, AfterIt(Packet(4, true, 2002, 10, 64, TcpFlags.Ack, true)));

        Verdict AfterIt(byte[] frame)
        {
            rig.Load(0, [frame]);
            PacketParser.Process(rig.Batch, rig.Context.Hash);
            EstablishedStage.Process<TracingOff>(rig.Context, rig.Batch);
            return rig.Batch.Verdicts[0];
        }
    }

    /// <summary>What was looked up for one batch is not believed in the next: a neighbour may have another hardware address by then, or be lost.</summary>
    [Fact]
    public void Process_NeighbourChangedBetweenBatches_HoldsFromTheNextOn()
    {
        using var rig = new PipelineRig(builder => ServiceNet.V4.Add(builder, "u4", 53, tcp: false, BalancePolicy.RoundRobin, 11));
        byte[] packet = Packet(4, false, 2000, 10, 64, TcpFlags.None, true);
        Forward(rig, packet);
        Forward(rig, packet);
        int flow = rig.Context.Flows.Find(in rig.Batch.Parsed[0].Key, rig.Batch.Parsed[0].Hash);
        ref NeighbourEntry neighbour = ref rig.Context.Neighbours[rig.Context.Flows[flow].Path.Neighbour];
        neighbour.Mac = 0x0200_0000_0A0B;
        Assert.Equal(Verdict.Transmit, AfterIt());
        Assert.Equal("020000000A0B", Convert.ToHexString(rig.Batch.Frame(0)[..6]));
        neighbour.State = NeighbourState.Incomplete;
        Assert.Equal(Verdict.Continue, AfterIt());

        Verdict AfterIt()
        {
            rig.Load(0, [packet]);
            PacketParser.Process(rig.Batch, rig.Context.Hash);
            EstablishedStage.Process<TracingOff>(rig.Context, rig.Batch);
            return rig.Batch.Verdicts[0];
        }
    }

    /// <summary>Entries of another size would cross cache lines, and be found by a multiplication.</summary>
    [Fact]
    public void Sizes_OfWhatEachPacketReads_AreWholeCacheLines()
    {
        Assert.Equal(128, new MappedArray<FlowEntry>(1).LengthBytes);
        Assert.Equal(64, new MappedArray<ParsedFrame>(1).LengthBytes);
        Assert.Equal(64, new MappedArray<OutgoingWays.Way>(1).LengthBytes);
    }

    /// <summary>A rule that looks at flags must decide anew when they differ; a rule's counter counts what passes by memory.</summary>
    [Fact]
    public void Process_RulesOnFlags_DecideAndCountAsWithoutMemory()
    {
        using var rig = new PipelineRig(builder =>
        {
            ServiceNet.V6.Add(builder, "t6", 80, tcp: true, BalancePolicy.RoundRobin, 11);
            builder.Filter(filter => filter.Rule(new FilterRuleSpec { Name = "urgent", Action = FilterAction.Deny, Protocol = 6, TcpFlags = new TcpFlagMatch(32, 32) })
                .Rule(new FilterRuleSpec { Name = "tcp", Action = FilterAction.Allow, Protocol = 6 }).DefaultDeny());
        });
        Answer(rig, 6, true, 2000, Forward(rig, Packet(6, true, 2000, 10, 64, TcpFlags.Syn, true)));
        for (int i = 0; i < 5; i++)
        {
            Forward(rig, Packet(6, true, 2000, 10, 64, i % 2 == 0 ? TcpFlags.Ack : (TcpFlags)AckPush, true));
        }

        rig.Load(0, [Packet(6, true, 2000, 10, 64, TcpFlags.Ack | TcpFlags.Urg, true)]);
        ForwardingPipeline.Receive<TracingOff>(rig.Context, rig.Batch);
        Assert.Equal(DropReason.FilterRule, rig.Batch.ReasonOf(0));
        FilterProgram filter = rig.Context.Tables.Filter;
        Assert.Equal((1L, 7L), (filter.CounterOf(0).Packets, filter.CounterOf(1).Packets));
    }

    private static byte[] Packet(int family, bool tcp, ushort port, int payload, byte ttl, TcpFlags flags, bool checksum)
    {
        PacketBuilder packet = ServiceNet.Of(family).FromClient(ttl);
        packet = tcp ? packet.Tcp(port, 80, flags) : packet.Udp(port, 53, checksum);
        return packet.PayloadOf(payload).Build();
    }

    /// <summary>The backend that a forwarded packet went to answers it.</summary>
    private static void Answer(PipelineRig rig, int family, bool tcp, ushort port, byte[] forwarded)
    {
        var net = ServiceNet.Of(family);
        PacketBuilder answer = net.FromBackend(net.HostOf(forwarded));
        Forward(rig, (tcp ? answer.Tcp(8080, port, TcpFlags.Syn | TcpFlags.Ack) : answer.Udp(8080, port)).Build(), port: 1);
    }

    private static byte[] Forward(PipelineRig rig, byte[] frame, byte port = 0)
    {
        rig.Load(port, [frame]);
        ForwardingPipeline.Receive<TracingOff>(rig.Context, rig.Batch);
        Assert.Equal(Verdict.Transmit, rig.Batch.Verdicts[0]);
        return rig.Batch.Frame(0).ToArray();
    }
}
