using System.Buffers.Binary;
using System.Text;
using Dataplane.Flows;
using Dataplane.Native;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Snapshots;
using Dataplane.Succession;

namespace Dataplane;

/// <summary>The process that ends: it gives its flows while it forwards, then stops receiving, gives what has changed since, and is done once the successor says so.</summary>
public sealed partial class DataplaneEngine
{
    /// <summary>Passes over the flows while packets are forwarded; each has what has changed during the one before.</summary>
    private const int MostPasses = 5;

    /// <summary>A pass that takes no longer leaves little to the last.</summary>
    private const long ShortPassNs = 20_000_000;

    /// <summary>Longest time in which rings to other workers and to devices run empty.</summary>
    private const long MostRestingNs = 40_000_000;

    /// <summary>How long the other process may take for each step while packets are forwarded.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    /// <summary>How long nothing is forwarded at most when the successor hangs: then this process goes on.</summary>
    private static readonly TimeSpan s_mostBlocked = TimeSpan.FromSeconds(2);

    private SuccessionChannel? _successor;

    /// <summary>Waits at a path for a successor process, and hands ports and flows over to it: see <see cref="StartAfterAsync"/>. Packets are forwarded all the while; a
    /// successor that dies or fails before it has taken over changes nothing.</summary>
    /// <param name="path">Where to listen: a path, whose file is for the owner alone, or <c>@name</c> in the abstract space. Only processes of the same user are heard.</param>
    /// <param name="tell">Told in a line why a hand-over has come to nothing; on any thread. Null: nobody is.</param>
    /// <param name="cancellationToken">Ends the waiting; the engine goes on.</param>
    /// <returns>A task that completes when a successor has taken over; the engine is stopped then. What it still has, the successor waits for until it is disposed.</returns>
    /// <exception cref="IOException">Another process listens at the path, or it cannot be made.</exception>
    /// <exception cref="OperationCanceledException">The waiting was ended.</exception>
    public async Task HandOverAsync(string path, Action<string>? tell = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        using var listener = new SuccessionListener(path);
        using CancellationTokenRegistration end = cancellationToken.Register(listener.Wake);
        while (_successor is null)
        {
            // A thread of its own: it may wait for weeks.
            SuccessionChannel? channel = await Task.Factory.StartNew(listener.Accept, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)
                .ConfigureAwait(false);
            cancellationToken.ThrowIfCancellationRequested();
            bool isOver = false;
            try
            {
                isOver = await HandOverToAsync(channel!, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception wrong) when (wrong is IOException or InvalidOperationException)
            {
                tell?.Invoke(wrong.Message);
            }
            finally
            {
                _successor = isOver ? channel : null;
                if (!isOver)
                {
                    channel!.Dispose();
                }
            }
        }

        listener.Dispose();
        await StopAsync(CancellationToken.None).ConfigureAwait(false);
    }

    /// <returns>Whether this process is to end.</returns>
    private async Task<bool> HandOverToAsync(SuccessionChannel channel, CancellationToken cancellationToken)
    {
        using CancellationTokenRegistration end = cancellationToken.Register(channel.Wake);
        string whyNot = SuccessionHello.WhyNot(channel.Expect(SuccessionKind.Hello, s_patience).Body);
        if (whyNot.Length > 0)
        {
            channel.Send(SuccessionKind.Refused, Encoding.UTF8.GetBytes(whyNot));
            return channel.Receive(s_patience).Kind == SuccessionKind.End;
        }

        await _updating.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            ThrowIfNotRunning();
            IReadOnlyList<PassedQueue> taken = Offer(channel);
            channel.SendMemory(SuccessionKind.Knowledge, KnowledgeBytes(isLast: false));
            uint since = await PassFlowsAsync(channel, cancellationToken).ConfigureAwait(false);
            return await SwitchAsync(channel, taken, since).ConfigureAwait(false);
        }
        finally
        {
            _updating.Release();
        }
    }

    /// <summary>Sends what can be passed.</summary>
    /// <returns>What the successor goes on with.</returns>
    private IReadOnlyList<PassedQueue> Offer(SuccessionChannel channel)
    {
        IReadOnlyList<PassedQueue> queues = PassedQueue.Of(_ports);
        byte[] welcome = new byte[sizeof(ulong) + sizeof(int)];
        BinaryPrimitives.WriteUInt64LittleEndian(welcome, _seed!.Value);
        BinaryPrimitives.WriteInt32LittleEndian(welcome.AsSpan(sizeof(ulong)), queues.Count);
        channel.Send(SuccessionKind.Welcome, welcome);
        foreach (PassedQueue queue in queues)
        {
            channel.Send(SuccessionKind.Queue, Encoding.UTF8.GetBytes(queue.Identity), queue.Queue.PassedDescriptor);
        }

        byte[] takes = channel.Expect(SuccessionKind.Takes, s_patience).Body;
        return takes.Length == queues.Count ? [.. queues.Where((_, number) => takes[number] != 0)] : throw new SuccessionException("it answers for other queues than were offered");
    }

    /// <summary>Sends all flows, then those that have changed meanwhile, until that takes no time.</summary>
    /// <returns>The tick since which flows have not been sent.</returns>
    private async Task<uint> PassFlowsAsync(SuccessionChannel channel, CancellationToken cancellationToken)
    {
        uint? since = null;
        for (int pass = 0; pass < MostPasses; pass++)
        {
            // A packet is noted with the time at which its batch was received, which may be the tick before.
            uint began = FlowTable.Ticks(NowNs) - 2;
            long beganNs = MonotonicClock.NowNs;
            await SendFlowsAsync(channel, SuccessionKind.Flows, since, cancellationToken).ConfigureAwait(false);
            channel.Expect(SuccessionKind.Loaded, s_patience);
            since = began;
            if (MonotonicClock.NowNs - beganNs < ShortPassNs)
            {
                break;
            }
        }

        return since!.Value;
    }

    private async Task SendFlowsAsync(SuccessionChannel channel, SuccessionKind kind, uint? since, CancellationToken cancellationToken)
    {
        using var bytes = new MemoryStream();
        await WriteStateAsync(bytes, since, cancellationToken).ConfigureAwait(false);
        channel.SendMemory(kind, bytes.GetBuffer().AsSpan(0, (int)bytes.Length));
    }

    /// <summary>From here nothing is received until the successor does, or this process again.</summary>
    /// <returns>Whether the successor has taken over.</returns>
    private async Task<bool> SwitchAsync(SuccessionChannel channel, IReadOnlyList<PassedQueue> taken, uint since)
    {
        long stoppedNs = MonotonicClock.NowNs;
        var names = taken.Select(queue => queue.Port).ToHashSet();
        IPort[] closed = [.. _ports.Entries.Where(entry => !names.Contains(entry.Spec.Name)).Select(entry => entry.Port)];
        bool isOver = false;
        try
        {
            await RestAsync(taken).ConfigureAwait(false);
            if (closed.Length > 0)
            {
                await StopOffloadAsync().ConfigureAwait(false);
                _offload = null;
            }

            await Task.Run(_workers!.Stop).ConfigureAwait(false);
            if (closed.Length > 0)
            {
                _workers.LetGo();
                Array.ForEach(closed, port => port.Dispose());
            }

            channel.SendMemory(SuccessionKind.Neighbours, NeighbourBytes());
            channel.SendMemory(SuccessionKind.Knowledge, KnowledgeBytes(isLast: true));
            await SendFlowsAsync(channel, SuccessionKind.LastFlows, since, CancellationToken.None).ConfigureAwait(false);
            isOver = channel.Send(SuccessionKind.Stopped, StoppedBytes(stoppedNs, taken)) && IsTaken(channel);
            return isOver ? true : throw new SuccessionException("the successor did not take over; this process goes on");
        }
        finally
        {
            if (!isOver)
            {
                GoOn(taken, closed);
            }
        }
    }

    /// <summary>Lets what was taken from the kernel leave: no ring between workers, and none to a device, has a packet then.</summary>
    private Task RestAsync(IReadOnlyList<PassedQueue> taken) => Task.Run(() =>
    {
        foreach (PassedQueue queue in taken)
        {
            queue.Queue.IsPaused = true;
        }

        // Between the first and the third quiescent point lies at least one whole round.
        long end = MonotonicClock.NowNs + MostRestingNs;
        bool isAtRest = false;
        for (int passed = 0; passed < 3 || (!isAtRest && MonotonicClock.NowNs < end); passed++)
        {
            isAtRest = true;
            for (int number = 0; number < _workers!.Count; number++)
            {
                int worker = number;
                AtQuiescentPoint(worker, _ => isAtRest &= taken.All(queue => queue.Worker != worker || queue.Queue.IsAtRest));
            }
        }
    });

    private static bool IsTaken(SuccessionChannel channel)
    {
        SuccessionKind answer = channel.Receive(s_mostBlocked).Kind;
        if (answer != SuccessionKind.Taken)
        {
            // It may be about to say so just now. After this its word is here, or it knows that it was not heard.
            channel.EndReceiving();
            answer = channel.Receive(TimeSpan.Zero).Kind;
        }

        return answer == SuccessionKind.Taken;
    }

    /// <summary>The successor has not taken over: everything as before.</summary>
    private void GoOn(IReadOnlyList<PassedQueue> taken, IPort[] closed)
    {
        _workers!.Rearm();
        if (closed.Length > 0)
        {
            _ports = OpenPorts(Spec, _ports.Without(closed), out List<IPort> opened);
            SetWakers(_ports, opened);
            CompiledTables compiled = TableCompiler.Compile(Spec, _ports, _slots, _workers.Tables, _learnt.ReachableBy(Spec.Interfaces), _periods, NowNs);
            _workers.Publish(compiled.Tables, _ports);
        }

        foreach (PassedQueue queue in taken)
        {
            queue.Queue.IsPaused = false;
        }

        StartWorkers();
        StartOffload();
    }

    private byte[] NeighbourBytes()
    {
        using var bytes = new MemoryStream();
        using var writer = new BinaryWriter(bytes);

        // One byte more than nothing: memory of no length cannot be shared.
        writer.Write((byte)1);
        for (int worker = 0; worker < _workers!.Count; worker++)
        {
            AtQuiescentPoint(worker, context => NeighbourSnapshots.Write(context, writer));
        }

        writer.Flush();
        return bytes.ToArray();
    }

    private static byte[] StoppedBytes(long stoppedNs, IReadOnlyList<PassedQueue> taken)
    {
        byte[] bytes = new byte[sizeof(long) + (taken.Count * sizeof(int))];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, stoppedNs);
        for (int queue = 0; queue < taken.Count; queue++)
        {
            BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(sizeof(long) + (queue * sizeof(int))), taken[queue].Queue.Position);
        }

        return bytes;
    }
}
