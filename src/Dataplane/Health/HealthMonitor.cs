using Dataplane.Balancing;

namespace Dataplane.Health;

/// <summary>Watches the health of all backends whose services ask for it: one loop for each on the thread pool, and a bound on checks at a time.</summary>
/// <remarks>Members are called by one thread at a time; reports come on any thread of the pool.</remarks>
internal sealed class HealthMonitor : IAsyncDisposable
{
    /// <summary>Checks that are made at a time; others wait for their turn.</summary>
    private const int MostAtATime = 256;

    private readonly Dictionary<BackendSlots.Identity, Watch> _watches = [];
    private readonly SemaphoreSlim _turns = new(MostAtATime, MostAtATime);
    private readonly TimeProvider _time;
    private readonly Action<BackendSlots.Identity, bool, string> _report;

    /// <summary>Begins with nothing to watch.</summary>
    /// <param name="time">The clock.</param>
    /// <param name="report">Told of every change: which backend, whether it is up, and why.</param>
    public HealthMonitor(TimeProvider time, Action<BackendSlots.Identity, bool, string> report) => (_time, _report) = (time, report);

    /// <summary>Watches these from now on; those that were watched in the same way before go on undisturbed.</summary>
    /// <param name="targets">Backends and how they are watched.</param>
    /// <param name="slotOf">What is known of a backend: its counters, and whether it is down.</param>
    public void Follow(IReadOnlyList<HealthTarget> targets, Func<BackendSlots.Identity, BackendSlot?> slotOf)
    {
        Dictionary<BackendSlots.Identity, HealthTarget> wanted = targets.ToDictionary(target => target.Identity);
        foreach ((BackendSlots.Identity identity, Watch watch) in _watches.ToArray())
        {
            BackendSlot? slot = slotOf(identity);
            if (wanted.TryGetValue(identity, out HealthTarget? target) && target == watch.Target && ReferenceEquals(slot?.Counter, watch.Slot.Counter))
            {
                continue;
            }

            watch.Dispose();
            _watches.Remove(identity);
            if (target is null && slot is { IsDown: true })
            {
                _report(identity, true, "health is not watched any more");
            }
        }

        foreach (HealthTarget target in targets.Where(target => !_watches.ContainsKey(target.Identity)))
        {
            if (slotOf(target.Identity) is { } slot)
            {
                _watches[target.Identity] = new Watch(this, target, slot);
            }
        }
    }

    /// <summary>Ends all watching.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (Watch watch in _watches.Values)
        {
            watch.Dispose();
        }

        await Task.WhenAll(_watches.Values.Select(watch => watch.Running)).ConfigureAwait(false);
        _watches.Clear();
        _turns.Dispose();
    }

    private sealed class Watch : IDisposable
    {
        private readonly CancellationTokenSource _end = new();
        private readonly HealthMonitor _monitor;
        private readonly HealthJudge _judge;
        private BackendCounts _seen;

        public Watch(HealthMonitor monitor, HealthTarget target, BackendSlot slot)
        {
            (_monitor, Target, Slot) = (monitor, target, slot);
            _judge = new HealthJudge(target.Spec, !slot.IsDown);
            _seen = slot.Counter.Total;
            Counter = slot.Counter;
            Running = Task.Run(RunAsync);
        }

        public HealthTarget Target { get; }

        public BackendSlot Slot { get; }

        public Task Running { get; }

        private BackendCounter Counter { get; }

        /// <summary>Ends the watching soon; <see cref="Running"/> completes then.</summary>
        public void Dispose()
        {
            _end.Cancel();
            Running.ContinueWith(_ => _end.Dispose(), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }

        private async Task RunAsync()
        {
            try
            {
                // Backends that came together shall not be asked together for ever.
                double part = (uint)Target.Identity.GetHashCode() / (double)uint.MaxValue;
                await Task.Delay(Target.Spec.Interval * (part / 2), _monitor._time, _end.Token).ConfigureAwait(false);
                while (true)
                {
                    long began = _monitor._time.GetTimestamp();
                    await CheckAsync().ConfigureAwait(false);
                    TimeSpan left = Target.Spec.Interval - _monitor._time.GetElapsedTime(began);
                    await Task.Delay(left > TimeSpan.FromMilliseconds(1) ? left : TimeSpan.FromMilliseconds(1), _monitor._time, _end.Token).ConfigureAwait(false);
                }
            }
            catch (OperationCanceledException) when (_end.IsCancellationRequested)
            {
            }
        }

        private async Task CheckAsync()
        {
            if (Target.Spec.Check != HealthCheckKind.None)
            {
                await _monitor._turns.WaitAsync(_end.Token).ConfigureAwait(false);
                try
                {
                    int port = Target.Spec.Port != 0 ? Target.Spec.Port : Target.Identity.Port;
                    HealthVerdict verdict = await HealthProbe.AskAsync(Target.Spec, Target.Identity.Address, port, _monitor._time, _end.Token).ConfigureAwait(false);
                    Report(_judge.Take(verdict, NowNs));
                }
                finally
                {
                    _monitor._turns.Release();
                }
            }

            BackendCounts now = Counter.Total, before = _seen;
            _seen = now;
            Report(_judge.Take(now.Established - before.Established, now.Refused - before.Refused, now.Unanswered - before.Unanswered, NowNs));
        }

        private long NowNs => (long)_monitor._time.GetElapsedTime(0).TotalNanoseconds;

        private void Report(bool isNews)
        {
            if (isNews && !_end.IsCancellationRequested)
            {
                _monitor._report(Target.Identity, _judge.IsUp, _judge.Reason);
            }
        }
    }
}
