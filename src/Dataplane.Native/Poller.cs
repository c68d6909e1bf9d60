// syscalls: ppoll
using System.Runtime.InteropServices;
using Dataplane.Native.Abi;

namespace Dataplane.Native;

/// <summary>Waits until one of a fixed set of descriptors is readable or in error, a signal comes or time is up.</summary>
/// <remarks>
/// One thread uses it; it never allocates.
/// poll(2) reports an error for as long as it lasts, and a deleted interface lasts. So that such a descriptor does not end every wait at
/// once, one that is in error and not readable is reported once and then left out for <see cref="MuteNs"/>.
/// </remarks>
public sealed unsafe class Poller : IDisposable
{
    /// <summary>How long a descriptor in error is left out, in nanoseconds.</summary>
    internal const long MuteNs = 100_000_000;

    private const long NsPerSecond = 1_000_000_000;

    private readonly pollfd[] _entries;
    private readonly FileDescriptor[] _held;
    private readonly EventDescriptor _wake;
    private int _muted;
    private long _muteEndNs;
    private bool _disposed;

    /// <summary>Makes a poller over <paramref name="descriptors"/>, which it keeps open until it is disposed.</summary>
    /// <param name="descriptors">Watched for readability and errors; known by their index from here on.</param>
    /// <param name="wake">Ends a wait at once when signalled; drained by <see cref="Wait"/>.</param>
    public Poller(ReadOnlySpan<FileDescriptor> descriptors, EventDescriptor wake)
    {
        ArgumentNullException.ThrowIfNull(wake);
        _wake = wake;
        _held = [.. descriptors, wake.Descriptor];
        // Pinned, so that the hot call needs no fixed statement that could outlive a move.
        _entries = GC.AllocateArray<pollfd>(_held.Length, pinned: true);
        int taken = 0;
        try
        {
            for (; taken < _held.Length; taken++)
            {
                bool added = false;
                _held[taken].DangerousAddRef(ref added);
                _entries[taken] = new pollfd { fd = _held[taken].Number, events = Poll.POLLIN };
            }
        }
        catch
        {
            Release(taken);
            throw;
        }
    }

    /// <summary>Number of watched descriptors, the wake descriptor not counted.</summary>
    public int Count => _entries.Length - 1;

    /// <summary>Whether the last <see cref="Wait"/> took a signal.</summary>
    public bool Woken { get; private set; }

    /// <summary>Waits.</summary>
    /// <param name="timeoutNs">Longest time to wait in nanoseconds; 0 only looks; negative waits without end.</param>
    /// <returns>How many descriptors are ready (the wake descriptor not counted); 0 when time was up, a signal came or the call was interrupted.</returns>
    /// <exception cref="LinuxException">The kernel refused, which is a fault of this program.</exception>
    public int Wait(long timeoutNs)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        Woken = false;
        if (_muted > 0)
            timeoutNs = UnmuteOrShorten(timeoutNs);
        timespec timeout = default;
        if (timeoutNs >= 0)
            timeout = new timespec { tv_sec = timeoutNs / NsPerSecond, tv_nsec = timeoutNs % NsPerSecond };
        pollfd* entries = (pollfd*)Marshal.UnsafeAddrOfPinnedArrayElement(_entries, 0);
        int ready = Libc.Ppoll(entries, (nuint)_entries.Length, timeoutNs >= 0 ? &timeout : null, null);
        if (ready < 0)
        {
            int errno = Marshal.GetLastPInvokeError();
            // A signal handler of the runtime ran: the caller's loop looks at its rings and waits again.
            if (errno != Errno.EINTR)
                throw new LinuxException(errno, "ppoll");
            foreach (ref pollfd entry in _entries.AsSpan())
                entry.revents = 0;
            return 0;
        }

        if (_entries[^1].revents != 0)
        {
            _wake.Drain();
            Woken = true;
            ready--;
        }

        if (ready > 0)
            MuteFaulty();
        return ready;
    }

    /// <summary>Whether the last <see cref="Wait"/> found a descriptor readable.</summary>
    public bool IsReadable(int index) => (_entries[index].revents & Poll.POLLIN) != 0;

    /// <summary>Whether the last <see cref="Wait"/> found a descriptor in error or hung up: its interface went down, or away.</summary>
    public bool HasError(int index) => (_entries[index].revents & (Poll.POLLERR | Poll.POLLHUP | Poll.POLLNVAL)) != 0;

    /// <summary>Lets go of the descriptors, which closes those that were disposed meanwhile.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        Release(_held.Length);
    }

    /// <summary>Leaves the descriptors out that have nothing but an error to say.</summary>
    private void MuteFaulty()
    {
        for (int i = 0; i < Count; i++)
        {
            if (!HasError(i) || IsReadable(i))
                continue;
            // poll(2): an entry with a negative descriptor is passed over, even for errors.
            _entries[i].fd = -1;
            _muted++;
            _muteEndNs = MonotonicClock.NowNs + MuteNs;
        }
    }

    /// <summary>Takes muted descriptors back in once their time is up, or sees to it that the wait ends then.</summary>
    private long UnmuteOrShorten(long timeoutNs)
    {
        long left = _muteEndNs - MonotonicClock.NowNs;
        if (left > 0)
            return timeoutNs < 0 ? left : Math.Min(left, timeoutNs);
        for (int i = 0; i < Count; i++)
            _entries[i].fd = _held[i].Number;
        _muted = 0;
        return timeoutNs;
    }

    private void Release(int count)
    {
        for (int i = 0; i < count; i++)
            _held[i].DangerousRelease();
    }
}
