// syscalls: close fcntl prlimit64
using Dataplane.Native.Abi;

namespace Dataplane.Native;

/// <summary>Keeps some of the process's descriptors for the runtime, which ends the process when it is without one: for a thread, an assembly, a file to read.</summary>
internal static unsafe class DescriptorReserve
{
    /// <summary>Descriptors that must be left before a port takes more.</summary>
    internal const int Least = 48;

    /// <summary>Throws when fewer than <see cref="Least"/> descriptors are left. The kernel gives the lowest number that is free, so it is enough to ask for a high one.</summary>
    /// <param name="subject">What wants to open descriptors, for the message.</param>
    /// <exception cref="LinuxException">EMFILE: they are not.</exception>
    internal static void Demand(string subject)
    {
        // Soft limit first (struct rlimit, bits/resource.h); RLIM_INFINITY is all ones.
        ulong* limits = stackalloc ulong[2];
        if (Libc.Getrlimit(Resource.RLIMIT_NOFILE, limits) != 0 || limits[0] > int.MaxValue)
            return;
        int wanted = Math.Max((int)limits[0] - Least, 0);
        int number = Libc.Fcntl(0, Socket.F_DUPFD_CLOEXEC, wanted);
        if (number >= 0)
            Libc.Close(number);
        if (number != wanted)
            throw new LinuxException(Errno.EMFILE, "fcntl(F_DUPFD)", $"{subject}, which would leave fewer than {Least} of {limits[0]} descriptors for the process itself");
    }
}
