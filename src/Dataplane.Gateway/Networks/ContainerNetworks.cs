using System.Net.NetworkInformation;
using System.Net.Sockets;
using Dataplane.Configuration;
using Dataplane.Gateway.Networks.Shared;
using Dataplane.Native;
using Dataplane.Networks;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;

namespace Dataplane.Gateway.Networks;

/// <summary>Container networks: what exists, who is attached, and the engine that forwards between them.</summary>
/// <remarks>
/// One change at a time; each is written down before it is made, so that a service that dies in the middle can finish or undo it when it starts
/// again. All members may be called by any thread.
/// </remarks>
internal sealed partial class ContainerNetworks : IAsyncDisposable
{
    private static readonly TimeSpan s_watchInterval = TimeSpan.FromMilliseconds(500);

    private readonly SemaphoreSlim _gate = new(1, 1);
    private readonly ServeOptions _options;
    private readonly StateStore _store;
    private readonly AddressLeases _leases;
    private readonly SpecComposer _composer;
    private readonly HostPorts _hostPorts;
    private readonly MemifSockets _sockets;
    private readonly Action<string> _tell;
    private readonly CancellationTokenSource _closing = new();
    private readonly DataplaneEngine _engine;
    private readonly HostLinks? _links;
    private NetworkState _state;
    private Task _watching = Task.CompletedTask;

    private ContainerNetworks(ServeOptions options, StateStore store, Action<string> tell)
    {
        (_options, _store, _tell) = (options, store, tell);
        _leases = new AddressLeases(Path.Combine(options.StateDirectory, "leases"));
        _composer = new SpecComposer(options);
        _hostPorts = new HostPorts(SourceFor);
        _sockets = new MemifSockets(options.MemifDirectory);
        _state = store.Load();
        _engine = new DataplaneEngine(_composer.Compose([], []));
        _composer.Links = _links = options.Links is null ? null : new HostLinks(options);
    }

    /// <summary>Completes when the engine has stopped; faulted when a worker died.</summary>
    public Task Completion => _engine.Completion;

    /// <summary>Restores what was there before, and starts the engine. Endpoints whose namespaces are gone are forgotten.</summary>
    /// <param name="options">How to run.</param>
    /// <param name="tell">Told, on any thread, of what an operator should know.</param>
    /// <exception cref="IOException">Another service runs on the state, or a port of the host cannot be opened.</exception>
    public static async Task<ContainerNetworks> StartAsync(ServeOptions options, Action<string> tell)
    {
        var store = new StateStore(options.StateDirectory);
        ContainerNetworks networks;
        try
        {
            networks = new ContainerNetworks(options, store, tell);
        }
        catch
        {
            store.Dispose();
            throw;
        }

        try
        {
            await networks.RestoreAsync().ConfigureAwait(false);
            await networks.StartSharedAsync().ConfigureAwait(false);
            networks._watching = networks.WatchAsync();
            return networks;
        }
        catch
        {
            await networks.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Packets since the start, as the engine counted them.</summary>
    public IReadOnlyDictionary<string, long> ReadAccounting()
    {
        Accounting read = _engine.ReadAccounting();
        return new Dictionary<string, long>
        {
            ["received"] = read.Received,
            ["originated"] = read.Originated,
            ["transmitted"] = read.Transmitted,
            ["dropped"] = read.Dropped,
            ["held"] = read.Held,
        };
    }

    /// <summary>The engine's own words about every packet; final once disposed of.</summary>
    public Accounting Accounting => _engine.ReadAccounting();

    public ServiceStatus ReadStatus()
    {
        NetworkState state = Volatile.Read(ref _state);
        bool isReady = _engine.State == EngineState.Running;
        string detail = !isReady ? $"the engine is {_engine.State}"
            : _shared is { Problem.Length: > 0 } shared ? $"the registry does not answer, changes wait: {shared.Problem}" : "";
        return new ServiceStatus(isReady, detail, state.Networks.Count, state.Networks.Sum(view => view.Endpoints.Count),
            [.. _hostPorts.Open.Select(open => $"host, {open}"), .. _engine.Spec.Services.Select(OpenInEngine)], ReadAccounting())
        {
            Links = [.. ReadLinks(state)],
            Refused = CountsOf(_links?.ReadRefused() ?? []),
            LastRefusal = _links?.LastRefusal ?? "",
            Drops = _engine.ReadAccounting().DroppedByReason.Select((count, reason) => (Name: ((DropReason)reason).ToName(), Count: count))
                .Where(drop => drop.Count > 0).ToDictionary(drop => drop.Name, drop => drop.Count),
            Memif = [.. ReadMemif(state)],
        };
    }

    private IEnumerable<MemifStatus> ReadMemif(NetworkState state)
    {
        Dictionary<string, PortStatus> ports = _engine.ReadPorts().ToDictionary(port => port.Name);
        foreach (NetworkView view in state.Networks)
        {
            foreach (EndpointRecord endpoint in view.Endpoints.Where(endpoint => !AttachKind.HasInterface(endpoint)))
            {
                PortStatus? port = ports.GetValueOrDefault(SpecComposer.PortName(view.Network, endpoint));
                yield return new MemifStatus(view.Network.Name, endpoint.Container, endpoint.Interface, port?.Link == Ports.LinkState.Up, port?.LinkReason ?? "");
            }
        }
    }

    private IEnumerable<LinkStatus> ReadLinks(NetworkState state)
    {
        ILookup<string, PortStatus> ports = _engine.ReadPorts().ToLookup(port => port.Name);
        return _links is null ? [] : state.Links.SelectMany(link => ports[HostLinks.PortName(link.Host)].Select(port => new LinkStatus(link.Host, link.Address,
            port.Link == Ports.LinkState.Up, port.Link == Ports.LinkState.Up ? port.Description : $"{port.Description}: {port.LinkReason}", CountsOf(port.Events))));
    }

    private static Dictionary<string, long> CountsOf(IReadOnlyList<Ports.PortEvent> events) => events.ToDictionary(happened => happened.Name, happened => happened.Count);

    private static string OpenInEngine(Balancing.ServiceSpec service) =>
        $"engine, {(service.Protocol == 17 ? "udp" : "tcp")} {EndPoint(service.Address, service.Port)} -> {string.Join(", ", service.Backends.Select(backend => EndPoint(backend.Address, backend.Port)))}";

    private static string EndPoint(IpAddress address, int port) => new System.Net.IPEndPoint(System.Net.IPAddress.Parse(address.ToString()), port).ToString();

    /// <summary>Stops the engine. Interfaces of containers stay, without a way: the next service goes on with them.</summary>
    public async ValueTask DisposeAsync()
    {
        await _closing.CancelAsync().ConfigureAwait(false);
        await _watching.ConfigureAwait(false);
        await _settling.ConfigureAwait(false);
        if (_shared is not null)
        {
            await _shared.DisposeAsync().ConfigureAwait(false);
        }

        _hostPorts.Dispose();
        await _engine.DisposeAsync().ConfigureAwait(false);
        _links?.Dispose();
        _store.Dispose();
    }

    private async Task RestoreAsync()
    {
        foreach (NetworkView view in _state.Networks)
        {
            foreach (EndpointRecord gone in view.Endpoints.Where(endpoint => !IsThere(endpoint)))
            {
                _tell($"{gone.Key} of network {view.Network.Name} is gone: its namespace {gone.Namespace} is not there any more");
                Replace(view.Network.Name, endpoints => [.. endpoints.Where(endpoint => endpoint.Key != gone.Key)]);
            }
        }

        _store.Save(_state);
        await _engine.StartAsync().ConfigureAwait(false);
        if (_options.HostInterface.Length > 0)
        {
            // The engine's own addresses on the uplink's network are behind the link for the host: out on that network it would not hear itself.
            InterfaceRoute[] toEngine = [.. _composer.OutsideAddresses.Where(address => _composer.EngineOnHostLink(address.Family) is not null)
                .Select(address => new InterfaceRoute(IpPrefix.Host(address), _composer.EngineOnHostLink(address.Family)))];
            KernelInterface.Configure(null, _options.HostInterface, new InterfaceSettings { Addresses = _options.HostLinks, Routes = toEngine });
        }

        await RestoreEndpointsAsync().ConfigureAwait(false);
        foreach (NetworkView view in _state.Networks)
        {
            HashSet<string> attached = [.. view.Endpoints.Select(endpoint => endpoint.Key)];
            if (view.Network.Vni is null)
            {
                _leases.Reconcile(view.Network.Name, attached.Contains);
            }

            AddHostRoutes(view.Network);
        }
    }

    /// <summary>All at once; and if that fails, one after the other, so that one that cannot be opened does not keep the others out.</summary>
    private async Task RestoreEndpointsAsync()
    {
        NetworkState wanted = _state;
        try
        {
            await ApplyAsync(wanted).ConfigureAwait(false);
        }
        catch (Exception refused) when (refused is IOException or ConfigurationException)
        {
            _state = wanted with { Networks = [.. wanted.Networks.Select(view => view with { Endpoints = [] })] };
            await ApplyAsync(_state).ConfigureAwait(false);
            foreach ((NetworkRecord network, EndpointRecord endpoint) in wanted.Networks.SelectMany(view => view.Endpoints.Select(endpoint => (view.Network, endpoint))))
            {
                NetworkState before = _state;
                Replace(network.Name, endpoints => [.. endpoints, endpoint]);
                try
                {
                    await ApplyAsync(_state).ConfigureAwait(false);
                }
                catch (Exception broken) when (broken is IOException or ConfigurationException)
                {
                    _state = before;
                    _composer.Forget(network, endpoint);
                    _tell($"{endpoint.Key} of network {network.Name} cannot be attached again: {broken.Message}");
                }
            }

            _store.Save(_state);
        }

        foreach ((NetworkRecord network, EndpointRecord endpoint) in _state.Networks.SelectMany(view => view.Endpoints.Select(endpoint => (view.Network, endpoint))))
        {
            try
            {
                Configure(network, endpoint);
                _hostPorts.Reserve(network.Name, endpoint);
            }
            catch (IOException refused)
            {
                _tell($"{endpoint.Key} of network {network.Name} was not restored in full: {refused.Message}");
            }
        }
    }

    /// <summary>Looks, twice a second, whether the namespaces are still there; what belonged to one that is not goes.</summary>
    private async Task WatchAsync()
    {
        using var timer = new PeriodicTimer(s_watchInterval);
        try
        {
            while (await timer.WaitForNextTickAsync(_closing.Token).ConfigureAwait(false))
            {
                (string Network, EndpointRecord Endpoint)[] gone = [.. Volatile.Read(ref _state).Networks.SelectMany(view => view.Endpoints
                    .Where(endpoint => !IsThere(endpoint)).Select(endpoint => (view.Network.Name, endpoint)))];
                foreach ((string network, EndpointRecord endpoint) in gone)
                {
                    await TidyAsync(network, endpoint).ConfigureAwait(false);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The service ends.
        }
    }

    private async Task TidyAsync(string network, EndpointRecord endpoint)
    {
        try
        {
            if (await DetachAsync(network, endpoint.Container, endpoint.Interface, endpoint.Identity).ConfigureAwait(false) is not null)
            {
                _tell($"{endpoint.Key} of network {network} died: detached");
            }
        }
        catch (Exception refused) when (refused is IOException or ConfigurationException)
        {
            _tell($"{endpoint.Key} of network {network} died, and could not be detached yet: {refused.Message}");
        }
    }

    private Task<ChangeReceipt> ApplyAsync(NetworkState state)
    {
        const string Resolver = "/etc/resolv.conf";
        _composer.Upstreams = File.Exists(Resolver) ? NetworkNames.UpstreamsOf(File.ReadLines(Resolver)) : [];
        _composer.Peers = state.Peers;
        _links?.Hosts = state.Links;
        MakePairs(state);
        MakeSocketDirectories(state);
        return _engine.UpdateAsync(_composer.Compose(state.Networks, _options.Uplink.Length == 0 ? [] : HostAddresses()));
    }

    private void Replace(string network, Func<IReadOnlyList<EndpointRecord>, IReadOnlyList<EndpointRecord>> change) =>
        Volatile.Write(ref _state, _state with
        {
            Networks = [.. _state.Networks.Select(view => view.Network.Name == network ? view with { Endpoints = change(view.Endpoints) } : view)],
        });

    private void AddHostRoutes(NetworkRecord network)
    {
        if (_options.HostInterface.Length > 0 && !network.Internal)
        {
            KernelInterface.AddRoutes(null, _options.HostInterface, [.. network.Subnets.Select(subnet => IpPrefix.Parse(subnet.Subnet))
                .Where(subnet => _composer.EngineOnHostLink(subnet.Family) is not null)
                .Select(subnet => new InterfaceRoute(subnet, _composer.EngineOnHostLink(subnet.Family)))]);
        }
    }

    private void RemoveHostRoutes(NetworkRecord network) =>
        KernelInterface.RemoveRoutes(null, _options.HostInterface, [.. network.Subnets.Select(subnet => IpPrefix.Parse(subnet.Subnet))]);

    /// <summary>The address from which a connection goes on: the one it came from, if that is the host's own and has a meaning outside of it.</summary>
    private static System.Net.IPAddress? SourceFor(System.Net.IPAddress client) =>
        !System.Net.IPAddress.IsLoopback(client) && Array.Exists(AllHostAddresses(), own => own.Equals(client)) ? client : null;

    private static System.Net.IPAddress[] AllHostAddresses() =>
        [.. NetworkInterface.GetAllNetworkInterfaces().SelectMany(found => found.GetIPProperties().UnicastAddresses).Select(found => found.Address)];

    private static IpAddress[] HostAddresses() => [.. AllHostAddresses()
        .Where(address => !System.Net.IPAddress.IsLoopback(address) && !address.IsIPv6LinkLocal)
        .Select(address => address.AddressFamily == AddressFamily.InterNetwork ? IpAddress.ReadV4(address.GetAddressBytes()) : IpAddress.ReadV6(address.GetAddressBytes()))
        .Where(address => !address.IsLinkLocal)];
}
