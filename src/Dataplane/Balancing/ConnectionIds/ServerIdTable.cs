using System.Numerics;

namespace Dataplane.Balancing.ConnectionIds;

/// <summary>Server IDs to backends: open addressing, at most half full. Immutable.</summary>
internal sealed class ServerIdTable
{
    private readonly (ServerKey Key, BackendRuntime? Backend)[] _places;

    /// <summary>Makes a table; of one ID the last backend counts.</summary>
    public ServerIdTable(IReadOnlyCollection<(ServerKey Key, BackendRuntime Backend)> servers)
    {
        _places = new (ServerKey, BackendRuntime?)[BitOperations.RoundUpToPowerOf2((uint)(2 * servers.Count) + 2)];
        foreach ((ServerKey key, BackendRuntime backend) in servers)
        {
            _places[PlaceOf(in key)] = (key, backend);
        }
    }

    /// <summary>The backend of an ID, or null.</summary>
    public BackendRuntime? Find(in ServerKey key) => _places[PlaceOf(in key)].Backend;

    /// <summary>Where an ID is, or would be.</summary>
    private int PlaceOf(in ServerKey key)
    {
        int mask = _places.Length - 1;
        int place = (int)(((key.Low ^ BitOperations.RotateLeft(key.High, 29)) * 0x9E3779B97F4A7C15) >> 33) & mask;
        while (_places[place].Backend is not null && _places[place].Key != key)
        {
            place = (place + 1) & mask;
        }

        return place;
    }
}
