using Dataplane.Configuration;
using Dataplane.Filtering;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Routing;
using Dataplane.Routing.Lpm;

namespace Dataplane;

/// <summary>Routes that come and go while running: the table is changed in place, however large it is.</summary>
public sealed partial class DataplaneEngine
{
    private readonly LearntRoutes _learnt = new();
    private readonly GracePeriods _periods = new();

    /// <summary>Adds, replaces and withdraws routes beside those of the configuration: what a routing protocol has learnt, say.</summary>
    /// <param name="set">Routes to add, or to put in the place of a learnt one for the same prefix; each prefix once.</param>
    /// <param name="withdraw">Prefixes whose learnt routes go, before the others come; those that have none do not matter.</param>
    /// <param name="cancellationToken">Ends waiting for an update in hand, not the update itself.</param>
    /// <returns>What has changed; when the task completes, no packet is routed as before.</returns>
    /// <remarks>
    /// Only the prefixes named are written, one address after the other: a packet meanwhile sees, for its own destination, the old route or the
    /// new one. A learnt route has no effect while the configuration, an interface or a service has the same prefix. Learnt routes stay through
    /// <see cref="UpdateAsync(DataplaneSpec, CancellationToken)"/>, as long as there is an interface for their next hops.
    /// </remarks>
    /// <exception cref="ConfigurationException">A route is wrong; the exception holds every error, and nothing has been changed.</exception>
    /// <exception cref="InvalidOperationException">The engine is not running.</exception>
    public async Task<RouteReceipt> UpdateRoutesAsync(
        IReadOnlyList<RouteSpec> set, IReadOnlyList<IpPrefix>? withdraw = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(set);
        await _updating.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            ThrowIfNotRunning();
            ThrowIfInvalid(Spec with { Routes = set, Services = [], Filter = new FilterSpec(), Neighbours = [] });
            ForwardingTables tables = _workers!.Tables!;
            LearntChange change = _learnt.Change(tables.Routes, tables.Interfaces, _ports, withdraw ?? [], set);
            if (change.HasNewEntries)
            {
                // What numbers stand for must be known before the table leads to them.
                await PublishAsync(tables with { Routes = change.Routes }).ConfigureAwait(false);
            }

            try
            {
                change.Routes.Table.Apply(change.Changes);
            }
            finally
            {
                // Flows ask for their route again. And when the worker has passed, nothing holds the numbers that are not in use any more.
                await PublishAsync(tables with { Routes = change.Routes, Version = tables.Version + 1 }).ConfigureAwait(false);
            }

            return new RouteReceipt(Version, change.Added, change.Replaced, change.Withdrawn, change.Shadowed);
        }
        finally
        {
            _updating.Release();
        }
    }

    /// <summary>Hands tables to the workers and waits until they have left the ones before.</summary>
    private async Task PublishAsync(ForwardingTables tables)
    {
        ForwardingTables old = _workers!.Tables!;
        _offload?.Suspend();
        _workers.Publish(tables, _ports);
        await WaitForAsync(() => _workers.HasAdopted).ConfigureAwait(false);
        if (_completion.Task.IsFaulted)
        {
            // A worker died meanwhile: say why, instead of a receipt for what nobody forwards by.
            await _completion.Task.ConfigureAwait(false);
        }

        _offload?.Resume(_ports);
        StartOffload();

        // All have passed a quiescent point: nothing uses the old tables, their sleep lists or the ports only they had.
        _workers.DisposeLeft();
        if (!ReferenceEquals(old.Routes.Table, tables.Routes.Table))
        {
            old.Routes.Table.Dispose();
        }
    }

    private void ThrowIfNotRunning()
    {
        if (State != EngineState.Running)
        {
            throw new InvalidOperationException($"The engine is {State}; only a running one can be updated.");
        }
    }
}
