using System.Text.Json;
using Dataplane.Mesh.Sources;

namespace Dataplane.Gateway.Networks.Shared;

/// <summary>Calls one member of an etcd cluster after the other until one answers, for as long as there is patience. Safe for several threads.</summary>
internal sealed class EtcdCaller(IReadOnlyList<string> members) : IDisposable
{
    private static readonly TimeSpan s_between = TimeSpan.FromMilliseconds(200);

    private readonly EtcdClient[] _clients = [.. members.Select(member => new EtcdClient(new Uri(member)))];
    private int _turn;

    /// <summary>The member that answered last, or is asked next.</summary>
    public EtcdClient Current => _clients[(uint)Volatile.Read(ref _turn) % (uint)_clients.Length];

    public string CurrentName => members[(int)((uint)Volatile.Read(ref _turn) % (uint)_clients.Length)];

    /// <summary>Makes another member the one that is asked.</summary>
    public void Next() => Interlocked.Increment(ref _turn);

    /// <summary>Whether an exception means that a member is not to be had, and another may be.</summary>
    public static bool IsRefusal(Exception exception) => exception is HttpRequestException or (IOException and not NetworkException and not Dataplane.Networks.LeaseException)
        or OperationCanceledException or JsonException or KeyNotFoundException or InvalidOperationException or InvalidDataException;

    /// <exception cref="NetworkException">Nobody has answered in time.</exception>
    public async Task<T> CallAsync<T>(Func<EtcdClient, CancellationToken, Task<T>> call, TimeSpan patience, CancellationToken cancellationToken)
    {
        long began = Environment.TickCount64;
        while (true)
        {
            try
            {
                return await call(Current, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception refused) when (IsRefusal(refused))
            {
                cancellationToken.ThrowIfCancellationRequested();
                string who = CurrentName;
                Next();
                if (Environment.TickCount64 - began > patience.TotalMilliseconds)
                {
                    throw new NetworkException(NetworkFault.Unreachable,
                        $"The registry does not answer ({who}: {refused.Message}). What runs goes on; changes wait until one of {string.Join(", ", members)} is back.", refused);
                }
            }

            await Task.Delay(s_between, cancellationToken).ConfigureAwait(false);
        }
    }

    public void Dispose() => Array.ForEach(_clients, client => client.Dispose());
}
