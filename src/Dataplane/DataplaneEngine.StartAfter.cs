using System.Buffers.Binary;
using System.Text;
using Dataplane.Native;
using Dataplane.Ports;
using Dataplane.Snapshots;
using Dataplane.Succession;
using Dataplane.Telemetry;

namespace Dataplane;

/// <summary>The process that follows another: it takes over ports and flows, and begins to receive where that one stopped.</summary>
public sealed partial class DataplaneEngine
{
    private static readonly TimeSpan s_mostEnding = TimeSpan.FromSeconds(10);

    /// <summary>Starts as the successor of a process that waits at a path by <see cref="HandOverAsync"/>. Its configuration need not be the same: flows are found again by
    /// what services, backends and translations are, and ports of the same name, kind, interface, namespace, offload, MTU and queues are passed (AF_PACKET and TAP); all others are closed there
    /// and opened here.</summary>
    /// <param name="path">Where it listens.</param>
    /// <param name="otherwise">A state to start with when nobody is there; null: none.</param>
    /// <param name="cancellationToken">Ends the waiting before anything was begun.</param>
    /// <returns>What was taken over; or that nobody was there, or why the two do not fit: then that process has ended and this one has started without its flows.</returns>
    /// <exception cref="InvalidOperationException">The engine has been started before.</exception>
    /// <exception cref="IOException">A port cannot be opened, or the other process belongs to another user, died or said what it must not: nothing was started, and it goes on if it lives.</exception>
    public async Task<HandOverReceipt> StartAfterAsync(string path, Stream? otherwise = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (UnixSocket.TryConnect(path) is not { } socket)
        {
            return new HandOverReceipt(HandOverOutcome.Alone, await StartColdAsync(otherwise, cancellationToken).ConfigureAwait(false));
        }

        var channel = new SuccessionChannel(socket);
        bool isTaken = false;
        try
        {
            if (!channel.IsPeerSameUser)
            {
                throw new SuccessionException($"the process that listens at {path} belongs to another user; end it, or choose another path");
            }

            await _updating.WaitAsync(cancellationToken).ConfigureAwait(false);
            HandOverReceipt receipt;
            try
            {
                receipt = await Task.Run(() => TakeOverFromAsync(channel), CancellationToken.None).ConfigureAwait(false);
            }
            finally
            {
                _passed = new Dictionary<string, FileDescriptor[]>();
                _updating.Release();
            }

            if (receipt.Outcome == HandOverOutcome.Refused)
            {
                await EndedAsync(channel, isAsked: true).ConfigureAwait(false);
                return receipt with { State = await StartColdAsync(null, CancellationToken.None).ConfigureAwait(false) };
            }

            isTaken = true;
            return receipt with { PredecessorEnded = EndedAsync(channel, isAsked: false) };
        }
        finally
        {
            if (!isTaken)
            {
                channel.Dispose();
            }
        }
    }

    private async Task<StateReceipt> StartColdAsync(Stream? state, CancellationToken cancellationToken)
    {
        if (state is not null)
        {
            return await StartAsync(state, cancellationToken).ConfigureAwait(false);
        }

        await StartAsync(cancellationToken).ConfigureAwait(false);
        return new StateReceipt(StateRefusal.None, 0);
    }

    /// <summary>Waits until the other process has closed its end.</summary>
    private static Task EndedAsync(SuccessionChannel channel, bool isAsked) => Task.Run(() =>
    {
        using (channel)
        {
            if (isAsked)
            {
                channel.Send(SuccessionKind.End);
            }

            channel.Receive(s_mostEnding);
        }
    });

    private async Task<HandOverReceipt> TakeOverFromAsync(SuccessionChannel channel)
    {
        channel.Send(SuccessionKind.Hello, SuccessionHello.Write());
        SuccessionMessage answer = channel.Receive(s_patience);
        if (answer.Kind == SuccessionKind.Refused)
        {
            return new HandOverReceipt(HandOverOutcome.Refused, new StateReceipt(StateRefusal.None, 0)) { Reason = Encoding.UTF8.GetString(answer.Body) };
        }

        if (answer.Kind != SuccessionKind.Welcome || answer.Body.Length != sizeof(ulong) + sizeof(int))
        {
            throw new SuccessionException($"{answer.Kind} is no answer to a successor");
        }

        _seed = Spec.Workers.Seed ?? BinaryPrimitives.ReadUInt64LittleEndian(answer.Body);
        var received = new List<FileDescriptor>();
        bool isTaken = false;
        try
        {
            string[] taken = Choose(channel, BinaryPrimitives.ReadInt32LittleEndian(answer.Body.AsSpan(sizeof(ulong))), received);
            HandOverReceipt receipt = await GoOnAsync(channel, taken).ConfigureAwait(false);
            isTaken = true;
            return receipt;
        }
        finally
        {
            if (!isTaken)
            {
                received.ForEach(descriptor => descriptor.Dispose());
                if (State == EngineState.Running)
                {
                    Close();
                    State = EngineState.Stopped;
                }
            }
        }
    }

    /// <summary>Takes the queues of ports that this configuration has just so, and says which.</summary>
    /// <returns>What they are called, in their order.</returns>
    private string[] Choose(SuccessionChannel channel, int count, List<FileDescriptor> received)
    {
        var offered = new Dictionary<string, FileDescriptor>();
        var order = new List<string>();
        for (int queue = 0; queue < count; queue++)
        {
            SuccessionMessage message = channel.Expect(SuccessionKind.Queue, s_patience);
            if (message.Passed is null)
            {
                throw new SuccessionException("a queue came without its descriptor");
            }

            received.Add(message.Passed);
            order.Add(Encoding.UTF8.GetString(message.Body));
            offered[order[^1]] = message.Passed;
        }

        _passed = Spec.Ports.Select(port => (port.Name, Queues: PassedQueue.IdentitiesOf(port))).Where(port => port.Queues.Count > 0 && port.Queues.All(offered.ContainsKey))
            .ToDictionary(port => port.Name, port => port.Queues.Select(queue => offered[queue]).ToArray());
        HashSet<FileDescriptor> used = [.. _passed.Values.SelectMany(queues => queues)];
        received.Where(descriptor => !used.Contains(descriptor)).ToList().ForEach(descriptor => descriptor.Dispose());
        channel.Send(SuccessionKind.Takes, [.. order.Select(queue => used.Contains(offered[queue]) ? (byte)1 : (byte)0)]);
        return [.. order.Where(queue => used.Contains(offered[queue]))];
    }

    /// <summary>Flows while the other process forwards, as far as there are ports for the engine already; the rest once it has stopped.</summary>
    private async Task<HandOverReceipt> GoOnAsync(SuccessionChannel channel, string[] taken)
    {
        bool isWhole = Spec.Ports.All(port => _passed.ContainsKey(port.Name));
        if (isWhole)
        {
            Open();
        }

        var waiting = new List<StateReader>();
        var state = new StateReceipt(StateRefusal.None, 0);
        byte[] neighbours = [];
        var known = new List<Knowledge>();
        SuccessionMessage message;
        while ((message = channel.Receive(s_patience)).Kind != SuccessionKind.Stopped)
        {
            if (message.Kind == SuccessionKind.Neighbours)
            {
                neighbours = SuccessionChannel.BytesOf(message);
                continue;
            }

            if (message.Kind == SuccessionKind.Knowledge)
            {
                known.Add(Knowledge.FromBytes(SuccessionChannel.BytesOf(message)));
                LearnIfOpen(known, isWhole);
                continue;
            }

            if (message.Kind is not (SuccessionKind.Flows or SuccessionKind.LastFlows))
            {
                throw new SuccessionException(message.Kind == SuccessionKind.Gone ? "the process that was to hand over is gone, or silent" : $"{message.Kind} came in between");
            }

            StateRefusal refusal = StateReader.Open(SuccessionChannel.BytesOf(message), out StateReader reader);
            if (refusal != StateRefusal.None)
            {
                throw new SuccessionException($"its flows cannot be read ({refusal})");
            }

            waiting.Add(reader);
            state = isWhole ? await LoadAsync(waiting, state).ConfigureAwait(false) : state;
            if (message.Kind == SuccessionKind.Flows)
            {
                channel.Send(SuccessionKind.Loaded);
            }
        }

        if (!isWhole)
        {
            Open();
            LearnIfOpen(known, isOpen: true);
            state = await LoadAsync(waiting, state).ConfigureAwait(false);
        }

        int neighboursKnown = LoadNeighbours(neighbours);
        SetPositions(message.Body, taken);
        if (!channel.Send(SuccessionKind.Taken))
        {
            throw new SuccessionException("the process that was to hand over has not waited");
        }

        Begin();
        return new HandOverReceipt(HandOverOutcome.TakenOver, state with { Flows = FlowCount() })
        {
            PortsPassed = [.. _passed.Keys],
            PortsReopened = [.. Spec.Ports.Select(port => port.Name).Except(_passed.Keys)],
            Neighbours = neighboursKnown,
            Blocked = TimeSpan.FromMicroseconds((MonotonicClock.NowNs - BinaryPrimitives.ReadInt64LittleEndian(message.Body)) / 1000.0),
        };
    }

    private void LearnIfOpen(List<Knowledge> known, bool isOpen)
    {
        if (isOpen)
        {
            known.ForEach(Learn);
            known.Clear();
        }
    }

    /// <summary>Puts the flows in; what has become of those that are there already takes their place.</summary>
    private async Task<StateReceipt> LoadAsync(List<StateReader> waiting, StateReceipt before)
    {
        foreach (StateReader reader in waiting)
        {
            StateReceipt loaded = await TakeOverAsync(reader, CancellationToken.None, replaces: true).ConfigureAwait(false);

            // A flow may come again in every pass.
            before = loaded with { WithoutBackend = Math.Max(before.WithoutBackend, loaded.WithoutBackend), WithoutRoom = Math.Max(before.WithoutRoom, loaded.WithoutRoom) };
        }

        waiting.Clear();
        return before;
    }

    private int LoadNeighbours(byte[] bytes)
    {
        int most = 0;
        for (int worker = 0; worker < _workers!.Count; worker++)
        {
            AtQuiescentPoint(worker, context =>
            {
                using var reader = new BinaryReader(new MemoryStream(bytes));
                reader.ReadByte();
                most = Math.Max(most, NeighbourSnapshots.Read(context, reader));
            });
        }

        return most;
    }

    /// <summary>Sets where each queue goes on, and lets it.</summary>
    private void SetPositions(byte[] body, string[] taken)
    {
        if (body.Length != sizeof(long) + (taken.Length * sizeof(int)))
        {
            throw new SuccessionException("it says where to go on for other queues than it passed");
        }

        Dictionary<string, IPassedPort> queues = PassedQueue.Of(_ports).Where(queue => _passed.ContainsKey(queue.Port)).ToDictionary(queue => queue.Identity, queue => queue.Queue);
        for (int queue = 0; queue < taken.Length; queue++)
        {
            queues[taken[queue]].Position = BinaryPrimitives.ReadInt32LittleEndian(body.AsSpan(sizeof(long) + (queue * sizeof(int))));
            queues[taken[queue]].IsPaused = false;
        }
    }

    private long FlowCount()
    {
        long count = 0;
        for (int worker = 0; worker < _workers!.Count; worker++)
        {
            AtQuiescentPoint(worker, context => count += context.Flows.FlowCount);
        }

        return count;
    }
}
