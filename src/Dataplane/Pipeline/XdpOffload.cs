using Dataplane.Flows;
using Dataplane.Native;
using Dataplane.Ports;

namespace Dataplane.Pipeline;

/// <summary>The fast path: has XDP programs forward the packets of established flows, and counts what they did. Control side, with a timer of its own.</summary>
/// <remarks>
/// <para>Who decides stays the engine. A flow is written into the map once its packets take the established way; its first packets, those that change its state and
/// all that is unusual come to the engine, which ages it. What the program counted is added to the flow's worker between two batches: the flow has been seen then, and every
/// packet is received and transmitted in the accounting, at the ports, by rule and by backend.</para>
/// <para>Nothing outlives the tables it was decided by: before others are published, one store into the programs' memory ends the epoch, and every packet comes to the engine
/// until it has decided anew. A flow that ends or changes between two turns is ended in the same way by its worker, alone and at once (<see cref="IOffloadedFlows"/>).
/// What has been ended is counted for the last time, and its place given to others, when the kernel has said that no program is at work on it any more.</para>
/// </remarks>
internal sealed class XdpOffload : IAsyncDisposable
{
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(50);

    private readonly XdpFlowMap _map;
    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly Stack<int> _slots = new(Enumerable.Range(1, XdpFlowMap.MaxFlows).Reverse());
    private XdpOffloadShare[] _shares = [];
    private FastPathPort?[] _ports = [];
    private WorkerGroup? _workers;
    private Task _running = Task.CompletedTask;
    private uint _epoch;

    public XdpOffload(XdpFlowMap map) => _map = map;

    /// <summary>Begins to look for flows. The workers run on threads of their own.</summary>
    public void Start(WorkerGroup workers, PortSet ports)
    {
        _workers = workers;
        _shares = [.. Enumerable.Range(0, workers.Count).Select(_ => new XdpOffloadShare(_map, _slots))];
        for (int number = 0; number < _shares.Length; number++)
        {
            XdpOffloadShare share = _shares[number];
            workers.AtQuiescentPoint(number, context => context.Flows.Offloaded = share);
        }

        Resume(ports);
        _running = RunAsync();
    }

    /// <summary>Has everything come to the engine, and counts all that the programs did. Before tables are published.</summary>
    public void Suspend()
    {
        lock (_gate)
        {
            _map.Epoch = 0;
            _ports = [];
            Turn();
        }
    }

    /// <summary>Begins anew by the tables that have been published.</summary>
    public void Resume(PortSet ports)
    {
        lock (_gate)
        {
            _ports = new FastPathPort?[ports.ById.Length];
            foreach ((int id, PortSpec spec, IPort port) in ports.Entries)
            {
                // A port that was opened for it keeps its program; whether it is used may change at any time.
                if (FastPathPort.Of(port) is { } fast)
                {
                    fast.IsOn = spec.Offload == PortOffload.Xdp;
                    _ports[id] = fast.IsOn ? fast : null;
                }
            }

            _map.Epoch = ++_epoch;
        }
    }

    /// <summary>Ends it. Everything is counted afterwards; the ports may be closed, and after them the map. The engine stops: its workers keep what they have of it.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _running.ConfigureAwait(false);
        Suspend();
        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        using var timer = new PeriodicTimer(s_interval);
        try
        {
            while (await timer.WaitForNextTickAsync(_stopping.Token).ConfigureAwait(false))
            {
                lock (_gate)
                {
                    Turn();
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The engine stops.
        }
    }

    /// <summary>One look at every worker.</summary>
    private void Turn()
    {
        if (Array.Exists(_shares, share => _map.Epoch == 0 ? share.HasFlows : share.HasEnded))
        {
            XdpFlowMap.WaitForPrograms();
        }

        // Asked here and not between two batches: these are system calls.
        FastPathPort?[] usable = Array.ConvertAll(_ports, port => port is not null && port.Look() ? port : null);
        for (int number = 0; number < _shares.Length; number++)
        {
            XdpOffloadShare share = _shares[number];
            if (share.IsIdle(_workers![number]))
            {
                continue;
            }

            _workers.AtQuiescentPoint(number, context => share.Look(context, _ports, usable, _epoch));
            share.Apply();
        }
    }
}
