// syscalls: fchmod getsockopt geteuid shutdown
using Dataplane.Native.Abi;
using static Dataplane.Native.Abi.Socket;

namespace Dataplane.Native;

// Who is at the other end, and an end of the connection that loses nothing.
internal static unsafe partial class UnixSocket
{
    private const uint OwnerReadsAndWrites = 0x180;

    /// <summary>Whether the process at the other end runs as the same user as this one, by what the kernel noted when it connected, or listened.</summary>
    public static bool IsPeerSameUser(FileDescriptor socket)
    {
        // struct ucred: process, user, group.
        uint* credentials = stackalloc uint[3];
        uint size = 3 * sizeof(uint);
        return Libc.Getsockopt(socket.Number, SOL_SOCKET, SO_PEERCRED, credentials, &size) == 0 && size == 3 * sizeof(uint) && credentials[1] == Libc.Geteuid();
    }

    /// <summary>Takes no more messages: a peer's next one fails at the peer, and those that were sent before can still be received. So each is either refused or seen.</summary>
    public static void EndReceiving(FileDescriptor socket) => Libc.Shutdown(socket.Number, SHUT_RD);

    /// <summary>Sets the mode that bind(2) gives the file: for a socket, that of the descriptor less the umask, so that there is no moment in which others may connect.</summary>
    private static void SetOwnerOnly(FileDescriptor socket, string path)
    {
        if (Libc.Fchmod(socket.Number, OwnerReadsAndWrites) != 0)
            throw LinuxException.FromLastError("fchmod(AF_UNIX)", path);
    }
}
