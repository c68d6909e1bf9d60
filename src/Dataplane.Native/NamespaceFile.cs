// syscalls: openat fstatfs statx
using Dataplane.Native.Abi;

namespace Dataplane.Native;

/// <summary>Tells network namespaces apart by what they are, not by what they are called.</summary>
internal static unsafe class NamespaceFile
{
    private const string Named = "/var/run/netns/";

    /// <summary>Opens a namespace.</summary>
    /// <param name="networkNamespace">A name as in <c>ip netns list</c>; or a path such as <c>/proc/PID/ns/net</c>.</param>
    /// <exception cref="LinuxException">There is no such namespace.</exception>
    public static FileDescriptor Open(string networkNamespace)
    {
        string path = networkNamespace.Contains('/', StringComparison.Ordinal) ? networkNamespace : Named + networkNamespace;
        int fd = Libc.Open(path, Socket.O_RDONLY | Socket.O_CLOEXEC, 0);
        return fd >= 0 ? new FileDescriptor(fd) : throw LinuxException.FromLastError($"open({path})", $"network namespace {networkNamespace}", "create it (ip netns add) or correct its name");
    }

    /// <summary>The number of the namespace that a path leads to, as <c>/proc/PID/ns/net</c> shows it; not used again while the namespace lives.</summary>
    /// <remarks>A path to a namespace and one that a namespace is mounted on are the same to stat(2), but not to readlink(2).</remarks>
    /// <returns>0 when there is no namespace.</returns>
    public static ulong TryIdentify(string path)
    {
        int fd = Libc.Open(path, Socket.O_RDONLY | Socket.O_CLOEXEC, 0);
        if (fd < 0)
            return 0;
        using var descriptor = new FileDescriptor(fd);
        statfs system;
        statx state;
        bool isNamespace = Libc.Fstatfs(fd, &system) == 0 && system.f_type == FileSystems.NSFS_MAGIC;
        return isNamespace && Libc.Statx(fd, "", FileState.AT_EMPTY_PATH, FileState.STATX_INO, &state) == 0 ? state.stx_ino : 0;
    }
}
