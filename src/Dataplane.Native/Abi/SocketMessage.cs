using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Dataplane.Native.Abi;

/// <summary>An address in the file system or in the abstract space, &lt;sys/un.h&gt;.</summary>
[StructLayout(LayoutKind.Sequential)]
[KernelType("sys/un.h")]
internal struct sockaddr_un
{
    public ushort sun_family;
    public sun_path sun_path;
}

/// <summary>The path of a Unix address, with its terminating zero unless it is abstract.</summary>
[InlineArray(Length)]
internal struct sun_path
{
    internal const int Length = 108;

    private byte _first;
}

/// <summary>A piece of memory of readv(2), &lt;sys/uio.h&gt;.</summary>
[StructLayout(LayoutKind.Sequential)]
[KernelType("sys/uio.h")]
internal struct iovec
{
    public nint iov_base;
    public nuint iov_len;
}

/// <summary>A message with ancillary data as the C library declares it, &lt;sys/socket.h&gt;.</summary>
[StructLayout(LayoutKind.Sequential)]
[KernelType("sys/socket.h")]
internal struct msghdr
{
    public nint msg_name;
    public uint msg_namelen;
    public nint msg_iov;
    public nuint msg_iovlen;
    public nint msg_control;
    public nuint msg_controllen;
    public int msg_flags;
}

/// <summary>The header of one piece of ancillary data; the data follow at a multiple of 8, &lt;sys/socket.h&gt;.</summary>
[StructLayout(LayoutKind.Sequential)]
[KernelType("sys/socket.h")]
internal struct cmsghdr
{
    public nuint cmsg_len;
    public int cmsg_level;
    public int cmsg_type;
}

/// <summary>What fstatfs(2) tells of a file system, &lt;sys/vfs.h&gt;; only its type is read.</summary>
[StructLayout(LayoutKind.Sequential, Size = 120)]
[KernelType("sys/vfs.h")]
internal struct statfs
{
    public long f_type;
}

/// <summary>Types of file systems, &lt;linux/magic.h&gt;.</summary>
[KernelConstants("linux/magic.h")]
internal static class FileSystems
{
    internal const int TMPFS_MAGIC = 0x01021994;
    internal const int NSFS_MAGIC = 0x6E736673;
}

/// <summary>Flags of preadv2(2).</summary>
[KernelConstants("sys/uio.h")]
internal static class Vectors
{
    internal const int RWF_NOWAIT = 0x8;
}

/// <summary>Constants of epoll(7).</summary>
[KernelConstants("sys/epoll.h")]
internal static class Epoll
{
    internal const int EPOLL_CLOEXEC = 0x80000;
    internal const int EPOLL_CTL_ADD = 1;
    internal const int EPOLL_CTL_DEL = 2;
    internal const uint EPOLLIN = 0x1;
}
