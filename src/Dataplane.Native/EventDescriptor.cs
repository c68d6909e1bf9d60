// syscalls: eventfd2 read write
using Dataplane.Native.Abi;

namespace Dataplane.Native;

/// <summary>Wakes a thread that waits in <see cref="Poller.Wait"/> (eventfd).</summary>
public sealed unsafe class EventDescriptor : IDisposable
{
    /// <summary>Opens the descriptor.</summary>
    /// <exception cref="LinuxException">No descriptor is left.</exception>
    public EventDescriptor()
    {
        int number = Libc.Eventfd(0, Poll.EFD_CLOEXEC | Poll.EFD_NONBLOCK);
        Descriptor = number >= 0 ? new FileDescriptor(number) : throw LinuxException.FromLastError("eventfd");
    }

    /// <summary>The descriptor, readable while a signal is pending.</summary>
    public FileDescriptor Descriptor { get; }

    /// <summary>Makes the descriptor readable. Any thread may call it, also after <see cref="Dispose"/>, when it does nothing.</summary>
    public void Signal()
    {
        bool held = false;
        try
        {
            Descriptor.DangerousAddRef(ref held);
            ulong one = 1;
            // The only failure besides a closed descriptor is EAGAIN, when 2^64-2 signals are pending: it is readable then.
            Libc.Write(Descriptor.Number, &one, sizeof(ulong));
        }
        catch (ObjectDisposedException)
        {
            // A signal that comes after the end has nobody to wake.
        }
        finally
        {
            if (held)
                Descriptor.DangerousRelease();
        }
    }

    /// <summary>Takes the pending signals, so that the descriptor is no longer readable.</summary>
    /// <returns>How many there were; 0 for none.</returns>
    public long Drain()
    {
        ulong count = 0;
        return Libc.Read(Descriptor.Number, &count, sizeof(ulong)) == sizeof(ulong) ? (long)count : 0;
    }

    /// <summary>Closes the descriptor.</summary>
    public void Dispose() => Descriptor.Dispose();
}
