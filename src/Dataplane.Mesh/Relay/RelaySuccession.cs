using System.Net.Sockets;
using Dataplane.Native;
using Microsoft.Win32.SafeHandles;

namespace Dataplane.Mesh.Relay;

/// <summary>
/// A relay that follows another at a path: it gets the very sockets at which the one before listens (SCM_RIGHTS, unix(7)), so that at no moment nobody listens, and no
/// connection in the kernel's queues, or in the middle of its opening, is lost. Then it waits there for the one that follows it.
/// </summary>
/// <remarks>
/// Messages are of one byte. The relay before sends <c>S</c> with each socket and <c>E</c>; the successor, once it listens everywhere, <c>T</c>; the one before leaves the path,
/// says <c>G</c>, and takes in no more. A successor that is gone before <c>T</c> changes nothing. Only processes of the same user are answered.
/// </remarks>
internal sealed class RelaySuccession : IDisposable
{
    private const byte Passing = (byte)'S', End = (byte)'E', Taken = (byte)'T', Gone = (byte)'G';

    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(10), s_patience = TimeSpan.FromSeconds(10);

    private readonly FileDescriptor _predecessor;

    private RelaySuccession(FileDescriptor predecessor, List<Socket> sockets) => (_predecessor, Sockets) = (predecessor, sockets);

    /// <summary>The sockets that came; who takes one takes it out.</summary>
    public List<Socket> Sockets { get; }

    /// <summary>Asks the relay that waits at a path for its sockets; null when nobody does.</summary>
    /// <exception cref="IOException">It does not answer as it should.</exception>
    public static async Task<RelaySuccession?> FollowAsync(string path)
    {
        FileDescriptor? connection = UnixSocket.TryConnect(path);
        if (connection is null)
        {
            return null;
        }

        var succession = new RelaySuccession(connection, []);
        (byte kind, FileDescriptor? passed) = await ReceiveAsync(connection, CancellationToken.None).ConfigureAwait(false);
        while (kind == Passing && passed is not null)
        {
            succession.Sockets.Add(new Socket(new SafeSocketHandle(passed.DangerousGetHandle(), ownsHandle: true)));
            passed.SetHandleAsInvalid();
            (kind, passed) = await ReceiveAsync(connection, CancellationToken.None).ConfigureAwait(false);
        }

        passed?.Dispose();
        if (kind == End)
        {
            return succession;
        }

        succession.Dispose();
        throw new IOException($"--handover {path}: the process there does not pass its sockets. Remedy: end it, or choose another path.");
    }

    /// <summary>Tells the relay before that all its sockets are listened at, and waits until it has left the path.</summary>
    public async Task TakeAsync()
    {
        UnixSocket.TrySend(_predecessor, [Taken]);
        await ReceiveAsync(_predecessor, CancellationToken.None).ConfigureAwait(false);
    }

    /// <summary>Waits at a path for a successor, and gives it the sockets of a relay.</summary>
    /// <returns>When one has taken over.</returns>
    /// <exception cref="LinuxException">The path cannot be used.</exception>
    public static async Task WaitAsync(string path, RelayServer relay, CancellationToken ending)
    {
        FileDescriptor listener = UnixSocket.Listen(path, ownerOnly: true);
        try
        {
            while (true)
            {
                await Task.Delay(s_look, ending).ConfigureAwait(false);
                using FileDescriptor? successor = UnixSocket.TryAccept(listener);
                if (successor is not null && UnixSocket.IsPeerSameUser(successor) && Pass(relay, successor) && (await ReceiveAsync(successor, ending).ConfigureAwait(false)).Kind == Taken)
                {
                    Leave(path, listener);
                    UnixSocket.TrySend(successor, [Gone]);
                    return;
                }
            }
        }
        finally
        {
            Leave(path, listener);
        }
    }

    /// <summary>Closes the sockets that nobody has taken.</summary>
    public void Dispose()
    {
        Sockets.ForEach(socket => socket.Dispose());
        _predecessor.Dispose();
    }

    private static void Leave(string path, FileDescriptor listener)
    {
        if (!listener.IsClosed && !path.StartsWith('@'))
        {
            File.Delete(path);
        }

        listener.Dispose();
    }

    private static bool Pass(RelayServer relay, FileDescriptor successor)
    {
        foreach (Socket socket in relay.ListeningSockets)
        {
            // The number is the socket's own; what is passed is another descriptor of the same.
            using var borrowed = new BorrowedDescriptor(socket.SafeHandle);
            if (!UnixSocket.TrySend(successor, [Passing], borrowed.Descriptor))
            {
                return false;
            }
        }

        return UnixSocket.TrySend(successor, [End]);
    }

    /// <summary>The next message; its kind is 0 when the other is gone or silent.</summary>
    private static async Task<(byte Kind, FileDescriptor? Passed)> ReceiveAsync(FileDescriptor socket, CancellationToken ending)
    {
        byte[] message = new byte[1];
        for (TimeSpan waited = TimeSpan.Zero; waited < s_patience; waited += s_look)
        {
            int length = UnixSocket.Receive(socket, message, out FileDescriptor? passed, out _);
            if (length >= 0)
            {
                return (length == 1 ? message[0] : (byte)0, passed);
            }

            await Task.Delay(s_look, ending).ConfigureAwait(false);
        }

        return default;
    }

    /// <summary>A descriptor that belongs to a socket.</summary>
    private readonly struct BorrowedDescriptor : IDisposable
    {
        private readonly SafeSocketHandle _owner;

        public BorrowedDescriptor(SafeSocketHandle owner)
        {
            bool isHeld = false;
            owner.DangerousAddRef(ref isHeld);
            _owner = owner;
            Descriptor = new FileDescriptor((int)owner.DangerousGetHandle());
        }

        public FileDescriptor Descriptor { get; }

        public void Dispose()
        {
            Descriptor.SetHandleAsInvalid();
            _owner.DangerousRelease();
        }
    }
}
