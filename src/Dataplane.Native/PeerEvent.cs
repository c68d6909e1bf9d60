// syscalls: fcntl ppoll preadv2 write
using Dataplane.Native.Abi;

namespace Dataplane.Native;

/// <summary>An event (eventfd) that is shared with another process, which may have made it and may change its flags.</summary>
/// <remarks>
/// The peer could hand over something else than an event, and could take O_NONBLOCK off again, since flags belong to the open file.
/// So only an eventfd is taken, reading asks not to wait in each call, and writing looks first whether it would wait. A peer that clears
/// the flag and fills the counter to its end just between this look and the write stops the thread that writes until somebody reads the event.
/// </remarks>
internal sealed unsafe class PeerEvent : IDisposable
{
    private PeerEvent(FileDescriptor descriptor) => Descriptor = descriptor;

    /// <summary>The descriptor, readable while a signal is pending.</summary>
    public FileDescriptor Descriptor { get; }

    /// <summary>Makes an event to hand over.</summary>
    /// <exception cref="LinuxException">No descriptor is left.</exception>
    public static PeerEvent Create() => new(new EventDescriptor().Descriptor);

    /// <summary>Takes an event that a peer made; null when it is something else. On success the event owns the descriptor.</summary>
    public static PeerEvent? TryAdopt(FileDescriptor descriptor)
    {
        // The kernel's own name for it: no other file is called so, and a file system cannot make one.
        string? name = new FileInfo($"/proc/self/fd/{descriptor.Number}").LinkTarget;
        if (name != "anon_inode:[eventfd]")
            return null;
        int flags = Libc.Fcntl(descriptor.Number, Socket.F_GETFL, 0);
        return flags >= 0 && Libc.Fcntl(descriptor.Number, Socket.F_SETFL, flags | Socket.O_NONBLOCK) == 0 ? new PeerEvent(descriptor) : null;
    }

    /// <summary>Makes the event readable for the peer.</summary>
    public void Signal()
    {
        pollfd entry = new() { fd = Descriptor.Number, events = Poll.POLLOUT };
        timespec noTime = default;
        ulong one = 1;
        // A counter that is full is readable as it is.
        if (Libc.Ppoll(&entry, 1, &noTime, null) == 1 && (entry.revents & Poll.POLLOUT) != 0)
            Libc.Write(Descriptor.Number, &one, sizeof(ulong));
    }

    /// <summary>Takes the pending signals, so that the descriptor is no longer readable.</summary>
    public void Drain()
    {
        ulong count = 0;
        iovec vector = new() { iov_base = (nint)(&count), iov_len = sizeof(ulong) };
        Libc.Preadv2(Descriptor.Number, &vector, 1, -1, Vectors.RWF_NOWAIT);
    }

    /// <summary>Closes our descriptor of the event.</summary>
    public void Dispose() => Descriptor.Dispose();
}
