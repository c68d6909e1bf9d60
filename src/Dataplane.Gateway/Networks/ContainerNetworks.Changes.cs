using Dataplane.Configuration;
using Dataplane.Networks;
using Dataplane.Packets;

namespace Dataplane.Gateway.Networks;

/// <summary>What can be asked for.</summary>
internal sealed partial class ContainerNetworks
{
    /// <summary>Whether the file says more than the engine does.</summary>
    private bool _isAhead;

    /// <summary>All networks and who is attached.</summary>
    public IReadOnlyList<NetworkView> List() => Volatile.Read(ref _state).Networks;

    /// <exception cref="NetworkException">There is none of the name.</exception>
    public NetworkView Get(string network) => Volatile.Read(ref _state).Networks.FirstOrDefault(view => view.Network.Name == network)
        ?? throw new NetworkException(NetworkFault.NotFound, $"There is no network {network}; dataplane network ls lists those there are.");

    /// <exception cref="NetworkException">The request makes no sense, or its name or range is taken.</exception>
    public Task<NetworkView> CreateAsync(NetworkRecord request) => _shared is not null ? CreateSharedAsync(request) : ChangeAsync(async () =>
    {
        request = NetworkRequests.CheckUnderlay(request, isShared: false);

        // Routes by our own link lead to our own networks, which are among the others anyway.
        IReadOnlyList<IpPrefix> own = [.. _state.Networks.SelectMany(view => view.Network.Subnets).Select(subnet => IpPrefix.Parse(subnet.Subnet))];
        IpPrefix[] routes = [.. KernelInterface.ReadReachable(null).Where(route => !own.Contains(route) && !route.Address.IsLinkLocal && !route.Address.IsMulticast)];
        NetworkRecord network = NetworkRequests.Complete(request, _state.Site, [.. _state.Networks.Select(view => view.Network)], routes);
        var view = new NetworkView(network, []);
        NetworkState before = _state;
        await CommitAsync(_state with { Networks = [.. _state.Networks, view] }).ConfigureAwait(false);
        try
        {
            AddHostRoutes(network);
        }
        catch (IOException)
        {
            // The engine must not go on with what the state is about to forget.
            await ApplyAsync(before).ConfigureAwait(false);
            throw;
        }

        return view;
    });

    /// <exception cref="NetworkException">There is none of the name, or somebody is attached.</exception>
    public Task RemoveAsync(string name) => IsShared(Get(name).Network) && Get(name).Endpoints.Count == 0 ? RemoveSharedAsync(Get(name)) : ChangeAsync(async () =>
    {
        NetworkView view = Get(name);
        if (view.Endpoints.Count > 0)
        {
            throw new NetworkException(NetworkFault.Conflict, $"Network {name} is in use by {string.Join(", ", view.Endpoints.Take(5).Select(endpoint => endpoint.Key))}: detach them first.");
        }

        await CommitAsync(_state with
        {
            Networks = [.. _state.Networks.Where(other => other.Network.Name != name)
                .Select(other => other with { Network = other.Network with { Reach = [.. other.Network.Reach.Where(reached => reached != name)] } })],
        }).ConfigureAwait(false);
        try
        {
            RemoveHostRoutes(view.Network);
            _leases.Remove(name);
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
        {
            // The network is gone all the same; a file of leases without holders is nobody's address.
            _tell($"network {name} is removed, but not in full: {refused.Message}");
        }

        _composer.Forget(view.Network);
        return view;
    });

    /// <summary>Gives an endpoint its interface in its namespace, addresses, and its published ports: all, or nothing.</summary>
    /// <exception cref="NetworkException">It is attached already, or something it asks for is not to be had.</exception>
    public async Task<AttachReply> AttachAsync(string name, EndpointRecord request)
    {
        NetworkView view = Get(name);
        NetworkRequests.Check(request);
        if (view.Network.Vni is not null && _shared is null)
        {
            throw new NetworkException(NetworkFault.Unreachable, $"Network {name} is shared with other hosts, and this service was started without --etcd: nobody knows which addresses are free.");
        }

        if (!IsShared(view.Network) || view.Endpoints.Any(endpoint => endpoint.Key == request.Key))
        {
            return await AttachHereAsync(name, request).ConfigureAwait(false);
        }

        DemandWay(view.Network);
        try
        {
            return await AttachHereAsync(name, await TakeSharedAsync(view.Network, request).ConfigureAwait(false)).ConfigureAwait(false);
        }
        finally
        {
            _shared!.EndTaking(name, request.Key);
            await SettleAsync().ConfigureAwait(false);
        }
    }

    private Task<AttachReply> AttachHereAsync(string name, EndpointRecord request) => ChangeAsync(async () =>
    {
        NetworkRecord network = Get(name).Network;
        request = request with { Attach = AttachKind.Of(network, request) };
        NetworkRequests.CheckAttachment(network, request);
        string identity = request.Namespace.Length == 0 ? ""
            : NamespaceIdentity.TryRead(request.Namespace) ?? throw new NetworkException(NetworkFault.NotFound, $"There is no network namespace {request.Namespace}.");
        ThrowIfTaken(network, request);
        EndpointRecord endpoint = Complete(network, WithSocket(network, request with { Identity = identity }));
        NetworkState before = _state;
        try
        {
            _hostPorts.Reserve(name, endpoint);
            Replace(name, endpoints => [.. endpoints, endpoint]);
            await CommitAsync(_state).ConfigureAwait(false);
            Configure(network, endpoint);
            return new AttachReply(endpoint, network);
        }
#pragma warning disable CA1031 // Whatever it was: what has been taken for the endpoint is given back.
        catch (Exception refused)
#pragma warning restore CA1031
        {
            await UndoAsync(before, network, endpoint).ConfigureAwait(false);
            throw refused is NetworkException ? refused : new NetworkException(NetworkFault.Failed, $"{endpoint.Key} was not attached to {name}: {refused.Message}", refused);
        }
    });

    /// <summary>Takes an endpoint's interface, addresses and published ports away.</summary>
    /// <param name="name">The network.</param>
    /// <param name="container">Who is attached.</param>
    /// <param name="interfaceName">Its interface.</param>
    /// <param name="identity">Only if it is attached in this namespace; null: in any.</param>
    /// <returns>What it was; null when it was not attached.</returns>
    public async Task<EndpointRecord?> DetachAsync(string name, string container, string interfaceName, string? identity = null)
    {
        EndpointRecord? gone = await DetachHereAsync(name, container, interfaceName, identity).ConfigureAwait(false);
        if (gone is not null)
        {
            await SettleAsync().ConfigureAwait(false);
        }

        return gone;
    }

    private Task<EndpointRecord?> DetachHereAsync(string name, string container, string interfaceName, string? identity) => ChangeAsync(async () =>
    {
        NetworkView? view = _state.Networks.FirstOrDefault(candidate => candidate.Network.Name == name);
        EndpointRecord? endpoint = view?.Endpoints.FirstOrDefault(candidate => candidate.Container == container && candidate.Interface == interfaceName);
        if (endpoint is null || (identity is not null && endpoint.Identity != identity))
        {
            return null;
        }

        NetworkRecord network = view!.Network;
        Replace(name, endpoints => [.. endpoints.Where(other => other.Key != endpoint.Key)]);
        await CommitAsync(_state).ConfigureAwait(false);
        LetGo(network, endpoint);
        return endpoint;
    });

    /// <summary>Publishes other ports of an endpoint; what was published before and is not any more is closed. The container is not touched.</summary>
    /// <exception cref="NetworkException">It is not attached, or a port is taken; then everything is as before.</exception>
    public Task<EndpointRecord> PublishAsync(string name, string container, string interfaceName, IReadOnlyList<PublishedPort> ports) => ChangeAsync(async () =>
    {
        EndpointRecord before = Get(name).Endpoints.FirstOrDefault(candidate => candidate.Container == container && candidate.Interface == interfaceName)
            ?? throw new NetworkException(NetworkFault.NotFound, $"{container}/{interfaceName} is not attached to {name}.");
        NetworkRequests.CheckPorts(ports);
        EndpointRecord after = before with { Ports = ports };
        _hostPorts.Reserve(name, after);
        try
        {
            Replace(name, endpoints => [.. endpoints.Select(endpoint => endpoint.Key == before.Key ? after : endpoint)]);
            await CommitAsync(_state).ConfigureAwait(false);
            return after;
        }
        catch
        {
            _hostPorts.Reserve(name, before);
            throw;
        }
    });

    /// <summary>Detaches whoever the runtime does not know of.</summary>
    /// <param name="name">The network.</param>
    /// <param name="valid">Keys (<c>CONTAINER/INTERFACE</c>) of those it knows.</param>
    /// <returns>Keys of those that went.</returns>
    public async Task<IReadOnlyList<string>> CollectAsync(string name, IReadOnlyList<string> valid)
    {
        EndpointRecord[] stale = [.. List().Where(view => view.Network.Name == name).SelectMany(view => view.Endpoints).Where(endpoint => !valid.Contains(endpoint.Key))];
        foreach (EndpointRecord endpoint in stale)
        {
            await DetachAsync(name, endpoint.Container, endpoint.Interface).ConfigureAwait(false);
        }

        return [.. stale.Select(endpoint => endpoint.Key)];
    }

    /// <summary>What an endpoint's interface is set up with.</summary>
    public static InterfaceSettings SettingsOf(NetworkRecord network, EndpointRecord endpoint)
    {
        var addresses = new List<IpPrefix>();
        var routes = new List<InterfaceRoute>();
        foreach (IpAddress address in endpoint.Addresses.Select(text => IpAddress.Parse(text)))
        {
            SubnetRecord subnet = network.Subnets.First(candidate => IpPrefix.Parse(candidate.Subnet).Contains(address));
            addresses.Add(new IpPrefix(address, IpPrefix.Parse(subnet.Subnet).Length));
            if (endpoint.DefaultRoute && !network.Internal)
            {
                routes.Add(new InterfaceRoute(address.Family == IpFamily.V4 ? IpPrefix.AllV4 : IpPrefix.AllV6, IpAddress.Parse(subnet.Gateway)));
            }
        }

        // Beside what is set here they would only add a default route, which a second interface is not to have.
        return new InterfaceSettings { Addresses = addresses, Routes = routes, AcceptRouterAdvertisements = network.RouterAdvertisements && endpoint.DefaultRoute };
    }

    /// <summary>Sets up the interface in the container; who speaks memif sets itself up.</summary>
    private static void Configure(NetworkRecord network, EndpointRecord endpoint)
    {
        if (AttachKind.HasInterface(endpoint))
        {
            KernelInterface.Configure(endpoint.Namespace, endpoint.Interface, SettingsOf(network, endpoint));
        }
    }

    /// <summary>Whether the namespace is still the one that was attached; who came without one is there until he is detached.</summary>
    private static bool IsThere(EndpointRecord endpoint) => endpoint.Namespace.Length == 0 || NamespaceIdentity.TryRead(endpoint.Namespace) == endpoint.Identity;

    private static void ThrowIfTaken(NetworkRecord network, EndpointRecord request)
    {
        if (AttachKind.HasInterface(request) && KernelInterface.TryReadAddresses(request.Namespace, request.Interface) is not null)
        {
            throw new NetworkException(NetworkFault.Conflict, $"{request.Namespace} has an interface {request.Interface} already; {request.Key} was not attached to {network.Name}.");
        }
    }

    private EndpointRecord Complete(NetworkRecord network, EndpointRecord request)
    {
        NetworkView view = Get(network.Name);
        if (view.Endpoints.Any(endpoint => endpoint.Key == request.Key))
        {
            throw new NetworkException(NetworkFault.Conflict, $"{request.Key} is attached to {network.Name} already.");
        }

        HashSet<string> macs = [.. view.Endpoints.Select(endpoint => endpoint.Mac!), .. view.Elsewhere.Where(remote => remote.Key != request.Key).Select(remote => remote.Mac)];
        if (request.Mac is { } wanted && macs.Contains(MacAddress.Parse(wanted).ToString()))
        {
            throw new NetworkException(NetworkFault.Conflict, $"MAC address {wanted} is in use on {network.Name}.");
        }

        string mac = request.Mac is { } given ? MacAddress.Parse(given).ToString() : EndpointMac.Choose(network.Name, request.Key, candidate => macs.Contains(candidate.ToString())).ToString();
        if (IsShared(network))
        {
            return request with { Mac = mac };
        }

        try
        {
            IReadOnlyList<IpAddress> addresses = _leases.Take(network.Name, NetworkRequests.PoolsOf(network), request.Key, [.. request.Addresses.Select(text => IpAddress.Parse(text))]);
            return request with { Mac = mac, Addresses = [.. addresses.Select(address => address.ToString())] };
        }
        catch (LeaseException refused)
        {
            throw new NetworkException(request.Addresses.Count > 0 ? NetworkFault.Conflict : NetworkFault.Exhausted, refused.Message, refused);
        }
    }

    /// <summary>Back to what was, as far as it had got.</summary>
    private async Task UndoAsync(NetworkState before, NetworkRecord network, EndpointRecord endpoint)
    {
        Volatile.Write(ref _state, before);
        try
        {
            await ApplyAsync(before).ConfigureAwait(false);
            _store.Save(before);
            _isAhead = false;
        }
#pragma warning disable CA1031 // It is said; and what else can be undone is.
        catch (Exception refused)
#pragma warning restore CA1031
        {
            _tell($"what was begun of {endpoint.Key} could not be undone in full: {refused.Message}");
        }

        LetGo(network, endpoint);
    }

    /// <summary>Frees what the engine does not hold: interface, host ports, addresses.</summary>
    private void LetGo(NetworkRecord network, EndpointRecord endpoint)
    {
        _composer.Forget(network, endpoint);
        _pairs.Remove(SpecComposer.PortName(network, endpoint));
        _hostPorts.Release(network.Name, endpoint);
        if (!IsShared(network))
        {
            TryLetGo(endpoint, () => _leases.Release(network.Name, endpoint.Key));
        }

        if (!AttachKind.HasInterface(endpoint))
        {
            TryLetGo(endpoint, () => _sockets.Remove(endpoint.Socket));
            return;
        }

        TryLetGo(endpoint, () =>
        {
            // With the end here the one in the container goes, even where the path to its namespace is gone and something still holds that.
            if (AttachKind.IsPair(endpoint.Attach) && KernelInterface.TryRemove(null, SpecComposer.PortName(network, endpoint)))
            {
                return;
            }

            if (IsThere(endpoint))
            {
                KernelInterface.TryRemove(endpoint.Namespace, endpoint.Interface);
            }
        });
    }

    /// <summary>What cannot be freed now, because the disk is full for instance, is freed when the service starts again: it must not keep the rest.</summary>
    private void TryLetGo(EndpointRecord endpoint, Action free)
    {
        try
        {
            free();
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
        {
            _tell($"{endpoint.Key} is detached, but not in full: {refused.Message}");
        }
    }

    /// <summary>Writes down what is to be, then has the engine forward by it.</summary>
    private async Task CommitAsync(NetworkState state)
    {
        _isAhead = true;
        _store.Save(state);
        await ApplyAsync(state).ConfigureAwait(false);
        Volatile.Write(ref _state, state);
        _isAhead = false;
    }

    private async Task<T> ChangeAsync<T>(Func<Task<T>> change)
    {
        await _gate.WaitAsync(_closing.Token).ConfigureAwait(false);
        NetworkState before = _state;
        try
        {
            return await change().ConfigureAwait(false);
        }
        catch (Exception refused) when (Restore(before))
        {
            if (refused is not ConfigurationException wrong)
            {
                throw;
            }

            throw new NetworkException(NetworkFault.Invalid, string.Join(" ", wrong.Errors.Select(error => error.ToString())), wrong);
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>What was refused stays written nowhere.</summary>
    private bool Restore(NetworkState before)
    {
        if (!ReferenceEquals(_state, before) || _isAhead)
        {
            Volatile.Write(ref _state, before);
            _store.Save(before);
            _isAhead = false;
        }

        return true;
    }
}
