using System.Text.Json;
using Dataplane.Mesh.Sources;

namespace Dataplane.Gateway.Networks.Shared;

/// <content>What others change, and that this host is alive.</content>
internal sealed partial class SharedRegistry
{
    private static readonly TimeSpan s_between = TimeSpan.FromMilliseconds(300);

    private readonly Dictionary<string, byte[]> _values = new(StringComparer.Ordinal);
    private readonly TaskCompletionSource _first = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private CancellationTokenSource? _following;
    private Task _running = Task.CompletedTask;
    private Func<bool, Task> _changed = _ => Task.CompletedTask;

    /// <summary>Begins to follow; returns when everything has been heard once, or that cannot be for now.</summary>
    /// <param name="changed">Called after each change, one call at a time; with true when the connection is new and changes of this host may not have been written.</param>
    public Task StartAsync(Func<bool, Task> changed)
    {
        _changed = changed;
        _running = Task.WhenAll(Task.Run(FollowAsync), Task.Run(StayAliveAsync));
        return _first.Task;
    }

    /// <summary>Ends; the host is told of no more, once its time has passed.</summary>
    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync().ConfigureAwait(false);
        await _running.ConfigureAwait(false);
        _etcd.Dispose();
        _ending.Dispose();
    }

    private async Task FollowAsync()
    {
        while (!_ending.IsCancellationRequested)
        {
            string member = _etcd.CurrentName;
            _problem = await FollowOnceAsync(_etcd.Current).ConfigureAwait(false) is { Length: > 0 } problem ? $"{member}: {problem}" : $"{member} has ended the watch";
            _first.TrySetResult();
            if (!_ending.IsCancellationRequested)
            {
                _etcd.Next();
                await Task.Delay(s_between, CancellationToken.None).ConfigureAwait(false);
            }
        }
    }

    /// <returns>Why it is over.</returns>
    private async Task<string> FollowOnceAsync(EtcdClient etcd)
    {
        using var following = CancellationTokenSource.CreateLinkedTokenSource(_ending.Token);
        _following = following;
        try
        {
            (Dictionary<string, byte[]> values, long revision) = await etcd.RangeAsync(_prefix, following.Token).ConfigureAwait(false);
            _values.Clear();
            foreach ((string key, byte[] value) in values)
            {
                _values[key] = value;
            }

            await PublishAsync(isNew: true).ConfigureAwait(false);
            await foreach (IReadOnlyList<EtcdClient.Change> changes in etcd.WatchAsync(_prefix, revision + 1, following.Token).ConfigureAwait(false))
            {
                foreach (EtcdClient.Change change in changes)
                {
                    if (change.Value is null)
                    {
                        _values.Remove(change.Key);
                    }
                    else
                    {
                        _values[change.Key] = change.Value;
                    }
                }

                if (changes.Any(change => !change.Key.StartsWith(_prefix + "leases/", StringComparison.Ordinal)))
                {
                    await PublishAsync(isNew: false).ConfigureAwait(false);
                }
            }

            return "";
        }
        catch (Exception refused) when (EtcdCaller.IsRefusal(refused) || refused is FormatException)
        {
            return refused.Message;
        }
        finally
        {
            _following = null;
        }
    }

    /// <summary>Ends a watch at a member that does not answer: a connection to a machine that is gone can stay open for long.</summary>
    private void StopFollowing()
    {
        try
        {
            _following?.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It has ended by itself.
        }
    }

    private async Task PublishAsync(bool isNew)
    {
        var networks = new SharedNetworks();
        var hosts = new Dictionary<string, HostRecord>(StringComparer.Ordinal);
        var alive = new HashSet<string>(StringComparer.Ordinal);
        var endpoints = new List<(string Network, RemoteRecord Endpoint)>();
        foreach ((string key, byte[] value) in _values.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            switch (key[_prefix.Length..].Split('/'))
            {
                case ["networks"]:
                    networks = Read(value, NetworkJson.Default.SharedNetworks);
                    break;
                case ["hosts", var host]:
                    hosts[host] = Read(value, NetworkJson.Default.HostRecord);
                    break;
                case ["alive", var host]:
                    alive.Add(host);
                    break;
                case ["endpoints", var network, _, _, _]:
                    endpoints.Add((network, Read(value, NetworkJson.Default.RemoteRecord)));
                    break;
            }
        }

        _snapshot = new SharedSnapshot(networks, hosts, alive,
            endpoints.ToLookup(each => each.Network, each => each.Endpoint with { Tunnel = hosts.GetValueOrDefault(each.Endpoint.Host)?.Tunnel ?? "" }));
        _problem = "";
        await _changed(isNew).ConfigureAwait(false);
        _first.TrySetResult();
    }

    /// <summary>Keeps the key that says that this host is there, and where its tunnels end.</summary>
    private async Task StayAliveAsync()
    {
        long lease = 0;
        byte[] value = JsonSerializer.SerializeToUtf8Bytes(_ends, NetworkJson.Default.HostRecord);
        while (!_ending.IsCancellationRequested)
        {
            try
            {
                EtcdClient etcd = _etcd.Current;
                if (lease == 0 || !await etcd.KeepAliveAsync(lease, _ending.Token).ConfigureAwait(false))
                {
                    lease = await etcd.GrantAsync(_secondsAlive, _ending.Token).ConfigureAwait(false);
                    await etcd.TryWriteAsync([], [new($"{_prefix}hosts/{_host}", value), new($"{_prefix}alive/{_host}", value, lease)], _ending.Token).ConfigureAwait(false);
                }

                await Task.Delay(TimeSpan.FromSeconds(_secondsAlive / 4.0), _ending.Token).ConfigureAwait(false);
            }
            catch (Exception refused) when (EtcdCaller.IsRefusal(refused))
            {
                // Whoever follows chooses another member; a lease that has ended meanwhile is made anew.
                StopFollowing();
                await Task.Delay(s_between, CancellationToken.None).ConfigureAwait(false);
            }
        }
    }
}
