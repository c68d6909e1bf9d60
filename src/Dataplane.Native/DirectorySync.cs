// syscalls: openat fsync
using Dataplane.Native.Abi;

namespace Dataplane.Native;

/// <summary>Makes names of files durable: what a rename has done is on the disk only when the directory is.</summary>
internal static class DirectorySync
{
    /// <summary>Waits until the names in a directory are on the disk.</summary>
    /// <exception cref="LinuxException">There is no such directory, or the disk failed.</exception>
    public static void Flush(string directory)
    {
        int fd = Libc.Open(directory, Socket.O_RDONLY | Socket.O_CLOEXEC, 0);
        if (fd < 0)
            throw LinuxException.FromLastError($"open({directory})");
        using var descriptor = new FileDescriptor(fd);
        if (Libc.Fsync(fd) != 0)
            throw LinuxException.FromLastError($"fsync({directory})");
    }
}
