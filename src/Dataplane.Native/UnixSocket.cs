// syscalls: socket bind listen accept4 connect sendmsg recvmsg
using System.Runtime.InteropServices;
using System.Text;
using Dataplane.Native.Abi;
using static Dataplane.Native.Abi.Socket;

namespace Dataplane.Native;

/// <summary>Unix sockets that keep messages whole (SOCK_SEQPACKET) and carry descriptors. Nothing here waits.</summary>
/// <remarks>A path that begins with <c>@</c> is a name in the abstract space (unix(7)), which leaves no file behind.</remarks>
internal static unsafe partial class UnixSocket
{
    /// <summary>Descriptors taken from one message; more are closed by the kernel.</summary>
    private const int MaxDescriptors = 16;

    private const int Backlog = 16;

    /// <summary>Listens at a path. A file that a socket nobody listens on has left there is replaced.</summary>
    /// <param name="path">Where.</param>
    /// <param name="ownerOnly">Whether the file is for its owner alone (mode 0600) from the moment it is there.</param>
    /// <exception cref="LinuxException">Someone listens there, or the path cannot be made.</exception>
    public static FileDescriptor Listen(string path, bool ownerOnly = false)
    {
        FileDescriptor socket = Open(path);
        try
        {
            if (ownerOnly)
                SetOwnerOnly(socket, path);
            if (Bind(socket, path) != 0 && (Marshal.GetLastPInvokeError() != Errno.EADDRINUSE || !RemoveStale(path) || Bind(socket, path) != 0))
            {
                throw LinuxException.FromLastError("bind(AF_UNIX)", path, Marshal.GetLastPInvokeError() == Errno.EADDRINUSE
                    ? "another process listens there: end it, choose another path, or take role client"
                    : "check that the directory exists and can be written to");
            }

            return Libc.Listen(socket.Number, Backlog) == 0 ? socket : throw LinuxException.FromLastError("listen(AF_UNIX)", path);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Connects to whoever listens at a path; null when nobody does, or cannot take one more now.</summary>
    /// <exception cref="LinuxException">No descriptor is left.</exception>
    public static FileDescriptor? TryConnect(string path)
    {
        FileDescriptor socket = Open(path);
        sockaddr_un address = default;
        uint length = Fill(&address, path);
        if (Libc.Connect(socket.Number, &address, length) == 0)
            return socket;
        socket.Dispose();
        return null;
    }

    /// <summary>Takes one waiting connection; null when none waits or it went away.</summary>
    public static FileDescriptor? TryAccept(FileDescriptor listener)
    {
        int number = Libc.Accept4(listener.Number, null, null, SOCK_NONBLOCK | SOCK_CLOEXEC);
        return number >= 0 ? new FileDescriptor(number) : null;
    }

    /// <summary>Sends one message.</summary>
    /// <param name="socket">The connection.</param>
    /// <param name="message">Its bytes.</param>
    /// <param name="passed">A descriptor that the receiver gets a copy of; null for none.</param>
    /// <returns>False when the peer is gone or takes nothing.</returns>
    public static bool TrySend(FileDescriptor socket, ReadOnlySpan<byte> message, FileDescriptor? passed = null)
    {
        byte* control = stackalloc byte[sizeof(cmsghdr) + sizeof(long)];
        fixed (byte* bytes = message)
        {
            iovec vector = new() { iov_base = (nint)bytes, iov_len = (nuint)message.Length };
            msghdr header = new() { msg_iov = (nint)(&vector), msg_iovlen = 1 };
            if (passed is not null)
            {
                *(cmsghdr*)control = new cmsghdr { cmsg_len = (nuint)(sizeof(cmsghdr) + sizeof(int)), cmsg_level = SOL_SOCKET, cmsg_type = SCM_RIGHTS };
                *(long*)(control + sizeof(cmsghdr)) = passed.Number;
                header.msg_control = (nint)control;
                header.msg_controllen = (nuint)(sizeof(cmsghdr) + sizeof(long));
            }

            return Libc.Sendmsg(socket.Number, &header, MSG_DONTWAIT | MSG_NOSIGNAL) == message.Length;
        }
    }

    /// <summary>Takes one message.</summary>
    /// <param name="socket">The connection.</param>
    /// <param name="message">Takes its bytes.</param>
    /// <param name="passed">The descriptor that came along, when it was exactly one; the caller closes it.</param>
    /// <param name="descriptors">How many came along; more than one are closed.</param>
    /// <returns>The message's true length, also where that is more than fits; 0 at the end of the connection; -1 when none waits.</returns>
    public static int Receive(FileDescriptor socket, Span<byte> message, out FileDescriptor? passed, out int descriptors)
    {
        passed = null;
        descriptors = 0;
        const int ControlBytes = 16 + (MaxDescriptors * sizeof(int));
        byte* control = stackalloc byte[ControlBytes];
        nint length;
        fixed (byte* bytes = message)
        {
            iovec vector = new() { iov_base = (nint)bytes, iov_len = (nuint)message.Length };
            msghdr header = new() { msg_iov = (nint)(&vector), msg_iovlen = 1, msg_control = (nint)control, msg_controllen = ControlBytes };
            length = Libc.Recvmsg(socket.Number, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC | MSG_TRUNC);
            if (length < 0)
                return Marshal.GetLastPInvokeError() is Errno.EAGAIN or Errno.EINTR ? -1 : 0;
            TakeDescriptors(control, (int)header.msg_controllen, ref passed, ref descriptors);
            if ((header.msg_flags & MSG_CTRUNC) != 0)
                descriptors = MaxDescriptors + 1;
        }

        return (int)Math.Min(length, int.MaxValue);
    }

    private static void TakeDescriptors(byte* control, int controlBytes, ref FileDescriptor? passed, ref int descriptors)
    {
        for (int at = 0; at + sizeof(cmsghdr) <= controlBytes;)
        {
            var header = (cmsghdr*)(control + at);
            int length = (int)Math.Min(header->cmsg_len, (nuint)(controlBytes - at));
            if (length < sizeof(cmsghdr))
                return;
            if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
            {
                var numbers = (int*)(header + 1);
                for (int i = 0; i < (length - sizeof(cmsghdr)) / sizeof(int); i++)
                {
                    // Each is ours from here on; of several, none is meant.
                    passed?.Dispose();
                    passed = new FileDescriptor(numbers[i]);
                    descriptors++;
                }
            }

            at += (length + 7) & ~7;
        }

        if (descriptors > 1)
        {
            passed?.Dispose();
            passed = null;
        }
    }

    private static FileDescriptor Open(string path)
    {
        int number = Libc.Socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        return number >= 0 ? new FileDescriptor(number) : throw LinuxException.FromLastError("socket(AF_UNIX)", path);
    }

    private static int Bind(FileDescriptor socket, string path)
    {
        sockaddr_un address = default;
        uint length = Fill(&address, path);
        return Libc.Bind(socket.Number, &address, length);
    }

    /// <summary>Removes the file of a socket that nobody listens on any more.</summary>
    /// <returns>False when it must stay; the last error is then that the address is in use.</returns>
    private static bool RemoveStale(string path)
    {
        bool stale = false;
        if (!path.StartsWith('@'))
        {
            using FileDescriptor probe = Open(path);
            sockaddr_un address = default;
            uint length = Fill(&address, path);
            // Only what refuses a connection is dead: EPROTOTYPE is a live socket of another type, EAGAIN one with a full queue.
            stale = Libc.Connect(probe.Number, &address, length) != 0 && Marshal.GetLastPInvokeError() == Errno.ECONNREFUSED;
        }

        if (stale)
            File.Delete(path);
        Marshal.SetLastPInvokeError(Errno.EADDRINUSE);
        return stale;
    }

    private static uint Fill(sockaddr_un* address, string path)
    {
        int length = Encoding.UTF8.GetByteCount(path);
        if (length is 0 or >= sun_path.Length || path.Contains('\0', StringComparison.Ordinal))
            throw new ArgumentException($"\"{path}\" is not the path of a socket: 1 to {sun_path.Length - 1} bytes without a zero are needed.", nameof(path));
        address->sun_family = AF_UNIX;
        Span<byte> bytes = address->sun_path;
        Encoding.UTF8.GetBytes(path, bytes);
        bool isAbstract = bytes[0] == (byte)'@';
        if (isAbstract)
            bytes[0] = 0;
        return (uint)(sizeof(ushort) + length + (isAbstract ? 0 : 1));
    }
}
