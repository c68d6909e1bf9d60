// syscalls: fchmod getsockopt geteuid openat shutdown
using System.Globalization;
using System.Runtime.InteropServices;
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

    /// <summary>Listens at a path, at a file with a mode, whatever the umask is.</summary>
    /// <remarks>
    /// The directory may be one that others write to: so it is the file itself whose mode is set, by a descriptor that no symbolic link leads away, and which says nothing of what is in the file.
    /// </remarks>
    /// <param name="path">Where; not a name in the abstract space.</param>
    /// <param name="mode">Who may connect: whoever may write.</param>
    /// <exception cref="LinuxException">As <see cref="Listen(string, bool)"/>; or the file is another's already.</exception>
    public static FileDescriptor Listen(string path, UnixFileMode mode)
    {
        FileDescriptor socket = Listen(path);
        try
        {
            int number = Libc.Open(path, O_PATH | O_CLOEXEC | NoFollow, 0);
            if (number < 0)
                throw LinuxException.FromLastError($"open({path}, O_PATH)");
            using var file = new FileDescriptor(number);
            if (!OperatingSystem.IsWindows())
            {
                File.SetUnixFileMode(string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{file.Number}"), mode);
            }

            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>O_NOFOLLOW, which has a number of its own where ARM's ABI has.</summary>
    private static int NoFollow => RuntimeInformation.ProcessArchitecture is Architecture.Arm or Architecture.Arm64 ? 0x8000 : 0x20000;

    /// <summary>Sets the mode that bind(2) gives the file: for a socket, that of the descriptor less the umask, so that there is no moment in which others may connect.</summary>
    private static void SetOwnerOnly(FileDescriptor socket, string path)
    {
        if (Libc.Fchmod(socket.Number, OwnerReadsAndWrites) != 0)
            throw LinuxException.FromLastError("fchmod(AF_UNIX)", path);
    }
}
