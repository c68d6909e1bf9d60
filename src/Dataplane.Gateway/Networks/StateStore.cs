using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Dataplane.Networks;

namespace Dataplane.Gateway.Networks;

/// <summary>Networks and endpoints on the disk. One service has a directory at a time; one caller at a time.</summary>
/// <remarks>
/// <c>state.json</c> holds the networks, and <c>endpoints/NETWORK/CONTAINER@INTERFACE.json</c> an endpoint each, so that one that comes or goes costs one file, however many
/// there are. Every file is there whole or not at all, and a change of one endpoint is one file: so a crash at any moment leaves the state before or after it.
/// </remarks>
internal sealed class StateStore : IDisposable
{
    private const string EndpointsFolder = "endpoints";

    private readonly string _directory;
    private readonly string _path;
    private readonly IDisposable _lock;
    private NetworkState? _saved;

    /// <exception cref="IOException">Another service runs on the directory, or it cannot be made.</exception>
    public StateStore(string directory)
    {
        try
        {
            _directory = Directory.CreateDirectory(directory).FullName;
            _path = Path.Combine(_directory, "state.json");
            _lock = DurableFile.Lock(Path.Combine(_directory, "service.lock"), TimeSpan.FromSeconds(1));
        }
        catch (UnauthorizedAccessException refused)
        {
            throw new IOException($"{directory} cannot be written to: run as root, or choose another directory by --state.", refused);
        }
        catch (IOException busy)
        {
            throw new IOException($"Another network service keeps its state in {directory}: end it, or choose another directory by --state.", busy);
        }
    }

    /// <summary>Bytes written so far, and files removed.</summary>
    public (long Bytes, int Removed) Work { get; private set; }

    /// <exception cref="IOException">A file is not one of ours.</exception>
    public NetworkState Load()
    {
        if (!File.Exists(_path))
        {
            return new NetworkState { Site = Guid.NewGuid().ToString("N") };
        }

        NetworkState state = Read(_path, NetworkJson.Default.NetworkState);
        if (state.Version != 1)
        {
            throw new IOException($"{_path} cannot be used: it is of version {state.Version}. Restore it, or move it away to begin without networks.");
        }

        // What stands beside its network in state.json, as versions before wrote it, counts unless it has a file of its own; the next change gives it one.
        return state with { Networks = [.. state.Networks.Select(view => view with { Endpoints = [.. ReadEndpoints(view)] })] };
    }

    /// <summary>Writes what has changed since the last time; everything the first time.</summary>
    /// <exception cref="IOException">The disk is full or failed. What was written is known by the next call.</exception>
    public void Save(NetworkState state)
    {
        NetworkState? before = _saved;

        // If it fails in the middle, everything is written the next time.
        _saved = null;
        foreach (NetworkView view in state.Networks)
        {
            NetworkView? known = before?.Networks.FirstOrDefault(other => other.Network.Name == view.Network.Name);
            if (!ReferenceEquals(view, known))
            {
                SaveEndpoints(view.Network.Name, view.Endpoints, known?.Endpoints);
            }
        }

        if (before is null || !before.Networks.Select(view => view.Network).SequenceEqual(state.Networks.Select(view => view.Network), ReferenceEqualityComparer.Instance))
        {
            Write(_path, state with { Networks = [.. state.Networks.Select(view => view with { Endpoints = [] })] }, NetworkJson.Default.NetworkState);
            RemoveFoldersBut([.. state.Networks.Select(view => view.Network.Name)]);
        }

        _saved = state;
    }

    public void Dispose() => _lock.Dispose();

    private static string FileOf(EndpointRecord endpoint) => $"{endpoint.Container}@{endpoint.Interface}.json";

    private string FolderOf(string network) => Path.Combine(_directory, EndpointsFolder, network);

    private IEnumerable<EndpointRecord> ReadEndpoints(NetworkView view)
    {
        string folder = FolderOf(view.Network.Name);
        string[] files = Directory.Exists(folder) ? Directory.GetFiles(folder, "*.json") : [];
        EndpointRecord[] own = [.. files.Order(StringComparer.Ordinal).Select(file => Read(file, NetworkJson.Default.EndpointRecord))];
        return own.Concat(view.Endpoints).DistinctBy(endpoint => endpoint.Key);
    }

    private void SaveEndpoints(string network, IReadOnlyList<EndpointRecord> endpoints, IReadOnlyList<EndpointRecord>? known)
    {
        string folder = FolderOf(network);
        Directory.CreateDirectory(folder);
        HashSet<object> same = new(known ?? [], ReferenceEqualityComparer.Instance);
        HashSet<string> keys = [.. endpoints.Select(endpoint => endpoint.Key)];
        foreach (EndpointRecord endpoint in endpoints.Where(endpoint => !same.Contains(endpoint)))
        {
            Write(Path.Combine(folder, FileOf(endpoint)), endpoint, NetworkJson.Default.EndpointRecord);
        }

        IEnumerable<string> gone = known is not null
            ? known.Where(endpoint => !keys.Contains(endpoint.Key)).Select(endpoint => Path.Combine(folder, FileOf(endpoint)))
            : Directory.GetFiles(folder).Except(endpoints.Select(endpoint => Path.Combine(folder, FileOf(endpoint))));
        foreach (string file in gone)
        {
            DurableFile.Remove(file);
            Work = (Work.Bytes, Work.Removed + 1);
        }
    }

    private void RemoveFoldersBut(HashSet<string> networks)
    {
        string all = Path.Combine(_directory, EndpointsFolder);
        foreach (string folder in Directory.Exists(all) ? Directory.GetDirectories(all).Where(folder => !networks.Contains(Path.GetFileName(folder))) : [])
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private void Write<T>(string path, T value, JsonTypeInfo<T> type)
    {
        byte[] content = JsonSerializer.SerializeToUtf8Bytes(value, type);
        DurableFile.Replace(path, content);
        Work = (Work.Bytes + content.Length, Work.Removed);
    }

    private static T Read<T>(string path, JsonTypeInfo<T> type)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(path), type) ?? throw new JsonException("it is null");
        }
        catch (JsonException wrong)
        {
            throw new IOException($"{path} cannot be used: {wrong.Message}. Restore it, or move it away to begin without what it holds.", wrong);
        }
    }
}
