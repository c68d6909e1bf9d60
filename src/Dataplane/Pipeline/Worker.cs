using Dataplane.Capturing;
using Dataplane.Flows;
using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Routing;
using Dataplane.Routing.Lpm;
using Dataplane.Switching;
using Dataplane.Telemetry;

namespace Dataplane.Pipeline;

/// <summary>Runs the pipeline over the ports: on a thread of its own, or step by step on the caller's.</summary>
/// <remarks>
/// Run to completion: a batch is received, forwarded and given back before the next. Between batches is the quiescent point: there new
/// tables are taken over, and requests of the control side are carried out. Spins while there is work and a little longer, then sleeps
/// in poll until a frame, a waker or the next timer.
/// </remarks>
internal sealed partial class Worker : IPortWaker, IDisposable
{
    private const long TickNs = 100_000_000;

    /// <summary>Ticks in which the hand of the flow table goes once around: one minute.</summary>
    private const int SweepTicks = 600;

    private readonly PacketBatch _batch = new();
    private readonly TransmitStage _transmit;

    /// <summary>For outer packets, which may have to leave while others are being sent.</summary>
    private readonly TransmitStage _transmitOuter;
    private readonly EventDescriptor _wake = new();
    private readonly TimeProvider _time;
    private readonly long _spinNs;
    private readonly GracePeriods.Reader _reader;
    private WorkerPlan? _published;
    private WorkerPlan? _plan;
    private Action<WorkerContext>? _request;
    private long _nextTickNs;
    private bool _isTimed;
    private bool _isOriginating;
    private WorkerPlan? _woken;    // by whose descriptors the last wait ended; until the next round
    private int _sleeping;
    private int _stopping;

    public Worker(WorkerContext context, TimeProvider time, int spinMicroseconds, GracePeriods periods)
    {
        _reader = periods.Register();
        Context = context;
        _transmit = new TransmitStage(context.Counters);
        _transmitOuter = new TransmitStage(context.Counters);
        context.Overlays.Drain = DrainOuter;
        _time = time;
        _spinNs = spinMicroseconds * 1000L;
    }

    public WorkerContext Context { get; }

    /// <summary>What its time went to.</summary>
    public WorkerLoad Load { get; } = new();

    /// <summary>Whether the time of each stage is taken. Any thread.</summary>
    public bool IsTimed
    {
        get => Volatile.Read(ref _isTimed);
        set => Volatile.Write(ref _isTimed, value);
    }

    /// <summary>Sees every received batch once it is decided; null: nobody.</summary>
    public IBatchObserver? Observer { get; set; }

    /// <summary>The event that ends the worker's sleep.</summary>
    public EventDescriptor WakeEvent => _wake;

    /// <summary>Worker time: the time provider's timestamp in nanoseconds.</summary>
    public long NowNs => (long)((UInt128)(ulong)_time.GetTimestamp() * 1_000_000_000 / (ulong)_time.TimestampFrequency);

    /// <summary>Hands a new plan to the worker; it is in force at the latest when <see cref="HasAdopted"/> says so. Any thread.</summary>
    public void Publish(WorkerPlan plan)
    {
        Volatile.Write(ref _published, plan);
        _wake.Signal();
    }

    /// <summary>True when the worker has passed a quiescent point with this plan: the one before is not used any more.</summary>
    public bool HasAdopted(WorkerPlan plan) => ReferenceEquals(Volatile.Read(ref _plan), plan);

    /// <summary>Asks the worker to do something between two batches. One request at a time. Any thread.</summary>
    public void Request(Action<WorkerContext> action)
    {
        Volatile.Write(ref _request, action);
        _wake.Signal();
    }

    /// <summary>True when the last request has been carried out.</summary>
    public bool IsRequestDone => Volatile.Read(ref _request) is null;

    /// <summary>Ends <see cref="Run"/> soon. Any thread.</summary>
    public void Stop()
    {
        Volatile.Write(ref _stopping, 1);
        _wake.Signal();
    }

    /// <summary>Lets <see cref="Run"/> be called again after <see cref="Stop"/>.</summary>
    public void Rearm() => Volatile.Write(ref _stopping, 0);

    /// <inheritdoc/>
    public void Wake()
    {
        // Pairs with the fence in Sleep: either the worker sees the frame when it looks again, or this sees that it sleeps.
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref _sleeping) != 0)
        {
            _wake.Signal();
        }
    }

    /// <summary>Forwards until <see cref="Stop"/>. The worker's thread.</summary>
    public void Run()
    {
        long now = NowNs, idleSinceNs = now;
        while (Volatile.Read(ref _stopping) == 0)
        {
            // One look at the clock per round: where one ends, the next begins.
            int received = RunOnce(now);
            long end = NowNs;
            Load.CountRound(received, end - now);
            now = end;
            if (received > 0)
            {
                idleSinceNs = now;
                continue;
            }

            if (now - idleSinceNs < _spinNs)
            {
                Thread.SpinWait(8);
                now = NowNs;

                // The runtime may stop the thread here as well as in a round.
                Load.NoteAway(now - end);
            }
            else
            {
                Sleep();
                now = NowNs;
                idleSinceNs = now - _spinNs;
            }
        }
    }

    /// <summary>One round over all ports.</summary>
    /// <returns>Packets received, by ports and from other workers.</returns>
    public int RunOnce(long nowNs)
    {
        Context.NowNs = nowNs;
        PassQuiescentPoint();
        WorkerPlan? plan = _plan;
        if (plan is null)
        {
            return 0;
        }

        IPort?[] ports = plan.Tables.Ports;
        int received = _woken is null ? 0 : ReceiveFirst(plan, ports, nowNs);
        foreach (ushort id in plan.Ids)
        {
            received += Receive(ports, id, nowNs);
        }

        if (Context.Links is { } links)
        {
            received += TakeOver(links, ports, nowNs);
        }

        if (Context.Names.Forwards is { } forwards && forwards.Originate(Context))
        {
            RunOriginated(ports);
        }

        while (Context.Fragments.Held.HasReady)
        {
            RunFollowing(ports);
        }

        while (Context.Held.HasReady)
        {
            RunReleased(ports);
        }

        if (nowNs >= _nextTickNs)
        {
            _nextTickNs = nowNs + TickNs;
            NeighbourStage.Tick(Context);
            Context.Names.Streams.Tick(Context);
            RouterAdvertisements.Tick(Context, plan.Ids);
            Context.Fragments.Expire(nowNs);
            if (Context.Share.Index == 0)
            {
                Context.Tables.Learning.Tick(nowNs);
            }

            Context.Flows.Sweep((Context.Flows.Capacity / SweepTicks) + 1, nowNs);
            RunOriginated(ports);
        }

        Flush(ports, isTimed: received > 0 && _isTimed);
        return received;
    }

    /// <summary>Drops what ports have accepted and not sent. Once forwarding has ended, before the ports are closed.</summary>
    public void DropUnsent()
    {
        if (_plan is { } plan)
        {
            // The other stage sends by the same ports.
            _transmit.DropUnsent(plan.Tables.Ports);
        }
    }

    /// <summary>Drops what is still held, and what other workers have handed over. Once forwarding has ended.</summary>
    public void DropHeld()
    {
        foreach (HandOverRing ring in Context.Links?.From ?? [])
        {
            ring.Discard(_batch, Context);
        }

        Context.Fragments.Clear();
        NeighbourTable neighbours = Context.Neighbours;
        for (int index = 0; index < neighbours.Capacity; index++)
        {
            if (neighbours[index].HeldCount > 0)
            {
                NeighbourStage.Remove(Context, index, DropReason.Stopped);
            }
        }
    }

    public void Dispose()
    {
        _reader.Dispose();
        _wake.Dispose();
    }

    /// <summary>What ended the sleep is forwarded before the other ports are asked, each of which may take a system call to say that it has nothing.</summary>
    private int ReceiveFirst(WorkerPlan plan, IPort?[] ports, long nowNs)
    {
        WorkerPlan woken = _woken!;
        _woken = null;
        int ready = ReferenceEquals(woken, plan) ? plan.ReadyPort() : -1;
        if (ready < 0)
        {
            return 0;
        }

        plan.Activities[ready]!.CountWake();
        int received = Receive(ports, (ushort)ready, nowNs);
        Flush(ports, isTimed: received > 0 && _isTimed);
        return received;
    }

    private int Receive(IPort?[] ports, ushort id, long nowNs)
    {
        IPort port = ports[id]!;
        PacketBatch batch = _batch;
        batch.Clear(new PortId(id), nowNs);
        bool isTimed = _isTimed;
        if (isTimed)
        {
            Context.Times.Begin();
        }

        int received = port.Receive(batch);
        _plan!.Activities[id]!.CountPoll(received > 0);
        if (received == 0)
        {
            return 0;
        }

        batch.Seal();
        Load.CountBatch(received);
        Context.Tap?.Begin(batch, CaptureOrigin.Received);
        if (isTimed)
        {
            Context.Times.Mark(TimedStage.Receive);
            ForwardingPipeline.Receive<TracingTimed>(Context, batch);
        }
        else
        {
            ForwardingPipeline.Receive<TracingOff>(Context, batch);
        }

        Leave(_transmit, batch, ports, CaptureOrigin.Received, received, 0, 0);
        Observer?.Observe(batch);
        RunInner(batch, ports);
        RunFloods(batch, ports);
        RunHairpins(batch, ports);
        port.Release(batch);
        if (isTimed)
        {
            Context.Times.Mark(TimedStage.Transmit);
            Context.Times.End(received);
        }

        RunOriginated(ports);
        return received;
    }

    /// <summary>Hands a batch to the ports and counts what became of it.</summary>
    private void Leave(TransmitStage stage, PacketBatch batch, IPort?[] ports, CaptureOrigin origin, int received, int originated, int released, int joined = 0)
    {
        CaptureTap? tap = Context.Tap;
        tap?.Leave(Context, batch, origin);
        stage.Process(batch, ports);
        Context.Counters.CountBatch(batch, received, originated, released, joined);
        tap?.Finish(Context, batch, origin);
    }

    /// <summary>Packets of a batch that go from one inside host to another by their mapped ports; they lie in its memory, and count as released what the batch holds.</summary>
    private void RunHairpins(PacketBatch sent, IPort?[] ports)
    {
        if (Context.Hairpins.HasPending)
        {
            PacketBatch batch = Context.Hairpins.Take(sent, Context.NowNs);
            Context.Tap?.Begin(batch, CaptureOrigin.Hairpin);
            ForwardingPipeline.Return<TracingOff>(Context, batch, Context.Links);
            Leave(_transmit, batch, ports, CaptureOrigin.Hairpin, 0, 0, batch.Count);
        }
    }

    private void Flush(IPort?[] ports, bool isTimed)
    {
        if (isTimed)
        {
            Context.Times.Begin();
        }

        _transmit.Flush(ports);
        _transmitOuter.Flush(ports);
        Context.Links?.Publish();
        if (isTimed)
        {
            Context.Times.Mark(TimedStage.Transmit);
        }
    }

    private void RunOriginated(IPort?[] ports)
    {
        RunOuter(ports);
        OriginatedPackets originated = Context.Originated;
        while (originated.Batch.Count > 0)
        {
            Context.Tap?.Begin(originated.Batch, CaptureOrigin.Originated);
            ForwardingPipeline.Originate<TracingOff>(Context, originated.Batch);
            _isOriginating = true;
            Leave(_transmit, originated.Batch, ports, CaptureOrigin.Originated, 0, originated.Batch.Count, 0);
            _isOriginating = false;
            originated.Clear(Context.NowNs);
            RunOuter(ports);
        }
    }

    /// <summary>Fragments that have waited for the first of their datagram.</summary>
    private void RunFollowing(IPort?[] ports)
    {
        HeldPackets held = Context.Fragments.Held;
        PacketBatch batch = _batch;
        held.TakeReady(batch, Context.NowNs);
        Context.Tap?.Begin(batch, CaptureOrigin.Released);
        ForwardingPipeline.Resume<TracingOff>(Context, batch);
        Leave(_transmit, batch, ports, CaptureOrigin.Released, 0, 0, batch.Count);
        RunHairpins(batch, ports);
        held.FinishRelease();
        RunOriginated(ports);
    }

    private void RunReleased(IPort?[] ports)
    {
        PacketBatch batch = _batch;
        Context.Held.TakeReady(batch, Context.NowNs);
        Context.Tap?.Begin(batch, CaptureOrigin.Released);
        ForwardingPipeline.Release<TracingOff>(Context, batch);
        Leave(_transmit, batch, ports, CaptureOrigin.Released, 0, 0, batch.Count);
        RunHairpins(batch, ports);
        Context.Held.FinishRelease();
        RunOriginated(ports);
    }

    /// <summary>Takes over new tables, if there are any. The worker's thread, or the caller's when there is none.</summary>
    public void AdoptPublished()
    {
        WorkerPlan? published = Volatile.Read(ref _published);
        if (!ReferenceEquals(published, _plan) && published is not null)
        {
            if (_plan is { } before)
            {
                SayFarewell(before, published.Tables.Bridges);
            }

            Context.Tables = published.Tables;
            AdoptOverlays(published);
            _transmit.Bridges = published.Tables.Bridges;
            Context.Flows.TimeoutsBySlot = published.Tables.TimeoutsBySlot;
            if (published.Tables.Tracked is not null)
            {
                // Done when the tables were published, unless by a test.
                Context.Flows.Track();
            }

            if (published.Tables.Nat.HasMappings)
            {
                Context.Flows.MapPorts(Context.Hash);
            }

            Context.Flows.CountersBySlot = published.Tables.BackendCounters;
            published.Count(Context.Flows);
            ConfiguredNeighbours.Apply(Context);
            Volatile.Write(ref _plan, published);
        }
    }

    private void PassQuiescentPoint()
    {
        _reader.Pass();
        AdoptPublished();
        Action<WorkerContext>? request = Volatile.Read(ref _request);
        if (request is not null)
        {
            request(Context);
            Volatile.Write(ref _request, null);
        }
    }

    private void Sleep()
    {
        Volatile.Write(ref _sleeping, 1);

        // Announced, then looked again: a frame that came in between is found here, one that comes later signals.
        Interlocked.MemoryBarrier();
        _plan?.PrepareSleep();
        long now = NowNs;
        int received = RunOnce(now);
        Load.CountRound(received, NowNs - now);
        if (received == 0 && Volatile.Read(ref _stopping) == 0 && _plan is not null)
        {
            Load.CountSleep();
            _reader.Suspend();
            if (_plan.Poller.Wait(Math.Max(0, _nextTickNs - now)) > 0)
            {
                _woken = _plan;
            }

            _reader.Resume();
        }

        Volatile.Write(ref _sleeping, 0);
    }
}
