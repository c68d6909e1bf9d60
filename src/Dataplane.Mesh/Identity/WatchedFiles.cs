using System.Security.Cryptography;
using Dataplane.Ports;

namespace Dataplane.Mesh.Identity;

/// <summary>Something made of several files, made anew when one of them changes; what was made last of good files stays in force.</summary>
/// <remarks>
/// A certificate and its key are two files and cannot be replaced at once: between the two writes they do not fit, so a set that fails is tried
/// again at every look. Links are followed, because Kubernetes replaces the link and not the file. Sizes and times are looked at once a
/// second, which costs less than a watch for each file and, unlike one, works on every file system.
/// </remarks>
internal sealed class WatchedFiles<T> : IDisposable
    where T : class
{
    private static readonly TimeSpan s_lookEvery = TimeSpan.FromSeconds(1);

    private readonly string[] _paths;
    private readonly Func<T> _make;
    private readonly Action<string> _happened;
    private readonly TimeProvider _time;
    private readonly Lock _looking = new();
    private readonly ITimer _timer;
    private (long Ticks, long Length)[] _stamps;
    private byte[] _digest;
    private T _current;
    private string _problem = "";
    private int _revision = 1;
    private long _failures;
    private DateTimeOffset _loadedAt;
    private bool _disposed;

    /// <summary>Reads the files for the first time.</summary>
    /// <param name="paths">The files.</param>
    /// <param name="make">Makes the thing of the files.</param>
    /// <param name="happened">Is told, in one line, of every new set and of every set that cannot be used.</param>
    /// <param name="time">The clock.</param>
    /// <exception cref="IOException">They cannot be used; the message says which and why.</exception>
    internal WatchedFiles(IEnumerable<string> paths, Func<T> make, Action<string> happened, TimeProvider time)
    {
        _paths = [.. paths.Distinct()];
        _make = make;
        _happened = happened;
        _time = time;
        _stamps = Stamps();
        _digest = Digest();
        _current = make();
        _loadedAt = time.GetUtcNow();
        _timer = time.CreateTimer(static state => ((WatchedFiles<T>)state!).Look(), this, s_lookEvery, s_lookEvery);
    }

    /// <summary>What is in force. Any thread.</summary>
    internal T Current => Volatile.Read(ref _current);

    /// <summary>How often a new set was taken, the first being 1.</summary>
    internal int Revision => Volatile.Read(ref _revision);

    internal IdentityStatus Status(string name, DateTimeOffset notAfter)
    {
        lock (_looking)
            return new IdentityStatus(name, notAfter, _revision, _loadedAt, _failures, _problem);
    }

    /// <summary>Looks at the files now, and takes them if they have changed and are good.</summary>
    internal void Look()
    {
        string? told;
        lock (_looking)
        {
            (long, long)[] stamps = Stamps();
            if (_disposed || (stamps.AsSpan().SequenceEqual(_stamps) && _problem.Length == 0))
                return;
            told = Take(stamps);
        }

        if (told is not null)
            _happened(told);
    }

    public void Dispose()
    {
        lock (_looking)
            _disposed = true;
        _timer.Dispose();
    }

    private string? Take((long, long)[] stamps)
    {
        try
        {
            byte[] digest = Digest();
            if (digest.AsSpan().SequenceEqual(_digest))
            {
                // Touched, or put back as it was.
                _stamps = stamps;
                _problem = "";
                return null;
            }

            T made = _make();
            _digest = digest;
            _stamps = stamps;
            _problem = "";
            _loadedAt = _time.GetUtcNow();
            _revision++;
            Volatile.Write(ref _current, made);
            return $"revision {_revision} is in force";
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException or CryptographicException)
        {
            string problem = StreamErrors.OneLine(refused.Message);
            bool isNew = problem != _problem;
            _failures += isNew ? 1 : 0;
            _problem = problem;
            return isNew ? $"not taken, the last good set stays in force: {problem}" : null;
        }
    }

    private byte[] Digest()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (string path in _paths)
        {
            byte[] content = File.ReadAllBytes(path);
            hash.AppendData(BitConverter.GetBytes(content.Length));
            hash.AppendData(content);
        }

        return hash.GetHashAndReset();
    }

    private (long Ticks, long Length)[] Stamps() => [.. _paths.Select(StampOf)];

    private static (long Ticks, long Length) StampOf(string path)
    {
        try
        {
            var file = new FileInfo(path);
            FileInfo target = file.ResolveLinkTarget(returnFinalTarget: true) as FileInfo ?? file;
            return target.Exists ? (target.LastWriteTimeUtc.Ticks, target.Length) : (0, -1);
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
        {
            return (0, -1);
        }
    }
}
