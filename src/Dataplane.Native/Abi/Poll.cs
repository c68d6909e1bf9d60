using System.Runtime.InteropServices;

namespace Dataplane.Native.Abi;

/// <summary>One entry of poll(2), &lt;poll.h&gt;.</summary>
[StructLayout(LayoutKind.Sequential)]
[KernelType("poll.h")]
internal struct pollfd
{
    public int fd;
    public short events;
    public short revents;
}

/// <summary>A time in seconds and nanoseconds, &lt;time.h&gt;; this is the 64-bit form.</summary>
[StructLayout(LayoutKind.Sequential)]
[KernelType("time.h")]
internal struct timespec
{
    public long tv_sec;
    public long tv_nsec;
}

/// <summary>Constants of poll(2) and eventfd(2).</summary>
[KernelConstants("poll.h", "sys/eventfd.h")]
internal static class Poll
{
    internal const short POLLIN = 0x001;
    internal const short POLLOUT = 0x004;
    internal const short POLLERR = 0x008;
    internal const short POLLHUP = 0x010;
    internal const short POLLNVAL = 0x020;

    internal const int EFD_CLOEXEC = 0x80000;
    internal const int EFD_NONBLOCK = 0x800;
}
