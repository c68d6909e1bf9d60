using Dataplane.Native;

namespace Dataplane.Succession;

/// <summary>Where a successor finds the process that it follows: a Unix socket for the same user alone.</summary>
internal sealed class SuccessionListener : IDisposable
{
    private readonly string _path;
    private readonly FileDescriptor _socket;
    private readonly EventDescriptor _wake = new();
    private readonly Poller _poller;
    private bool _isDisposed;

    /// <summary>Listens.</summary>
    /// <exception cref="LinuxException">Someone listens there, or the path cannot be made.</exception>
    public SuccessionListener(string path)
    {
        _path = path;
        _socket = UnixSocket.Listen(path, ownerOnly: true);
        _poller = new Poller([_socket], _wake);
    }

    /// <summary>Waits for a connection of the same user; others are closed.</summary>
    /// <returns>Null once <see cref="Wake"/> was called.</returns>
    public SuccessionChannel? Accept()
    {
        while (true)
        {
            _poller.Wait(-1);
            if (_poller.Woken)
            {
                return null;
            }

            if (UnixSocket.TryAccept(_socket) is { } socket)
            {
                var channel = new SuccessionChannel(socket);
                if (channel.IsPeerSameUser)
                {
                    return channel;
                }

                channel.Dispose();
            }
        }
    }

    /// <summary>Ends the waiting. Any thread.</summary>
    public void Wake() => _wake.Signal();

    /// <summary>Listens no more, and removes the file.</summary>
    public void Dispose()
    {
        if (_isDisposed)
        {
            return;
        }

        _isDisposed = true;
        if (!_path.StartsWith('@'))
        {
            File.Delete(_path);
        }

        _socket.Dispose();
        _poller.Dispose();
        _wake.Dispose();
    }
}
