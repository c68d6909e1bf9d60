using System.Security.Cryptography;
using Dataplane.Mesh.Services;

namespace Dataplane.Mesh.Sources;

/// <summary>Kubernetes manifests in files, looked at twice a second: by contents, so that editors, renames and swapped links are all the same.</summary>
/// <remarks>A file that cannot be read, or is no YAML, leaves what was read of all files last; a file that is gone takes its services with it.</remarks>
public sealed class ManifestSource : IMeshSource
{
    private static readonly TimeSpan s_lookEvery = TimeSpan.FromMilliseconds(500);

    private readonly IReadOnlyList<string> _patterns;
    private readonly TimeProvider _time;
    private readonly Lock _looking = new();
    private Action _changed = () => { };
    private ITimer? _timer;
    private string _stamp = "";
    private byte[] _content = [];
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
            string[] files = [.. _patterns.SelectMany(Files).Distinct(StringComparer.Ordinal)];
            string stamp = string.Join('\n', files.Select(file => new FileInfo(file)).Select(file => $"{file.FullName} {file.LastWriteTimeUtc.Ticks} {file.Length}"));
            if (stamp == _stamp)
            {
                return false;
            }

            (string File, string Text)[] texts = [.. files.Select(file => (file, File.ReadAllText(file)))];
            byte[] content = SHA256.HashData([.. texts.SelectMany(text => System.Text.Encoding.UTF8.GetBytes($"{text.File}\0{text.Text}\0"))]);
            _stamp = stamp;
            if (content.AsSpan().SequenceEqual(_content))
            {
                return false;
            }

            _content = content;
            return Take(texts);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            _status = _status with { Problem = exception.Message };
            return false;
        }
    }

    private bool Take((string File, string Text)[] texts)
    {
        var services = new List<MeshServiceSpec>();
        var endpoints = new List<MeshEndpointSpec>();
        var problems = new List<string>();
        foreach ((string file, string text) in texts)
        {
            (IReadOnlyList<MeshServiceSpec> some, IReadOnlyList<MeshEndpointSpec> more, IReadOnlyList<string> wrong) = ManifestReader.Read(text, file);
            services.AddRange(some);
            endpoints.AddRange(more);
            problems.AddRange(wrong);
        }

        string problem = string.Join("; ", problems);
        if (problems.Count > 0 && services.Count + endpoints.Count == 0)
        {
            _status = _status with { Problem = problem };
            return false;
        }

        _snapshot = new SourceSnapshot { Revision = _snapshot.Revision + 1, Services = services, Endpoints = endpoints };
        _status = new SourceStatus(Name, _snapshot.Revision, services.Count, endpoints.Count, _time.GetUtcNow(), problem);
        return true;
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
