namespace Dataplane.Tests.Support;

/// <summary>Counts what is allocated on this thread in many short windows, between which a test may allocate as it likes.</summary>
/// <remarks>
/// A collection takes what is left of a thread's allocation buffer, up to 8 KB, and the runtime counts that as allocated by the thread: a window with a collection in
/// it says nothing, whoever brought the collection about. Such windows are left out. What allocates by itself does so in other windows as well.
/// </remarks>
internal sealed class AllocationMeter
{
    private readonly List<string> _found = [];
    private long _before;
    private int _windows, _collections, _disturbed;

    /// <summary>Opens a window.</summary>
    internal void Open()
    {
        _collections = GC.CollectionCount(0);
        _before = GC.GetAllocatedBytesForCurrentThread();
    }

    /// <summary>Closes the window; one that does not count (while code is being compiled) is forgotten.</summary>
    internal void Close(bool counts = true)
    {
        long bytes = GC.GetAllocatedBytesForCurrentThread() - _before;
        if (!counts)
        {
            return;
        }

        _windows++;
        if (GC.CollectionCount(0) != _collections)
        {
            _disturbed++;
        }
        else if (bytes != 0)
        {
            _found.Add($"{bytes} in window {_windows}");
        }
    }

    /// <summary>Fails when anything was allocated in a window, or when more than one window of ten says nothing.</summary>
    internal void AssertNone()
    {
        Assert.True(_found.Count == 0, $"of {_windows} windows {_found.Count} allocated bytes: {string.Join(", ", _found.Take(10))}");
        Assert.True(_windows > 0 && _disturbed <= _windows / 10, $"{_disturbed} of {_windows} windows had a collection in them");
    }
}
