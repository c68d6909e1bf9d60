using System.Collections.Concurrent;
using Dataplane.Balancing;
using Dataplane.Health;

namespace Dataplane;

/// <summary>The watch over the health of backends, while workers have threads of their own.</summary>
public sealed partial class DataplaneEngine
{
    private readonly ConcurrentQueue<(BackendSlots.Identity Identity, bool IsUp, string Reason)> _healthNews = new();
    private HealthMonitor? _health;
    private int _healthPending;

    /// <summary>Watches the backends of the specification in force. Under the update lock.</summary>
    private void FollowHealth()
    {
        HealthTarget[] targets = [.. Spec.Services.Where(service => service.Health is not null)
            .SelectMany(service => service.Backends.Select(backend => new HealthTarget(ServiceCompiler.IdentityOf(service, backend), service.Health!)))];
        if (_health is null && (targets.Length == 0 || !_workers!.HasThreads))
        {
            return;
        }

        _health ??= new HealthMonitor(_options.TimeProvider, ReportHealth);
        _health.Follow(targets, _slots.Find);
    }

    /// <summary>Takes note of news, and has all that came until then applied together: a rack that fails is one change of the tables, not forty.</summary>
    private void ReportHealth(BackendSlots.Identity identity, bool isUp, string reason)
    {
        _healthNews.Enqueue((identity, isUp, reason));
        if (Interlocked.Exchange(ref _healthPending, 1) == 0)
        {
            _ = RefreshAsync();
        }
    }

    /// <summary>Applies the news. Under the update lock.</summary>
    /// <returns>Whether any of it changes something.</returns>
    private bool ApplyHealthNews()
    {
        Interlocked.Exchange(ref _healthPending, 0);
        bool isNews = false;
        while (_healthNews.TryDequeue(out (BackendSlots.Identity Identity, bool IsUp, string Reason) news))
        {
            isNews |= _slots.Find(news.Identity) is { } slot && SetHealth(slot, news.IsUp, news.Reason);
        }

        return isNews;
    }
}
