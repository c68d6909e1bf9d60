using Dataplane.Configuration;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Telemetry;

namespace Dataplane;

/// <summary>Change without loss: new tables are compiled beside the old ones and swapped in between two batches.</summary>
public sealed partial class DataplaneEngine
{
    /// <summary>Replaces the configuration. The old one stays in force if anything is wrong with the new.</summary>
    /// <param name="spec">The new configuration, whole.</param>
    /// <param name="cancellationToken">Ends waiting for an update in hand, not the update itself.</param>
    /// <returns>What has changed; when the task completes, no packet is judged by the old tables any more.</returns>
    /// <exception cref="ConfigurationException">Something is wrong; the exception holds every error.</exception>
    /// <exception cref="IOException">A new port could not be opened.</exception>
    /// <exception cref="InvalidOperationException">The engine is not running.</exception>
    /// <remarks>Number of workers, sizes of tables, spin time, seed and CPUs in <see cref="DataplaneSpec.Workers"/> are read at the start only.</remarks>
    public async Task<ChangeReceipt> UpdateAsync(DataplaneSpec spec, CancellationToken cancellationToken = default)
    {
        ThrowIfInvalid(spec, Spec);
        await _updating.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return await ApplyAsync(spec).ConfigureAwait(false);
        }
        finally
        {
            _updating.Release();
        }
    }

    /// <summary>Changes the configuration in force.</summary>
    /// <param name="change">Makes the new configuration from the one in force.</param>
    /// <param name="cancellationToken">Ends waiting for an update in hand, not the update itself.</param>
    /// <inheritdoc cref="UpdateAsync(DataplaneSpec, CancellationToken)"/>
    public async Task<ChangeReceipt> UpdateAsync(Func<DataplaneSpec, DataplaneSpec> change, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(change);
        await _updating.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            DataplaneSpec spec = change(Spec);
            ThrowIfInvalid(spec, Spec);
            return await ApplyAsync(spec).ConfigureAwait(false);
        }
        finally
        {
            _updating.Release();
        }
    }

    private async Task<ChangeReceipt> ApplyAsync(DataplaneSpec spec)
    {
        ThrowIfNotRunning();
        PortSet before = _ports;
        PortSet after = OpenPorts(spec, before, out List<IPort> opened);
        SetWakers(after, opened);
        CompiledTables compiled;
        try
        {
            compiled = ServiceDifferences.AreAll(Spec, spec) && opened.Count == 0
                ? TableCompiler.Recompile(spec, _workers!.Tables!, _slots, NowNs)
                : TableCompiler.Compile(spec, after, _slots, _workers!.Tables, _learnt.ReachableBy(spec.Interfaces), _periods, NowNs);
        }
        catch
        {
            // No memory for the tables: what was opened for them is closed again, and everything stays as it was.
            opened.ForEach(port => port.Dispose());
            throw;
        }

        (_ports, Spec) = (after, spec);
        int lost = _learnt.DropUnreachable(spec.Interfaces);
        await PublishAsync(compiled.Tables).ConfigureAwait(false);
        StartForwarder();
        ChangeReceipt receipt = Conclude(compiled);
        FollowHealth();
        HashSet<IPort> kept = [.. after.Entries.Select(entry => entry.Port)];
        (int, PortSpec Spec, IPort Port)[] closed = [.. before.Entries.Where(entry => !kept.Contains(entry.Port))];
        if (closed.Length > 0)
        {
            await DrainAsync().ConfigureAwait(false);
        }

        foreach ((int _, PortSpec _, IPort port) in closed)
        {
            port.Dispose();
        }

        HashSet<IPort> newlyOpened = [.. opened];
        string[] openedNames = [.. after.Entries.Where(entry => newlyOpened.Contains(entry.Port)).Select(entry => entry.Spec.Name)];
        return receipt with { PortsOpened = openedNames, PortsClosed = [.. closed.Select(entry => entry.Spec.Name)], LearntRoutesLost = lost };
    }

    /// <summary>Waits until no ring between workers has a frame for a port that has gone: its number may soon be another's.</summary>
    private async Task DrainAsync()
    {
        for (int worker = 0; worker < _workers!.Count && _workers.Count > 1; worker++)
        {
            // Between the first and the third quiescent point lie at least one whole round, in which all that waited was taken.
            for (int passed = 0; passed < 3; passed++)
            {
                await Task.Run(() => _workers.AtQuiescentPoint(worker, _ => { })).ConfigureAwait(false);
            }
        }

        if (!_workers.HasThreads)
        {
            _workers.RunOnce();
        }
    }

    /// <summary>Waits for the workers to pass a quiescent point; without threads of their own, passes it here.</summary>
    private async Task WaitForAsync(Func<bool> done)
    {
        if (!_workers!.HasThreads)
        {
            _workers.RunOnce();
            return;
        }

        for (int tries = 0; !done() && !_completion.Task.IsCompleted; tries++)
        {
            if (tries < 100)
            {
                await Task.Yield();
            }
            else
            {
                await Task.Delay(1).ConfigureAwait(false);
            }
        }
    }
}
