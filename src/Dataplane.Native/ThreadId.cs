// syscalls: gettid
using Dataplane.Native.Abi;

namespace Dataplane.Native;

/// <summary>The kernel's number of a thread, as shown by top -H and in /proc.</summary>
public static class ThreadId
{
    /// <summary>Number of the calling thread.</summary>
    public static int Current => Libc.Gettid();
}
