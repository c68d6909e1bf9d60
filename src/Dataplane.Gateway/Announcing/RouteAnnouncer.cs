using System.Threading.Channels;
using Dataplane.Balancing;
using Dataplane.Gateway.Commands;
using Dataplane.Native;
using Dataplane.Networks;
using Dataplane.Packets;
using Dataplane.Routing;
using Dataplane.Telemetry;

namespace Dataplane.Gateway.Announcing;

/// <summary>Has the addresses of services announced by a routing daemon: as routes of the kernel that it learns, in a table that nobody else looks at.</summary>
/// <remarks>
/// The routes lead to a TAP device that lives exactly as long as this process: however the process ends, the kernel takes the device away, the routes with it, and the
/// daemon withdraws them. An address is announced while one of its services has a backend that takes new flows.
/// </remarks>
internal sealed class RouteAnnouncer : IAsyncDisposable
{
    private static readonly TimeSpan s_tryAgainAfter = TimeSpan.FromSeconds(1);

    private readonly DataplaneEngine _engine;
    private readonly byte _table;
    private readonly LinePrinter _print;
    private readonly TapDevice _device;
    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _ending = new();
    private readonly Channel<bool> _news = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly Task _running;
    private HashSet<IpPrefix> _announced = [];
    private bool _isWithdrawn;
    private string _problem = "";

    /// <summary>Makes the device and announces what the engine serves now.</summary>
    /// <param name="engine">A running engine.</param>
    /// <param name="device">Name of the device, which must not be there yet.</param>
    /// <param name="table">Routing table, 1 to 252.</param>
    /// <param name="print">Told of failures.</param>
    /// <exception cref="IOException">The device cannot be made.</exception>
    public RouteAnnouncer(DataplaneEngine engine, string device, byte table, LinePrinter print)
    {
        (_engine, _table, _print) = (engine, table, print);
        _device = TapDevice.Open(device);
        Refresh();
        _engine.BackendChanged += OnBackendChanged;
        _running = Task.Run(RunAsync);
    }

    /// <summary>How many addresses are announced. Any thread.</summary>
    public int Routes => Volatile.Read(ref _announced).Count;

    /// <summary>Whether all are withdrawn until <see cref="Announce"/>. Any thread.</summary>
    public bool IsWithdrawn => Volatile.Read(ref _isWithdrawn);

    /// <summary>Looks again at what there is to announce, soon. Any thread.</summary>
    public void Refresh() => _news.Writer.TryWrite(true);

    /// <summary>Withdraws all addresses; the engine goes on with what comes. Returns when the routes are gone. Any thread.</summary>
    public void Withdraw() => Set(isWithdrawn: true);

    /// <summary>Announces again. Any thread.</summary>
    public void Announce() => Set(isWithdrawn: false);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _engine.BackendChanged -= OnBackendChanged;
        await _ending.CancelAsync().ConfigureAwait(false);
        await _running.ConfigureAwait(false);
        _device.Dispose();
        _ending.Dispose();
    }

    /// <summary>The addresses and prefixes at which flows are served now. Those of the engine's interfaces are reached anyway.</summary>
    internal static HashSet<IpPrefix> Served(IEnumerable<ServiceStatus> services, IEnumerable<InterfaceSpec> interfaces)
    {
        HashSet<IpAddress> own = [.. interfaces.Select(entry => entry.Address.Address)];
        return [.. services.Where(TakesFlows).Select(service => new IpPrefix(service.Address, service.PrefixLength ?? service.Address.BitLength))
            .Where(prefix => prefix.Length < prefix.Address.BitLength || !own.Contains(prefix.Address))];
    }

    private static bool TakesFlows(ServiceStatus service) =>
        service.Backends.Any(backend => backend.Weight > 0 && (backend.State == BackendState.Up || (service.IsPanicking && backend.State == BackendState.Down)));

    private void OnBackendChanged(object? sender, BackendEvent happened) => Refresh();

    private void Set(bool isWithdrawn)
    {
        Volatile.Write(ref _isWithdrawn, isWithdrawn);
        if (!TryApply())
        {
            Refresh();
        }
    }

    private async Task RunAsync()
    {
        try
        {
            await foreach (bool _ in _news.Reader.ReadAllAsync(_ending.Token).ConfigureAwait(false))
            {
                if (!TryApply())
                {
                    await Task.Delay(s_tryAgainAfter, _ending.Token).ConfigureAwait(false);
                    Refresh();
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Disposed.
        }
    }

    /// <summary>Makes the kernel's routes what they are to be; false when it refused.</summary>
    private bool TryApply()
    {
        lock (_gate)
        {
            HashSet<IpPrefix> wanted = IsWithdrawn ? [] : Served(_engine.ReadServices(), _engine.Spec.Interfaces);
            IpPrefix[] gone = [.. _announced.Except(wanted)], come = [.. wanted.Except(_announced)];
            try
            {
                KernelInterface.RemoveRoutes(null, _device.Interface.Name, gone, _table);
                KernelInterface.AddRoutes(null, _device.Interface.Name, [.. come.Select(prefix => new InterfaceRoute(prefix, null))], _table);
            }
            catch (IOException refused)
            {
                // Once for each reason: it is tried again every second.
                if (_problem != refused.Message)
                {
                    _print.Line($"announce: {refused.Message}");
                }

                _problem = refused.Message;
                return false;
            }

            if (gone.Length + come.Length > 0)
            {
                _print.Line($"announce: {wanted.Count} addresses ({come.Length} more, {gone.Length} fewer)");
            }

            _problem = "";
            Volatile.Write(ref _announced, wanted);
            return true;
        }
    }
}
