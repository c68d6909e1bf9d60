using Dataplane.Balancing;
using Dataplane.Flows;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Routing.Lpm;

namespace Dataplane.Tests.Pipeline;

/// <summary>A worker and its parts without an engine around them, so that single stages and single steps can be called and measured.</summary>
internal sealed class PipelineRig : IDisposable
{
    private const int Headroom = 128, SlotBytes = 2048;

    private readonly byte[] _slab = new byte[PacketBatch.Capacity * SlotBytes];
    private readonly byte[] _drain = new byte[SlotBytes];
    private readonly BackendSlots _slots = new();
    private readonly GracePeriods _periods = new();
    private readonly Dictionary<string, MemoryPort> _memory = [];
    private WorkerPlan _plan;

    public PipelineRig(Action<DataplaneBuilder>? configure = null, bool withNeighbours = true, int lanMtu = 1500)
    {
        _memory["wan"] = new MemoryPort(new MemoryPortOptions { Mac = TestPlane.WanMac });
        _memory["lan"] = new MemoryPort(new MemoryPortOptions { Mac = TestPlane.LanMac, Mtu = lanMtu });
        var builder = new DataplaneBuilder();
        foreach ((string name, MemoryPort port) in _memory)
        {
            builder.Port(name, PortSource.Memory(port));
        }

        TestPlane.AddAddresses(builder, withNeighbours);
        configure?.Invoke(builder);
        Spec = builder.ToSpec();
        Ports = new PortSet([.. Spec.Ports.Select((port, id) => (id, port, new PortOpener().Open(port)))]);
        Context = new WorkerContext(Spec.Workers, new FlowHash(1), 1500, UserStages.None);
        Transmit = new TransmitStage(Context.Counters);
        Worker = new Worker(Context, TimeProvider.System, 0, _periods);
        foreach ((int _, PortSpec _, IPort port) in Ports.Entries)
        {
            port.SetWaker(Worker);
        }

        _plan = new WorkerPlan(TableCompiler.Compile(Spec, Ports, _slots, null, [], _periods).Tables, Worker.WakeEvent);
        Worker.Publish(_plan);
        Worker.RunOnce(NowNs);
    }

    public DataplaneSpec Spec { get; }

    public PortSet Ports { get; }

    public WorkerContext Context { get; }

    public Worker Worker { get; }

    public TransmitStage Transmit { get; }

    public PacketBatch Batch { get; } = new();

    public long NowNs { get; set; } = 1_000_000_000;

    /// <summary>Fills the batch with copies of frames as if they had come by a port.</summary>
    public void Load(byte port, byte[][] frames)
    {
        Context.NowNs = NowNs;
        Batch.Clear(new PortId(port), NowNs);
        Batch.SetMemory(_slab);
        for (int i = 0; i < frames.Length; i++)
        {
            int offset = (i * SlotBytes) + Headroom;
            frames[i].CopyTo(_slab, offset);
            Batch.Add(offset, frames[i].Length);
        }
    }

    /// <summary>Sends frames into a memory port.</summary>
    public void Send(string port, byte[][] frames)
    {
        foreach (byte[] frame in frames)
        {
            Assert.True(_memory[port].TrySend(frame));
        }
    }

    /// <summary>Takes out what was transmitted.</summary>
    /// <returns>How many frames.</returns>
    public int Drain()
    {
        int count = 0;
        foreach (MemoryPort port in _memory.Values)
        {
            while (port.TryReceive(_drain, out _))
            {
                count++;
            }
        }

        return count;
    }

    /// <summary>Compiles tables anew and publishes them, as an update does.</summary>
    public void Republish(DataplaneSpec spec)
    {
        WorkerPlan old = _plan;
        _plan = new WorkerPlan(TableCompiler.Compile(spec, Ports, _slots, old.Tables, [], _periods).Tables, Worker.WakeEvent);
        Worker.Publish(_plan);
        old.Dispose();
    }

    public bool HasAdopted => Worker.HasAdopted(_plan);

    public void Dispose()
    {
        foreach ((int _, PortSpec _, IPort port) in Ports.Entries)
        {
            port.Dispose();
        }

        _plan.Dispose();
        Worker.Dispose();
    }
}
