namespace Dataplane.Mesh.Registration;

/// <summary>An endpoint that is registered, and stays so: heartbeats three times in each lease, a new registration when the registry has forgotten it.</summary>
public sealed class MeshLease : IAsyncDisposable
{
    private readonly MeshClient _client;
    private readonly string _path;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _ending = new();
    private readonly SemaphoreSlim _changing = new(1, 1);
    private readonly Task _beating;
    private EndpointRegistration _endpoint;
    private volatile string _problem = "";
    private int _isDisposed;

    internal MeshLease(MeshClient client, string path, EndpointRegistration endpoint, TimeProvider time)
    {
        (_client, _path, _endpoint, _time) = (client, path, endpoint, time);
        _beating = Task.Run(BeatAsync);
    }

    /// <summary>Why the last heartbeat did not arrive; empty when it did.</summary>
    public string Problem => _problem;

    /// <summary>Changes what is registered: whether it is ready, say.</summary>
    /// <exception cref="MeshRegistrationException">The registry refuses it.</exception>
    /// <exception cref="HttpRequestException">The registry does not answer; it is told by the next heartbeat that arrives.</exception>
    public async Task ChangeAsync(EndpointRegistration endpoint, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        await _changing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            _endpoint = endpoint;
            await _client.PutAsync(_path, endpoint, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _changing.Release();
        }
    }

    /// <summary>Takes the endpoint out.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) != 0)
        {
            return;
        }

        await _ending.CancelAsync().ConfigureAwait(false);
        await _beating.ConfigureAwait(false);

        // When the registry is away, the lease runs out by itself.
        _problem = await _client.TryRemoveAsync(_path).ConfigureAwait(false);
        _ending.Dispose();
        _changing.Dispose();
    }

    private async Task BeatAsync()
    {
        bool isLost = false;
        while (!_ending.IsCancellationRequested)
        {
            try
            {
                await Task.Delay(isLost ? TimeSpan.FromSeconds(1) : TimeSpan.FromSeconds(_endpoint.LeaseSeconds / 3.0), _time, _ending.Token).ConfigureAwait(false);
                await _changing.WaitAsync(_ending.Token).ConfigureAwait(false);
                try
                {
                    if (isLost || !await _client.HeartbeatAsync(_path, _ending.Token).ConfigureAwait(false))
                    {
                        await _client.PutAsync(_path, _endpoint, _ending.Token).ConfigureAwait(false);
                    }
                }
                finally
                {
                    _changing.Release();
                }

                (isLost, _problem) = (false, "");
            }
#pragma warning disable CA1031 // Whatever answers in the registry's place, a proxy's page for instance: the lease goes on trying.
            catch (Exception exception)
#pragma warning restore CA1031
            {
                (isLost, _problem) = (true, exception.Message);
            }
        }
    }
}
