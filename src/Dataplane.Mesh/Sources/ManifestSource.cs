using System.Security.Cryptography;
using Dataplane.Mesh.Services;

namespace Dataplane.Mesh.Sources;

/// <summary>Kubernetes manifests in files, looked at twice a second: by contents, so that editors, renames and swapped links are all the same.</summary>
/// <remarks>A file that is no YAML leaves what was read of it last, one that cannot be read leaves everything as it is; a file that is gone takes its services with it.</remarks>
internal sealed class ManifestSource : IMeshSource
{
    /// <summary>Of all files together. Whatever is larger has been named by mistake, and must not take the memory of the gateway.</summary>
    private const long MaxBytes = 256L << 20;

    private static readonly TimeSpan s_lookEvery = TimeSpan.FromMilliseconds(500);

    private readonly IReadOnlyList<string> _patterns;
    private readonly TimeProvider _time;
    private readonly Lock _looking = new();
    private Action _changed = () => { };
    private ITimer? _timer;
    private string _stamp = "";
    private byte[] _content = [];

    /// <summary>What each file said when it could be read last.</summary>
    private Dictionary<string, (IReadOnlyList<MeshServiceSpec> Services, IReadOnlyList<MeshEndpointSpec> Endpoints)> _good = new(StringComparer.Ordinal);

    /// <summary>What is wrong in the files themselves; that one could not be read passes by itself.</summary>
    private string _problem = "nothing has been read yet";
    private volatile SourceSnapshot _snapshot = SourceSnapshot.Empty;
    private volatile SourceStatus _status;
    private bool _isDisposed;

    /// <summary>Makes the source; reads nothing yet.</summary>
    /// <param name="patterns">Paths; the last part may have <c>*</c> and <c>?</c>.</param>
    /// <param name="time">Clock of the watch.</param>
    public ManifestSource(IReadOnlyList<string> patterns, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(patterns);
        ArgumentNullException.ThrowIfNull(time);
        _patterns = patterns;
        _time = time;
        Name = $"kubernetes {string.Join(" ", patterns.Select(Path.GetFileName))}";
        _status = new SourceStatus(Name, 0, 0, 0, null, "nothing has been read yet");
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public SourceSnapshot Snapshot => _snapshot;

    /// <inheritdoc/>
    public SourceStatus Status => _status;

    /// <inheritdoc/>
    public Task StartAsync(Action changed, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(changed);
        Look();
        _changed = changed;
        _timer = _time.CreateTimer(static state => ((ManifestSource)state!).Look(), this, s_lookEvery, s_lookEvery);
        return Task.CompletedTask;
    }

    /// <summary>Reads the files now if they have changed.</summary>
    public void Look()
    {
        bool isChanged = false;
        lock (_looking)
        {
            if (!_isDisposed)
            {
                isChanged = Read();
            }
        }

        if (isChanged)
        {
            _changed();
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        lock (_looking)
        {
            _isDisposed = true;
        }

        _timer?.Dispose();
        return ValueTask.CompletedTask;
    }

    private bool Read()
    {
        try
        {
            FileInfo[] files = [.. _patterns.SelectMany(Files).Distinct(StringComparer.Ordinal).Select(file => new FileInfo(file))];
            string stamp = string.Join('\n', files.Select(file => $"{file.FullName} {file.LastWriteTimeUtc.Ticks} {file.Length}"));
            if (stamp == _stamp)
            {
                return Same();
            }

            if (files.Sum(file => file.Length) > MaxBytes)
            {
                throw new IOException($"{string.Join(", ", _patterns)}: {files.Sum(file => file.Length) >> 20} MB are more than the {MaxBytes >> 20} MB that manifests may have");
            }

            (string File, string Text)[] texts = [.. files.Select(file => (file.FullName, File.ReadAllText(file.FullName)))];
            byte[] content = SHA256.HashData([.. texts.SelectMany(text => System.Text.Encoding.UTF8.GetBytes($"{text.File}\0{text.Text}\0"))]);
            _stamp = stamp;
            if (content.AsSpan().SequenceEqual(_content))
            {
                return Same();
            }

            _content = content;
            Take(texts);
            return true;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            _status = _status with { Problem = exception.Message };
            return false;
        }
    }

    /// <summary>The files can be read and say what they said: a file that was away for a moment is no problem any more.</summary>
    private bool Same()
    {
        if (_status.Problem != _problem)
        {
            _status = _status with { Problem = _problem };
        }

        return false;
    }

    private void Take((string File, string Text)[] texts)
    {
        var read = new Dictionary<string, (IReadOnlyList<MeshServiceSpec> Services, IReadOnlyList<MeshEndpointSpec> Endpoints)>(StringComparer.Ordinal);
        var problems = new List<string>();
        foreach ((string file, string text) in texts)
        {
            (IReadOnlyList<MeshServiceSpec> services, IReadOnlyList<MeshEndpointSpec> endpoints, IReadOnlyList<string> wrong) = ManifestReader.Read(text, file);
            problems.AddRange(wrong);

            // Nothing but problems: somebody is in the middle of writing it, or has made a mistake. That ends no service.
            bool isBroken = wrong.Count > 0 && services.Count + endpoints.Count == 0;
            read[file] = isBroken && _good.TryGetValue(file, out (IReadOnlyList<MeshServiceSpec>, IReadOnlyList<MeshEndpointSpec>) last) ? last : (services, endpoints);
        }

        _good = read;
        _problem = string.Join("; ", problems);
        _snapshot = new SourceSnapshot
        {
            Revision = _snapshot.Revision + 1,
            Services = [.. read.Values.SelectMany(file => file.Services)],
            Endpoints = [.. read.Values.SelectMany(file => file.Endpoints)],
        };
        _status = new SourceStatus(Name, _snapshot.Revision, _snapshot.Services.Count, _snapshot.Endpoints.Count, _time.GetUtcNow(), _problem);
    }

    private static IEnumerable<string> Files(string pattern)
    {
        string name = Path.GetFileName(pattern), folder = Path.GetDirectoryName(pattern) ?? "/";
        bool isPattern = name.Contains('*', StringComparison.Ordinal) || name.Contains('?', StringComparison.Ordinal);
        if (Directory.Exists(pattern))
        {
            return Directory.EnumerateFiles(pattern, "*.yaml").Concat(Directory.EnumerateFiles(pattern, "*.yml")).Concat(Directory.EnumerateFiles(pattern, "*.json")).Order(StringComparer.Ordinal);
        }

        return isPattern ? Directory.EnumerateFiles(folder, name).Order(StringComparer.Ordinal)
            : File.Exists(pattern) ? [pattern] : throw new FileNotFoundException($"{pattern} does not exist");
    }
}
