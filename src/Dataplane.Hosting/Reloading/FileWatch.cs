using System.Security.Cryptography;

namespace Dataplane.Hosting.Reloading;

/// <summary>Tells when the content of a file has changed.</summary>
/// <remarks>
/// Editors write in place, rename a new file over the old one, or (Kubernetes) swap a symbolic link in the path: so the directory is watched and
/// contents are compared, not times. Systems run out of inotify watches, and some file systems tell nothing: so the file is also looked at
/// every two seconds. A file that is missing or cannot be read for a while has not changed.
/// </remarks>
internal sealed class FileWatch : IDisposable
{
    private static readonly TimeSpan s_lookEvery = TimeSpan.FromSeconds(2);

    /// <summary>How long the file must have been left alone: a writer may need several calls.</summary>
    private static readonly TimeSpan s_settle = TimeSpan.FromMilliseconds(50);

    private readonly string _path;
    private readonly Action _changed;
    private readonly Lock _looking = new();
    private readonly ITimer _timer;
    private readonly FileSystemWatcher? _watcher;
    private (DateTime Written, long Length) _stamp;
    private byte[] _content;
    private int _touched;
    private bool _disposed;

    public FileWatch(string path, Action changed, TimeProvider time)
    {
        _path = Path.GetFullPath(path);
        _changed = changed;
        _content = TryHash() ?? [];
        _stamp = Stamp();
        _timer = time.CreateTimer(static state => ((FileWatch)state!).Look(), this, s_lookEvery, s_lookEvery);
        _watcher = TryWatch();
    }

    public void Dispose()
    {
        lock (_looking)
        {
            _disposed = true;
        }

        _watcher?.Dispose();
        _timer.Dispose();
    }

    private FileSystemWatcher? TryWatch()
    {
        try
        {
            var watcher = new FileSystemWatcher(Path.GetDirectoryName(_path)!)
            {
                NotifyFilter = NotifyFilters.FileName | NotifyFilters.DirectoryName | NotifyFilters.LastWrite | NotifyFilters.Size,
            };
            watcher.Changed += OnEvent;
            watcher.Created += OnEvent;
            watcher.Renamed += OnEvent;
            watcher.EnableRaisingEvents = true;
            return watcher;
        }
        catch (Exception refused) when (refused is IOException or ArgumentException or UnauthorizedAccessException or PlatformNotSupportedException)
        {
            // The directory is missing or there are no watches left: looking every two seconds has to do.
            return null;
        }
    }

    private void OnEvent(object sender, FileSystemEventArgs happened)
    {
        Volatile.Write(ref _touched, 1);
        _timer.Change(s_settle, s_lookEvery);
    }

    private void Look()
    {
        lock (_looking)
        {
            bool touched = Interlocked.Exchange(ref _touched, 0) != 0;
            (DateTime Written, long Length) stamp = Stamp();
            if (_disposed || (!touched && stamp == _stamp) || TryHash() is not { } content)
            {
                return;
            }

            _stamp = stamp;
            if (content.AsSpan().SequenceEqual(_content))
            {
                return;
            }

            _content = content;
        }

        _changed();
    }

    private (DateTime Written, long Length) Stamp()
    {
        try
        {
            var file = new FileInfo(_path);
            FileInfo target = file.ResolveLinkTarget(returnFinalTarget: true) as FileInfo ?? file;
            return target.Exists ? (target.LastWriteTimeUtc, target.Length) : default;
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
        {
            return default;
        }
    }

    private byte[]? TryHash()
    {
        try
        {
            using FileStream file = new(_path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            return SHA256.HashData(file);
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
