using Dataplane.Flows;
using Dataplane.Packets;

namespace Dataplane.Tests.Flows;

/// <summary>What the flow table tells and asks of whoever forwards some of its flows by what it said of them.</summary>
public sealed class OffloadedFlowsTests
{
    private static readonly FlowHash s_hash = new(11);

    [Theory]
    [InlineData("TcpEstablished", "TcpEstablished", false)]
    [InlineData("TcpEstablished", "TcpClosing", true)]
    [InlineData("TcpTransitory", "TcpEstablished", true)]
    public void Turn_ToAnotherState_RecallsBothDirections(string before, string after, bool isRecalled)
    {
        (FlowTable table, Recorder recorder) = New();
        int flow = Add(table, number: 1, Enum.Parse<FlowState>(before));
        table.Turn(flow, Enum.Parse<FlowState>(after));
        Assert.Equal(after, table[flow].State.ToString());
        Assert.Equal(after, table[table[flow].Peer].State.ToString());
        Assert.Equal(isRecalled ? new[] { flow, table[flow].Peer } : [], recorder.Recalled);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Remove_AtOnceOrBehindTheBatch_RecallsBothDirectionsFirst(bool isRetired)
    {
        (FlowTable table, Recorder recorder) = New();
        int flow = Add(table, number: 1, FlowState.TcpEstablished), peer = table[flow].Peer;
        recorder.Seen = index => Assert.Equal(FlowState.TcpEstablished, table[index].State);
        if (isRetired)
            table.RetirePair(flow);
        else
            table.RemovePair(flow);
        Assert.Equal([flow, peer], recorder.Recalled);
    }

    [Fact]
    public void Evict_ForAnotherFlow_RecallsTheOneThatIsGivenUp()
    {
        (FlowTable table, Recorder recorder) = New();
        var flows = new List<int>();
        for (int number = 1; recorder.Recalled.Count == 0 && number < 100; number++)
            flows.Add(Add(table, number, FlowState.Udp));
        Assert.Equal(2, recorder.Recalled.Count);
        Assert.Contains(recorder.Recalled[0], flows.Concat(flows.Select(flow => table[flow].Peer)));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Sweep_FlowWhosePacketsHaveNotBeenToldYet_IsKept(bool isPeer)
    {
        (FlowTable table, Recorder recorder) = New();
        int flow = Add(table, number: 1, FlowState.Udp);
        recorder.Passed = isPeer ? table[flow].Peer : flow;
        long late = (long)TimeSpan.FromMinutes(20).TotalNanoseconds;
        table.Sweep(table.Capacity, late);
        Assert.Equal(1, table.FlowCount);
        recorder.Passed = -1;
        table.Sweep(table.Capacity, late);
        Assert.Equal(0, table.FlowCount);
        Assert.Equal(1, table.Expired);
    }

    private static (FlowTable Table, Recorder Recorder) New()
    {
        var recorder = new Recorder();
        return (new FlowTable(16) { Offloaded = recorder }, recorder);
    }

    private static int Add(FlowTable table, int number, FlowState state)
    {
        var key = FlowKey.Create(IpAddress.FromV4(0x0A000000u + (uint)number), (ushort)number, IpAddress.FromV4(0x0B000001), 53, IpProtocols.Udp);
        FlowKey back = key.Reversed();
        var forward = new FlowEntry { Key = key, Hash = s_hash.Of(in key), State = state };
        var reverse = new FlowEntry { Key = back, Hash = s_hash.Of(in back), State = state };
        return table.InsertPair(in forward, in reverse, nowNs: number);
    }

    private sealed class Recorder : IOffloadedFlows
    {
        public List<int> Recalled { get; } = [];

        public int Passed { get; set; } = -1;

        public Action<int> Seen { get; set; } = _ => { };

        public void Recall(int index)
        {
            Seen(index);
            Recalled.Add(index);
        }

        public void RecallTo(int neighbour)
        {
        }

        public bool HasPassed(int index) => index == Passed;
    }
}
