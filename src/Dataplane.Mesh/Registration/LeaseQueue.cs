namespace Dataplane.Mesh.Registration;

/// <summary>When leases run out, the earliest first: to look whether one has costs nothing while none has. Under the registry's lock.</summary>
/// <remarks>A lease that is renewed keeps its place, and is put where it belongs when that comes up: renewing, which happens most, costs nothing here.</remarks>
internal sealed class LeaseQueue
{
    /// <summary>Places of endpoints that are gone may be as many as the others, and this many more.</summary>
    private const int MinSpare = 1000;

    private readonly PriorityQueue<(string Namespace, string Service, string Id), long> _places = new();

    /// <summary>How many places there are, for tests.</summary>
    public int Count => _places.Count;

    /// <summary>Notes when a lease runs out; one that was noted with a later time may be noted again.</summary>
    public void Add((string Namespace, string Service, string Id) key, long due) => _places.Enqueue(key, due);

    /// <summary>Takes the next lease whose place has come up.</summary>
    /// <param name="now">The time.</param>
    /// <param name="key">Whose it is.</param>
    public bool TryTake(long now, out (string Namespace, string Service, string Id) key)
    {
        bool isDue = _places.TryPeek(out key, out long due) && due < now;
        if (isDue)
        {
            _places.Dequeue();
        }

        return isDue;
    }

    /// <summary>Drops the places of endpoints that are gone, when they have become most.</summary>
    /// <param name="there">The endpoints there are.</param>
    /// <param name="placeOf">Where the place of one is.</param>
    public void Trim<T>(IReadOnlyDictionary<(string Namespace, string Service, string Id), T> there, Func<T, long> placeOf)
    {
        if (_places.Count > (2 * there.Count) + MinSpare)
        {
            _places.Clear();
            _places.EnqueueRange(there.Select(pair => (pair.Key, placeOf(pair.Value))));
        }
    }
}
