using System.Runtime.InteropServices;

namespace Dataplane.Routing.Lpm;

/// <summary>Tells a writer when no reader can still hold what it has taken out of a table: when each reader has finished a batch since.</summary>
/// <remarks>
/// Quiescent-state based reclamation (McKenney's RCU without its read side): readers pay one load and one store for each batch, nothing for
/// each lookup, and never wait. <see cref="Register"/> and what writers call may be used from any thread.
/// </remarks>
internal sealed class GracePeriods
{
    private readonly Lock _registering = new();
    private volatile Reader[] _readers = [];
    private long _period;

    /// <summary>Makes a reader; it counts from now on until it is disposed, so a thread that stops reading must say so.</summary>
    public Reader Register()
    {
        var reader = new Reader(this);
        lock (_registering)
        {
            _readers = [.. _readers, reader];
        }

        return reader;
    }

    /// <summary>Begins a period, after the writer has published what takes the place of the old.</summary>
    /// <returns>A ticket for <see cref="HasPassed"/>.</returns>
    public long Start() => Interlocked.Increment(ref _period);

    /// <summary>Whether every reader has been between two batches since the period began.</summary>
    public bool HasPassed(long ticket)
    {
        foreach (Reader reader in _readers)
        {
            if (!reader.HasSeen(ticket))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>One thread that reads tables. Its methods are for that thread alone.</summary>
    public sealed class Reader : IDisposable
    {
        private readonly GracePeriods _owner;
        private Padded _seen;

        internal Reader(GracePeriods owner)
        {
            _owner = owner;
            Resume();
        }

        /// <summary>Between two batches: nothing looked up before is still in use by this thread.</summary>
        public void Pass() => Volatile.Write(ref _seen.Period, Volatile.Read(ref _owner._period));

        /// <summary>Before the thread sleeps: writers need not wait for it.</summary>
        public void Suspend() => Volatile.Write(ref _seen.Period, long.MaxValue);

        /// <summary>After the thread has slept, before its first lookup.</summary>
        public void Resume()
        {
            // A full fence: the writer must see that this thread reads again before the thread sees any table.
            Interlocked.Exchange(ref _seen.Period, Volatile.Read(ref _owner._period));
        }

        /// <summary>The thread reads no more.</summary>
        public void Dispose()
        {
            Suspend();
            lock (_owner._registering)
            {
                _owner._readers = [.. _owner._readers.Where(reader => reader != this)];
            }
        }

        internal bool HasSeen(long ticket) => Volatile.Read(ref _seen.Period) >= ticket;

        /// <summary>Alone on its cache lines (two, for the prefetcher that fetches pairs): readers write it all the time.</summary>
        [StructLayout(LayoutKind.Explicit, Size = 256)]
        private struct Padded
        {
            [FieldOffset(128)]
            public long Period;
        }
    }
}
