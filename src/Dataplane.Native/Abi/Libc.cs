using System.Runtime.InteropServices;

namespace Dataplane.Native.Abi;

/// <summary>Imports from the C library, one signature in one place. Each returns what the C function returns; the error is the last P/Invoke error.</summary>
/// <remarks>The C library has the kernel's calls under the same names on every architecture. No other native library is used.</remarks>
internal static unsafe partial class Libc
{
    private const string Library = "libc";

    [LibraryImport(Library, EntryPoint = "close", SetLastError = true)]
    internal static partial int Close(int fd);

    [LibraryImport(Library, EntryPoint = "mmap", SetLastError = true)]
    internal static partial nint Mmap(nint address, nuint length, int protection, int flags, int fd, long offset);

    [LibraryImport(Library, EntryPoint = "munmap", SetLastError = true)]
    internal static partial int Munmap(nint address, nuint length);

    [LibraryImport(Library, EntryPoint = "mprotect", SetLastError = true)]
    internal static partial int Mprotect(nint address, nuint length, int protection);

    [LibraryImport(Library, EntryPoint = "madvise", SetLastError = true)]
    internal static partial int Madvise(nint address, nuint length, int advice);

    [LibraryImport(Library, EntryPoint = "eventfd", SetLastError = true)]
    internal static partial int Eventfd(uint initial, int flags);

    [LibraryImport(Library, EntryPoint = "read", SetLastError = true)]
    internal static partial nint Read(int fd, void* buffer, nuint length);

    [LibraryImport(Library, EntryPoint = "write", SetLastError = true)]
    internal static partial nint Write(int fd, void* buffer, nuint length);

    [LibraryImport(Library, EntryPoint = "ppoll", SetLastError = true)]
    internal static partial int Ppoll(pollfd* descriptors, nuint count, timespec* timeout, void* signalMask);

    [LibraryImport(Library, EntryPoint = "sched_setaffinity", SetLastError = true)]
    internal static partial int SchedSetaffinity(int threadId, nuint maskBytes, void* mask);

    [LibraryImport(Library, EntryPoint = "sched_getaffinity", SetLastError = true)]
    internal static partial int SchedGetaffinity(int threadId, nuint maskBytes, void* mask);

    [LibraryImport(Library, EntryPoint = "gettid")]
    internal static partial int Gettid();

    [LibraryImport(Library, EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int Open(string path, int flags, uint mode);

    [LibraryImport(Library, EntryPoint = "setns", SetLastError = true)]
    internal static partial int Setns(int fd, int type);

    [LibraryImport(Library, EntryPoint = "socket", SetLastError = true)]
    internal static partial int Socket(int family, int type, int protocol);

    [LibraryImport(Library, EntryPoint = "bind", SetLastError = true)]
    internal static partial int Bind(int socket, void* address, uint addressBytes);

    [LibraryImport(Library, EntryPoint = "setsockopt", SetLastError = true)]
    internal static partial int Setsockopt(int socket, int level, int option, void* value, uint valueBytes);

    [LibraryImport(Library, EntryPoint = "getsockopt", SetLastError = true)]
    internal static partial int Getsockopt(int socket, int level, int option, void* value, uint* valueBytes);

    [LibraryImport(Library, EntryPoint = "sendto", SetLastError = true)]
    internal static partial nint Sendto(int socket, void* buffer, nuint length, int flags, void* address, uint addressBytes);

    [LibraryImport(Library, EntryPoint = "recvfrom", SetLastError = true)]
    internal static partial nint Recvfrom(int socket, void* buffer, nuint length, int flags, void* address, uint* addressBytes);

    // The C library has no function of the name; the number is the architecture's. Variadic in C, like ioctl.
    [LibraryImport(Library, EntryPoint = "syscall", SetLastError = true)]
    internal static partial nint Bpf(nint number, nint command, void* attributes, nuint attributesBytes);

    [LibraryImport(Library, EntryPoint = "syscall", SetLastError = true)]
    internal static partial nint Membarrier(nint number, nint command, nint flags, nint processor);

    [LibraryImport(Library, EntryPoint = "fchmod", SetLastError = true)]
    internal static partial int Fchmod(int fd, uint mode);

    [LibraryImport(Library, EntryPoint = "geteuid")]
    internal static partial uint Geteuid();

    [LibraryImport(Library, EntryPoint = "shutdown", SetLastError = true)]
    internal static partial int Shutdown(int socket, int how);

    [LibraryImport(Library, EntryPoint = "listen", SetLastError = true)]
    internal static partial int Listen(int socket, int backlog);

    [LibraryImport(Library, EntryPoint = "accept4", SetLastError = true)]
    internal static partial int Accept4(int socket, void* address, uint* addressBytes, int flags);

    [LibraryImport(Library, EntryPoint = "connect", SetLastError = true)]
    internal static partial int Connect(int socket, void* address, uint addressBytes);

    [LibraryImport(Library, EntryPoint = "sendmsg", SetLastError = true)]
    internal static partial nint Sendmsg(int socket, msghdr* message, int flags);

    [LibraryImport(Library, EntryPoint = "recvmsg", SetLastError = true)]
    internal static partial nint Recvmsg(int socket, msghdr* message, int flags);

    [LibraryImport(Library, EntryPoint = "memfd_create", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int MemfdCreate(string name, uint flags);

    [LibraryImport(Library, EntryPoint = "ftruncate", SetLastError = true)]
    internal static partial int Ftruncate(int fd, long length);

    [LibraryImport(Library, EntryPoint = "fsync", SetLastError = true)]
    internal static partial int Fsync(int fd);

    [LibraryImport(Library, EntryPoint = "lseek", SetLastError = true)]
    internal static partial long Lseek(int fd, long offset, int whence);

    [LibraryImport(Library, EntryPoint = "fstatfs", SetLastError = true)]
    internal static partial int Fstatfs(int fd, statfs* buffer);

    [LibraryImport(Library, EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int Statx(int directory, string path, int flags, uint mask, statx* state);

    [LibraryImport(Library, EntryPoint = "epoll_create1", SetLastError = true)]
    internal static partial int EpollCreate1(int flags);

    [LibraryImport(Library, EntryPoint = "epoll_ctl", SetLastError = true)]
    internal static partial int EpollCtl(int epoll, int operation, int fd, void* change);

    [LibraryImport(Library, EntryPoint = "preadv2", SetLastError = true)]
    internal static partial nint Preadv2(int fd, iovec* vectors, int count, long offset, int flags);

    [LibraryImport(Library, EntryPoint = "getrlimit", SetLastError = true)]
    internal static partial int Getrlimit(int resource, ulong* limits);

    // Variadic in C, as ioctl below.
    [LibraryImport(Library, EntryPoint = "fcntl", SetLastError = true)]
    internal static partial int Fcntl(int fd, int command, nint argument);

    // Variadic in C. Its third argument travels where a fixed one would on the Linux ABIs of x86-64 and arm64.
    [LibraryImport(Library, EntryPoint = "ioctl", SetLastError = true)]
    internal static partial int Ioctl(int fd, nuint request, void* argument);
}
