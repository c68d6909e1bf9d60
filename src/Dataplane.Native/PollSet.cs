// syscalls: epoll_create1 epoll_ctl
using Dataplane.Native.Abi;

namespace Dataplane.Native;

/// <summary>One descriptor that is readable while any of a changing set is (epoll). Members may come and go while a thread waits on it.</summary>
internal sealed unsafe class PollSet : IDisposable
{
    /// <summary>Makes an empty set.</summary>
    /// <exception cref="LinuxException">No descriptor is left.</exception>
    public PollSet()
    {
        int number = Libc.EpollCreate1(Epoll.EPOLL_CLOEXEC);
        Descriptor = number >= 0 ? new FileDescriptor(number) : throw LinuxException.FromLastError("epoll_create1");
    }

    /// <summary>The descriptor to wait on.</summary>
    public FileDescriptor Descriptor { get; }

    /// <summary>Adds a member.</summary>
    /// <returns>False when the kernel cannot wait for it.</returns>
    public bool TryAdd(FileDescriptor member) => Change(Epoll.EPOLL_CTL_ADD, member);

    /// <summary>Removes a member. Closing does not, as long as another process has the same file open.</summary>
    public void Remove(FileDescriptor member) => Change(Epoll.EPOLL_CTL_DEL, member);

    /// <summary>Closes the set, not its members.</summary>
    public void Dispose() => Descriptor.Dispose();

    private bool Change(int operation, FileDescriptor member)
    {
        // struct epoll_event has 12 bytes on x86-64 and 16 elsewhere; the events stand first in both, and the rest is not used.
        ulong* change = stackalloc ulong[2];
        change[0] = Epoll.EPOLLIN;
        return Libc.EpollCtl(Descriptor.Number, operation, member.Number, change) == 0;
    }
}
