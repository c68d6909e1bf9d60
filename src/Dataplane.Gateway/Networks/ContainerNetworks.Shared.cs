using System.Net.NetworkInformation;
using System.Text.Json;
using Dataplane.Configuration;
using Dataplane.Gateway.Networks.Shared;
using Dataplane.Native;
using Dataplane.Networks;
using Dataplane.Overlays;
using Dataplane.Packets;

namespace Dataplane.Gateway.Networks;

/// <content>Networks that several hosts share: the registry says which there are and who is attached elsewhere, this service what is attached here.</content>
internal sealed partial class ContainerNetworks
{
    /// <summary>For how long a change that is made here waits until the others know.</summary>
    private static readonly TimeSpan s_settling = TimeSpan.FromSeconds(3);

    /// <summary>How often it is looked at whether the registry still says what is here, though nothing has changed.</summary>
    private static readonly TimeSpan s_looking = TimeSpan.FromSeconds(5);

    private SharedRegistry? _shared;
    private Task _settling = Task.CompletedTask;

    /// <summary>Why the engine does not forward as the registry says; empty when it does. What it was, a certificate that is being renewed for instance, may be mended by itself.</summary>
    private volatile string _unfollowed = "";

    /// <summary>Whether changes of this host may not be in the registry yet.</summary>
    private int _isUnsettled;

    private async Task StartSharedAsync()
    {
        if (_options.Etcd.Count == 0)
        {
            return;
        }

        _shared = new SharedRegistry(_options);
        await _shared.StartAsync(async isNew =>
        {
            if (isNew)
            {
                Volatile.Write(ref _isUnsettled, 1);
            }

            await FollowAsync().ConfigureAwait(false);
        }).ConfigureAwait(false);
        if (_shared.Problem.Length > 0)
        {
            _tell($"the registry does not answer ({_shared.Problem}); what was known of other hosts stays in force, changes wait");
        }

        _settling = SettleLoopAsync();
    }

    /// <summary>Has the engine forward as the registry says.</summary>
    private async Task FollowAsync()
    {
        try
        {
            await ChangeAsync(async () =>
            {
                NetworkState state = Merge(_state, _shared!.Snapshot!);
                if (!JsonSerializer.SerializeToUtf8Bytes(state, NetworkJson.Default.NetworkState).AsSpan()
                    .SequenceEqual(JsonSerializer.SerializeToUtf8Bytes(_state, NetworkJson.Default.NetworkState)))
                {
                    NetworkState before = _state;
                    await CommitAsync(state).ConfigureAwait(false);
                    foreach (NetworkView made in state.Networks.Where(view => !before.Networks.Any(known => known.Network.Name == view.Network.Name)))
                    {
                        AddHostRoutes(made.Network);
                    }

                    foreach (NetworkView gone in before.Networks.Where(view => !state.Networks.Any(known => known.Network.Name == view.Network.Name)))
                    {
                        RemoveHostRoutes(gone.Network);
                        _composer.Forget(gone.Network);
                    }
                }

                return true;
            }).ConfigureAwait(false);
            _unfollowed = "";
        }
        catch (Exception refused) when (refused is IOException or ConfigurationException)
        {
            if (_unfollowed != refused.Message)
            {
                _tell($"what the registry says cannot be done: {refused.Message}");
            }

            _unfollowed = refused.Message;
        }
        catch (OperationCanceledException)
        {
            // The service ends.
        }
    }

    /// <summary>Networks of the registry with who is attached here; those of this host alone as they are.</summary>
    private NetworkState Merge(NetworkState state, SharedSnapshot snapshot)
    {
        var views = new List<NetworkView>();
        foreach (NetworkView view in state.Networks.Where(view => view.Network.Vni is null
            || (view.Endpoints.Count > 0 && !snapshot.Networks.Networks.Any(network => network.Name == view.Network.Name))))
        {
            views.Add(view with { Elsewhere = [] });
        }

        foreach (NetworkRecord network in snapshot.Networks.Networks.Where(network => !views.Exists(view => view.Network.Name == network.Name)))
        {
            IReadOnlyList<EndpointRecord> here = state.Networks.FirstOrDefault(view => view.Network.Name == network.Name)?.Endpoints ?? [];
            views.Add(new NetworkView(network, here) { Elsewhere = [.. Others(here, snapshot.Endpoints[network.Name])] });
        }

        return state with
        {
            Networks = [.. views.OrderBy(view => view.Network.Name, StringComparer.Ordinal)],
            Peers = [.. snapshot.Hosts.Where(host => host.Key != _options.HostName && host.Value.Tunnel.Length > 0).Select(host => host.Value.Tunnel).Distinct().Order(StringComparer.Ordinal)],
            Links = [.. LinksOf(snapshot)],
        };
    }

    /// <summary>The hosts that a link is kept to: those that are heard of, and those that are not but have containers, since a host that has lost etcd forwards on. The former come
    /// first: of two under one address, the one that has it now counts.</summary>
    private IEnumerable<LinkRecord> LinksOf(SharedSnapshot snapshot)
    {
        HashSet<string> wanted = [.. snapshot.Alive, .. snapshot.Endpoints.SelectMany(endpoints => endpoints).Select(endpoint => endpoint.Host)];
        return snapshot.Hosts.Where(host => host.Key != _options.HostName && host.Value.Link is not null && wanted.Contains(host.Key))
            .OrderByDescending(host => snapshot.Alive.Contains(host.Key)).ThenBy(host => host.Key, StringComparer.Ordinal)
            .Select(host => new LinkRecord(host.Key, host.Value.Link!));
    }

    /// <summary>Whether frames of a network can leave this host.</summary>
    /// <exception cref="NetworkException">They cannot.</exception>
    private void DemandWay(NetworkRecord network)
    {
        if (network.Underlay == NetworkRecord.Tls ? _links is null : _options.Tunnel.IsNone)
        {
            throw new NetworkException(NetworkFault.Invalid, network.Underlay == NetworkRecord.Tls
                ? $"Network {network.Name} goes by TLS links, and this service was started without --tls-link: it has no certificate to show."
                : $"Network {network.Name} goes by VXLAN, and this service was started without an uplink that tunnels could end at; give it --uplink, or the network the underlay tls.");
        }
    }

    /// <summary>Who is attached at other hosts; what is at odds with what is attached here, or with another, is left out: while a container moves, two hosts may say that they have it.</summary>
    private IEnumerable<RemoteRecord> Others(IReadOnlyList<EndpointRecord> here, IEnumerable<RemoteRecord> all)
    {
        HashSet<string> taken = [.. here.SelectMany(endpoint => endpoint.Addresses.Append(endpoint.Mac!).Append(endpoint.Key))];
        foreach (RemoteRecord remote in all.Where(remote => remote.Host != _options.HostName))
        {
            string[] own = [.. remote.Addresses, remote.Mac, remote.Key];
            if (!own.Any(taken.Contains) && MacAddress.TryParse(remote.Mac, out _) && remote.Addresses.All(address => IpAddress.TryParse(address, out _)))
            {
                taken.UnionWith(own);
                yield return remote;
            }
        }
    }

    private async Task<NetworkView> CreateSharedAsync(NetworkRecord request)
    {
        request = NetworkRequests.CheckUnderlay(request, isShared: true);
        DemandWay(request);
        IReadOnlyList<IpPrefix> own = [.. List().SelectMany(view => view.Network.Subnets).Select(subnet => IpPrefix.Parse(subnet.Subnet))];
        IpPrefix[] routes = [.. KernelInterface.ReadReachable(null).Where(route => !own.Contains(route) && !route.Address.IsLinkLocal && !route.Address.IsMulticast)];
        string token = Guid.NewGuid().ToString("N");
        await _shared!.ChangeNetworksAsync(shared =>
        {
            // An answer that was lost on its way: it was done.
            if (shared.Networks.Any(network => network.Name == request.Name && network.Owner == request.Owner && network.Token == token))
            {
                return shared;
            }

            NetworkRecord[] local = [.. List().Where(view => view.Network.Vni is null).Select(view => view.Network)];
            NetworkRecord made = NetworkRequests.Complete(request, shared.Site, [.. shared.Networks, .. local], routes) with
            {
                Vni = shared.LastVni + 1,
                Mtu = Math.Min(request.Mtu, request.Underlay == NetworkRecord.Tls ? HostLinks.LargestMtu : RoomOnUplink()),
                Token = token,
            };
            return shared with { LastVni = shared.LastVni + 1, Networks = [.. shared.Networks, made] };
        }).ConfigureAwait(false);
        await AwaitSnapshotAsync(snapshot => snapshot.Networks.Networks.Any(network => network.Name == request.Name)).ConfigureAwait(false);
        await FollowAsync().ConfigureAwait(false);
        return Get(request.Name);
    }

    private async Task RemoveSharedAsync(NetworkView view)
    {
        string name = view.Network.Name;
        await _shared!.ChangeNetworksAsync(shared => shared with
        {
            Networks = [.. shared.Networks.Where(network => network.Name != name)
                .Select(network => network with { Reach = [.. network.Reach.Where(reached => reached != name)] })],
        }, unused: name).ConfigureAwait(false);
        await AwaitSnapshotAsync(snapshot => !snapshot.Networks.Networks.Any(network => network.Name == name)).ConfigureAwait(false);
        await FollowAsync().ConfigureAwait(false);
    }

    /// <summary>Addresses for an endpoint, from the registry. Outside of the gate: while etcd is waited for, other changes go on.</summary>
    private async Task<EndpointRecord> TakeSharedAsync(NetworkRecord network, EndpointRecord request)
    {
        try
        {
            IReadOnlyList<IpAddress> addresses = await _shared!.TakeAsync(network.Name, NetworkRequests.PoolsOf(network), request.Key,
                [.. request.Addresses.Select(text => IpAddress.Parse(text))]).ConfigureAwait(false);
            return request with { Addresses = [.. addresses.Select(address => address.ToString())] };
        }
        catch (LeaseException refused)
        {
            throw new NetworkException(request.Addresses.Count > 0 ? NetworkFault.Conflict : NetworkFault.Exhausted, refused.Message, refused);
        }
    }

    private bool IsShared(NetworkRecord network) => _shared is not null && network.Vni is not null;

    /// <summary>Writes what has changed here into the registry; if that cannot be now, it is done when it can.</summary>
    private async Task SettleAsync()
    {
        Volatile.Write(ref _isUnsettled, 1);
        await TrySettleAsync().ConfigureAwait(false);
    }

    private async Task TrySettleAsync()
    {
        if (_shared is null)
        {
            return;
        }

        try
        {
            Volatile.Write(ref _isUnsettled, 0);
            foreach ((string network, EndpointRecord endpoint) in await _shared.SettleAsync(List(), s_settling).ConfigureAwait(false))
            {
                _tell($"{endpoint.Key} of network {network} is attached at another host now: detached here");
                await DetachAsync(network, endpoint.Container, endpoint.Interface, endpoint.Identity).ConfigureAwait(false);
            }
        }
        catch (NetworkException)
        {
            // The status says so.
            Volatile.Write(ref _isUnsettled, 1);
        }
        catch (OperationCanceledException)
        {
            // The service ends.
        }
    }

    private async Task SettleLoopAsync()
    {
        using var timer = new PeriodicTimer(s_watchInterval);
        long looked = Environment.TickCount64;
        try
        {
            while (await timer.WaitForNextTickAsync(_closing.Token).ConfigureAwait(false))
            {
                if (Volatile.Read(ref _isUnsettled) != 0 || Environment.TickCount64 - looked > s_looking.TotalMilliseconds)
                {
                    looked = Environment.TickCount64;
                    if (_unfollowed.Length > 0)
                    {
                        await FollowAsync().ConfigureAwait(false);
                    }

                    await TrySettleAsync().ConfigureAwait(false);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The service ends.
        }
    }

    private async Task AwaitSnapshotAsync(Func<SharedSnapshot, bool> isWanted)
    {
        long began = Environment.TickCount64;
        while (_shared!.Snapshot is not { } snapshot || !isWanted(snapshot))
        {
            if (Environment.TickCount64 - began > SharedRegistry.Patience.TotalMilliseconds)
            {
                throw new NetworkException(NetworkFault.Unreachable, $"The registry was changed, but has not said so since: {_shared.Problem}");
            }

            await Task.Delay(20, _closing.Token).ConfigureAwait(false);
        }
    }

    /// <summary>The longest packet that fits into one packet of the uplink.</summary>
    private int RoomOnUplink()
    {
        NetworkInterface? uplink = NetworkInterface.GetAllNetworkInterfaces().FirstOrDefault(found => found.Name == _options.Uplink);
        return (uplink?.GetIPProperties().GetIPv4Properties()?.Mtu ?? 1500) - OverlaySpec.OverheadBytes(_options.Tunnel);
    }
}
