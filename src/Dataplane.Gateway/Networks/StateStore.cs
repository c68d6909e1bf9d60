using System.Text.Json;
using Dataplane.Networks;

namespace Dataplane.Gateway.Networks;

/// <summary>Networks and endpoints on the disk: one file, whole or not at all. One service has a directory at a time.</summary>
internal sealed class StateStore : IDisposable
{
    private readonly string _path;
    private readonly IDisposable _lock;

    /// <exception cref="IOException">Another service runs on the directory, or it cannot be made.</exception>
    public StateStore(string directory)
    {
        Directory.CreateDirectory(directory);
        _path = Path.Combine(directory, "state.json");
        try
        {
            _lock = DurableFile.Lock(Path.Combine(directory, "service.lock"), TimeSpan.FromSeconds(1));
        }
        catch (IOException busy)
        {
            throw new IOException($"Another network service keeps its state in {directory}: end it, or choose another directory by --state.", busy);
        }
    }

    /// <exception cref="IOException">The file is not one of ours.</exception>
    public NetworkState Load()
    {
        if (!File.Exists(_path))
        {
            return new NetworkState { Site = Guid.NewGuid().ToString("N") };
        }

        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(_path), NetworkJson.Default.NetworkState) is { Version: 1 } state
                ? state : throw new JsonException("it is of another version");
        }
        catch (JsonException wrong)
        {
            throw new IOException($"{_path} cannot be used: {wrong.Message}. Restore it, or move it away to begin without networks.", wrong);
        }
    }

    public void Save(NetworkState state) => DurableFile.Replace(_path, JsonSerializer.SerializeToUtf8Bytes(state, NetworkJson.Default.NetworkState));

    public void Dispose() => _lock.Dispose();
}
