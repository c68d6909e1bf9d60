using Dataplane.Balancing;
using Dataplane.Pipeline;
using Dataplane.Snapshots;
using Dataplane.Telemetry;

namespace Dataplane;

/// <summary>The state of flows, written and read: so that a process goes on with the flows of the one before it.</summary>
public sealed partial class DataplaneEngine
{
    private const int StateBlock = 1024, StateLooks = 16_384;

    /// <summary>Writes the flows known now, translations and connections included, while packets are forwarded.</summary>
    /// <param name="target">Receives them; it is not closed.</param>
    /// <param name="cancellationToken">Ends the writing; what was written then is refused when it is read.</param>
    /// <returns>How many flows were written. Those that begin or end meanwhile may be missing. Clients remembered by affinity are not in it.</returns>
    /// <exception cref="InvalidOperationException">The engine is not running.</exception>
    /// <exception cref="IOException">The stream cannot be written.</exception>
    public async Task<StateReceipt> SaveStateAsync(Stream target, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(target);
        await _updating.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            ThrowIfNotRunning();
            return await WriteStateAsync(target, null, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _updating.Release();
        }
    }

    /// <summary>Starts as <see cref="StartAsync(CancellationToken)"/> does, with the flows of a state: they are known before the first packet is received, so none of theirs
    /// is taken for another's.</summary>
    /// <param name="state">What <see cref="SaveStateAsync"/> has written, up to its end; it is read before anything is opened.</param>
    /// <param name="cancellationToken">Ends the reading; then nothing was started.</param>
    /// <returns>What has become of its flows; or why it was refused, and the engine runs without (a cold start).</returns>
    /// <exception cref="InvalidOperationException">The engine has been started before.</exception>
    /// <exception cref="IOException">The stream cannot be read, or a port could not be opened; those opened before are closed again.</exception>
    public async Task<StateReceipt> StartAsync(Stream state, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(state);
        (StateRefusal refusal, StateReader reader) = await ReadStateAsync(state, cancellationToken).ConfigureAwait(false);
        await _updating.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            Open();
            StateReceipt receipt = refusal == StateRefusal.None ? await TakeOverAsync(reader, CancellationToken.None).ConfigureAwait(false) : new StateReceipt(refusal, 0);
            Begin();
            return receipt;
        }
        finally
        {
            _updating.Release();
        }
    }

    /// <summary>Takes over the flows of a state that <see cref="SaveStateAsync"/> has written, of this process or another, while packets are forwarded. What has begun
    /// anew meanwhile stays as it is: a successor starts with <see cref="StartAsync(Stream, CancellationToken)"/> instead.</summary>
    /// <param name="source">The state, up to its end.</param>
    /// <param name="cancellationToken">Ends the reading; flows that were taken over stay.</param>
    /// <returns>What has become of its flows; or why it was refused, and nothing was taken over. Flows are found again by what services, backends and translations
    /// are, not by their names.</returns>
    /// <exception cref="InvalidOperationException">The engine is not running.</exception>
    /// <exception cref="IOException">The stream cannot be read.</exception>
    public async Task<StateReceipt> LoadStateAsync(Stream source, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        (StateRefusal refusal, StateReader reader) = await ReadStateAsync(source, cancellationToken).ConfigureAwait(false);
        if (refusal != StateRefusal.None)
        {
            return new StateReceipt(refusal, 0);
        }

        await _updating.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            ThrowIfNotRunning();
            return await TakeOverAsync(reader, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _updating.Release();
        }
    }

    /// <summary>Writes the flows known now, or only those of which a packet was seen since a tick of the flow tables. Updates wait meanwhile.</summary>
    private async Task<StateReceipt> WriteStateAsync(Stream target, uint? since, CancellationToken cancellationToken)
    {
        DateTimeOffset now = _options.TimeProvider.GetUtcNow();
        var writer = new StateWriter(target);
        await writer.BeginAsync(now, _slots.Taken, cancellationToken).ConfigureAwait(false);
        var flows = new SavedFlow[StateBlock];
        for (int worker = 0; worker < _workers!.Count; worker++)
        {
            int cursor = 0, capacity = 1, count = 0, number = worker;
            while (cursor < capacity)
            {
                await Task.Run(() => AtQuiescentPoint(number, context =>
                {
                    capacity = context.Flows.Capacity;
                    count = FlowSnapshots.Copy(context, ref cursor, flows, StateLooks, since);
                }), cancellationToken).ConfigureAwait(false);
                if (count > 0)
                {
                    await writer.AddAsync(flows, count, cancellationToken).ConfigureAwait(false);
                }
            }
        }

        return new StateReceipt(StateRefusal.None, await writer.EndAsync(cancellationToken).ConfigureAwait(false)) { WrittenAt = now };
    }

    private static async Task<(StateRefusal Refusal, StateReader Reader)> ReadStateAsync(Stream source, CancellationToken cancellationToken)
    {
        using var bytes = new MemoryStream();
        byte[] buffer = new byte[1 << 16];
        for (int read; (read = await source.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0;)
        {
            if (bytes.Length + read > Array.MaxLength)
            {
                return (StateRefusal.TooLarge, null!);
            }

            bytes.Write(buffer, 0, read);
        }

        return (StateReader.Open(bytes.GetBuffer().AsMemory(0, (int)bytes.Length), out StateReader reader), reader);
    }

    private async Task<StateReceipt> TakeOverAsync(StateReader reader, CancellationToken cancellationToken, bool replaces = false)
    {
        // A clock that was set back has not made the flows younger.
        long awayMs = (long)Math.Max(0, (_options.TimeProvider.GetUtcNow() - reader.WrittenAt).TotalMilliseconds);
        Dictionary<int, BackendSlot?> slots = reader.Slots.ToDictionary(entry => entry.Key, entry => _slots.Find(entry.Value));
        var byWorker = Enumerable.Range(0, _workers!.Count).Select(_ => new List<(SavedFlow Flow, BackendSlot Slot)>()).ToArray();
        long taken = 0, withoutBackend = 0, withoutRoom = 0, replaced = 0;
        bool isMore = true;
        while (isMore)
        {
            isMore = reader.TryRead(out SavedFlow flow);
            int full = -1;
            if (isMore && slots[flow.Slot] is { Fate: BackendFate.Stay } slot)
            {
                int owner = OwnerOf(in flow);
                byWorker[owner].Add((flow, slot));
                full = byWorker[owner].Count == StateBlock ? owner : -1;
            }
            else if (isMore)
            {
                withoutBackend++;
            }

            foreach (int worker in isMore ? full >= 0 ? [full] : Array.Empty<int>() : Enumerable.Range(0, byWorker.Length))
            {
                await Task.Run(() => AtQuiescentPoint(worker, context => byWorker[worker].ForEach(entry =>
                {
                    bool? hindered = FlowSnapshots.Insert(context, in entry.Flow, entry.Slot.Number, entry.Slot.Generation, awayMs, replaces);
                    taken += hindered is null ? 1 : 0;
                    replaced += hindered == true ? 1 : 0;
                    withoutRoom += hindered == false ? 1 : 0;
                })), cancellationToken).ConfigureAwait(false);
                byWorker[worker].Clear();
            }
        }

        return new StateReceipt(StateRefusal.None, taken) { WrittenAt = reader.WrittenAt, WithoutBackend = withoutBackend, WithoutRoom = withoutRoom, Replaced = replaced };
    }

    /// <summary>The worker that a saved flow's packets will be handed to; the first one for what belongs to nobody.</summary>
    private int OwnerOf(in SavedFlow flow)
    {
        ForwardingTables tables = _workers!.Tables!;
        if (tables.Owners is not { } owners)
        {
            return 0;
        }

        // Of a source that is translated the port it came by matters; the way back shows the same owner without it.
        WorkerContext context = _workers[0].Context;
        if ((flow.Marks & Flows.FlowMarks.Mapped) != 0)
        {
            return context.Share.OwnerOfPort(((flow.Marks & Flows.FlowMarks.FromOutside) != 0 ? flow.Forward : flow.Reverse).Key.DestinationPort);
        }

        Packets.FlowKey key = tables.Services.Find(in flow.Forward.Key) is not null ? flow.Forward.Key : flow.Reverse.Key;
        return Math.Max(0, owners.OwnerOf(in key, ushort.MaxValue, context.Hash, context.Share));
    }
}
