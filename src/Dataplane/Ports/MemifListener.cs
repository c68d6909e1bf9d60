using Dataplane.Native;

namespace Dataplane.Ports;

/// <summary>A socket that server ports of this process share. The agent's.</summary>
internal sealed class MemifListener(string path, UnixFileMode? mode = null) : IDisposable
{
    /// <summary>Clients that have connected and not yet named a port; more are turned away.</summary>
    public const int MaxStrangers = 16;

    /// <summary>The listening socket.</summary>
    public FileDescriptor Socket { get; } = mode is { } wanted && !path.StartsWith('@') ? UnixSocket.Listen(path, wanted) : UnixSocket.Listen(path);

    /// <summary>Its path.</summary>
    public string Path { get; } = path;

    /// <summary>The ports by id.</summary>
    public Dictionary<uint, MemifPort> Ports { get; } = [];

    /// <summary>Closes the socket and removes its file, if it is still ours: another process may have put its own there.</summary>
    public void Dispose()
    {
        if (!Path.StartsWith('@'))
        {
            using FileDescriptor? probe = UnixSocket.TryConnect(Path);
            using FileDescriptor? accepted = probe is null ? null : UnixSocket.TryAccept(Socket);
            if (accepted is not null)
                File.Delete(Path);
        }

        Socket.Dispose();
    }
}
