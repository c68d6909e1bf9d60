using System.Collections.Concurrent;
using System.Text.Json;
using Dataplane.Mesh.Sources;
using Dataplane.Networks;
using Dataplane.Packets;

namespace Dataplane.Gateway.Networks.Shared;

/// <summary>The networks that several hosts share, in etcd: who is attached where, and who has which address.</summary>
/// <remarks>
/// <para><c>PREFIXnetworks</c>: all networks (<see cref="SharedNetworks"/>). <c>PREFIXleases/NETWORK</c>: who has which address (<see cref="LeaseDocument"/>), holders being
/// <c>CONTAINER/INTERFACE@HOST</c>. <c>PREFIXendpoints/NETWORK/HOST/CONTAINER/INTERFACE</c>: what a host has attached (<see cref="RemoteRecord"/>).
/// <c>PREFIXhosts/HOST</c>: where its tunnels and links end; <c>PREFIXalive/HOST</c>: the same, for as long as it is heard of.</para>
/// <para>Networks and leases are changed by transactions that fail when another host has changed them since they were read: then they are read again. A host's endpoints are its own
/// to write, and are brought in line with what it has whenever etcd can be reached. Endpoints do not end with their host's lease: a host that has lost etcd forwards on. But
/// what is attached anew elsewhere, once its host is not heard of, is that other host's; the first gives it up when it is back.</para>
/// </remarks>
internal sealed partial class SharedRegistry : IAsyncDisposable
{
    private const int MaxWrites = 100;

    /// <summary>For how long a change waits for etcd before it is refused.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly EtcdCaller _etcd;
    private readonly string _prefix;
    private readonly string _host;
    private readonly HostRecord _ends;
    private readonly int _secondsAlive;

    /// <summary>Holders whose addresses are taken already while they are still being attached.</summary>
    private readonly ConcurrentDictionary<(string Network, string Holder), bool> _taking = new();
    private readonly CancellationTokenSource _ending = new();
    private volatile SharedSnapshot? _snapshot;
    private volatile string _problem = "etcd has not been heard yet";

    /// <param name="options">Members, prefix, the host's name and where its tunnels and links end.</param>
    public SharedRegistry(ServeOptions options)
    {
        _etcd = new EtcdCaller(options.Etcd);
        _prefix = options.EtcdPrefix.EndsWith('/') ? options.EtcdPrefix : options.EtcdPrefix + "/";
        (_host, _secondsAlive) = (options.HostName, (int)options.HostTimeout.TotalSeconds);
        _ends = new HostRecord(options.Tunnel.IsNone ? "" : options.Tunnel.ToString()) { Link = options.Links?.Address.ToString() };
    }

    /// <summary>What was heard last; null before the first time.</summary>
    public SharedSnapshot? Snapshot => _snapshot;

    /// <summary>Why nothing is heard now; empty when all is well.</summary>
    public string Problem => _problem;

    /// <summary>Changes the networks, as often as it takes until nobody has changed them at the same time.</summary>
    /// <param name="change">Gives the networks as they are to be; may refuse by an exception.</param>
    /// <param name="unused">A network that nobody may have an address of; null: none.</param>
    /// <exception cref="NetworkException">Nobody answers, or the network is in use.</exception>
    public Task<SharedNetworks> ChangeNetworksAsync(Func<SharedNetworks, SharedNetworks> change, string? unused = null) => RepeatAsync<SharedNetworks>(async (etcd, cancellationToken) =>
    {
        (byte[]? value, long revision) = await etcd.GetAsync(_prefix + "networks", cancellationToken).ConfigureAwait(false);
        SharedNetworks before = value is null ? new SharedNetworks { Site = Guid.NewGuid().ToString("N") } : Read(value, NetworkJson.Default.SharedNetworks);
        SharedNetworks after = change(before);
        List<(string, long)> unchanged = [(_prefix + "networks", revision)];
        List<EtcdClient.Write> writes = [new(_prefix + "networks", JsonSerializer.SerializeToUtf8Bytes(after, NetworkJson.Default.SharedNetworks))];
        if (unused is not null)
        {
            string key = $"{_prefix}leases/{unused}";
            (byte[]? leases, long leasesRevision) = await etcd.GetAsync(key, cancellationToken).ConfigureAwait(false);
            string[] holders = [.. LeaseDocument.Read(leases, DateTimeOffset.UtcNow).Leases.Where(lease => lease.Released is null).Select(lease => lease.Holder).Distinct()];
            if (holders.Length > 0)
            {
                throw new NetworkException(NetworkFault.Conflict, $"Network {unused} is in use by {string.Join(", ", holders.Take(5))}: detach them first.");
            }

            unchanged.Add((key, leasesRevision));
            writes.Add(new EtcdClient.Write(key, null));
        }

        return await etcd.TryWriteAsync(unchanged, writes, cancellationToken).ConfigureAwait(false) ? after : null;
    });

    /// <summary>Takes addresses for an endpoint of this host. One that was attached elsewhere, and is not any more, keeps those it had there.</summary>
    /// <exception cref="NetworkException">Nobody answers; the endpoint is attached at a host that is alive; or an address is not to be had.</exception>
    public async Task<IReadOnlyList<IpAddress>> TakeAsync(string network, IReadOnlyList<AddressPool> pools, string key, IReadOnlyList<IpAddress> wanted)
    {
        string lost = "";
        _taking[(network, Holder(key))] = true;
        return await RepeatAsync<IReadOnlyList<IpAddress>>(async (etcd, cancellationToken) =>
        {
            (byte[]? networks, long networksRevision) = await etcd.GetAsync(_prefix + "networks", cancellationToken).ConfigureAwait(false);
            if (networks is null || !Read(networks, NetworkJson.Default.SharedNetworks).Networks.Any(shared => shared.Name == network))
            {
                throw new NetworkException(NetworkFault.NotFound, $"Network {network} has been removed by another host.");
            }

            (byte[]? value, long revision) = await etcd.GetAsync(LeasesOf(network), cancellationToken).ConfigureAwait(false);
            LeaseDocument leases = LeaseDocument.Read(value, DateTimeOffset.UtcNow);
            lost = "";
            foreach (AddressLease lease in leases.Leases.Where(lease => lease.Holder.StartsWith(key + "@", StringComparison.Ordinal) && lease.Holder != Holder(key)))
            {
                string other = lease.Holder[(key.Length + 1)..];
                if (lease.Released is null && (await etcd.GetAsync($"{_prefix}alive/{other}", cancellationToken).ConfigureAwait(false)).Value is not null)
                {
                    throw new NetworkException(NetworkFault.Conflict, $"{key} is attached to {network} at host {other}, which is alive: detach it there first.");
                }

                lost = lease.Released is null ? other : lost;
                leases.Rename(lease.Holder, Holder(key));
            }

            IReadOnlyList<IpAddress> addresses = leases.Take(network, pools, Holder(key), wanted);
            return await etcd.TryWriteAsync([(_prefix + "networks", networksRevision), (LeasesOf(network), revision)],
                [new(LeasesOf(network), leases.ToBytes()), .. lost.Length == 0 ? [] : (EtcdClient.Write[])[new($"{_prefix}endpoints/{network}/{lost}/{key}", null)]],
                cancellationToken).ConfigureAwait(false) ? addresses : null;
        }).ConfigureAwait(false);
    }

    /// <summary>What addresses were taken for is attached now, or never will be.</summary>
    public void EndTaking(string network, string key) => _taking.TryRemove((network, Holder(key)), out _);

    /// <summary>Brings what the registry says of this host in line with what it has.</summary>
    /// <param name="views">The networks, and who is attached here.</param>
    /// <param name="patience">For how long to try.</param>
    /// <returns>Endpoints that are another host's now, and must go here.</returns>
    /// <exception cref="NetworkException">Nobody answers.</exception>
    public async Task<IReadOnlyList<(string Network, EndpointRecord Endpoint)>> SettleAsync(IReadOnlyList<NetworkView> views, TimeSpan patience)
    {
        var lost = new List<(string, EndpointRecord)>();
        NetworkView[] shared = [.. views.Where(view => view.Network.Vni is not null)];
        foreach (NetworkView view in shared)
        {
            lost.AddRange((await RepeatAsync((etcd, cancellationToken) => SettleLeasesAsync(etcd, view, cancellationToken), patience).ConfigureAwait(false)).Select(endpoint => (view.Network.Name, endpoint)));
        }

        Dictionary<string, byte[]> wanted = shared.SelectMany(view => view.Endpoints.Where(endpoint => !lost.Contains((view.Network.Name, endpoint))).Select(endpoint => (view, endpoint)))
            .ToDictionary(each => $"{_prefix}endpoints/{each.view.Network.Name}/{_host}/{each.endpoint.Key}", each => JsonSerializer.SerializeToUtf8Bytes(Announced(each.endpoint), NetworkJson.Default.RemoteRecord));
        await _etcd.CallAsync(async (etcd, cancellationToken) =>
        {
            (Dictionary<string, byte[]> there, _) = await etcd.RangeAsync(_prefix + "endpoints/", cancellationToken).ConfigureAwait(false);
            EtcdClient.Write[] writes =
            [
                .. there.Keys.Where(key => key[_prefix.Length..].Split('/') is [_, _, var host, ..] && host == _host && !wanted.ContainsKey(key)).Select(key => new EtcdClient.Write(key, null)),
                .. wanted.Where(pair => !there.TryGetValue(pair.Key, out byte[]? value) || !value.AsSpan().SequenceEqual(pair.Value)).Select(pair => new EtcdClient.Write(pair.Key, pair.Value)),
            ];
            foreach (EtcdClient.Write[] some in writes.Chunk(MaxWrites))
            {
                await etcd.TryWriteAsync([], some, cancellationToken).ConfigureAwait(false);
            }

            return true;
        }, patience, _ending.Token).ConfigureAwait(false);
        return lost;
    }

    /// <summary>What is attached keeps its addresses, what is not gives them back; and what has become another's is said.</summary>
    private async Task<IReadOnlyList<EndpointRecord>?> SettleLeasesAsync(EtcdClient etcd, NetworkView view, CancellationToken cancellationToken)
    {
        string network = view.Network.Name;
        (byte[]? value, long revision) = await etcd.GetAsync(LeasesOf(network), cancellationToken).ConfigureAwait(false);
        LeaseDocument leases = LeaseDocument.Read(value, DateTimeOffset.UtcNow);
        HashSet<string> own = [.. view.Endpoints.Select(endpoint => Holder(endpoint.Key))];
        leases.Release(holder => holder.EndsWith("@" + _host, StringComparison.Ordinal) && !own.Contains(holder) && !_taking.ContainsKey((network, holder)));
        var lost = new List<EndpointRecord>();
        foreach (EndpointRecord endpoint in view.Endpoints)
        {
            IpAddress[] addresses = [.. endpoint.Addresses.Select(text => IpAddress.Parse(text))];
            AddressLease[] held = [.. leases.Leases.Where(lease => lease.Released is null && addresses.Contains(lease.Address))];
            if (held.Any(lease => lease.Holder != Holder(endpoint.Key)))
            {
                lost.Add(endpoint);
            }
            else if (held.Length < addresses.Length)
            {
                // The registry has lost it, restored from a backup for instance; the container has it all the same.
                leases.Take(network, NetworkRequests.PoolsOf(view.Network), Holder(endpoint.Key), addresses);
            }
        }

        return !leases.IsChanged || await etcd.TryWriteAsync([(LeasesOf(network), revision)], [new(LeasesOf(network), leases.ToBytes())], cancellationToken).ConfigureAwait(false) ? lost : null;
    }

    private RemoteRecord Announced(EndpointRecord endpoint) => new(endpoint.Container, endpoint.Interface, _host)
    {
        Name = endpoint.Name,
        Aliases = endpoint.Aliases,
        Mac = endpoint.Mac!,
        Addresses = endpoint.Addresses,
    };

    private string Holder(string key) => $"{key}@{_host}";

    private string LeasesOf(string network) => $"{_prefix}leases/{network}";

    /// <summary>Reads, changes and writes again, until nobody else has written in between.</summary>
    private async Task<T> RepeatAsync<T>(Func<EtcdClient, CancellationToken, Task<T?>> change, TimeSpan? patience = null)
        where T : class
    {
        while (true)
        {
            try
            {
                if (await _etcd.CallAsync(change, patience ?? Patience, _ending.Token).ConfigureAwait(false) is { } changed)
                {
                    return changed;
                }
            }
            catch (FormatException damaged)
            {
                throw new NetworkException(NetworkFault.Failed, $"The registry below {_prefix} cannot be used: {damaged.Message}", damaged);
            }
        }
    }

    private static T Read<T>(byte[] value, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type)
    {
        try
        {
            return JsonSerializer.Deserialize(value, type) ?? throw new FormatException("a value is null");
        }
        catch (JsonException wrong)
        {
            throw new FormatException(wrong.Message, wrong);
        }
    }
}
