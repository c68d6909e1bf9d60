// syscalls: prlimit64
using System.Globalization;
using Dataplane.Native.Abi;

namespace Dataplane.Native;

/// <summary>Keeps some of the process's descriptors for the runtime, which ends the process when it is without one: for a thread, an assembly, a file to read.</summary>
internal static unsafe class DescriptorReserve
{
    /// <summary>Descriptors that must be left before a port takes more.</summary>
    internal const int Least = 48;

    private const string SizeLine = "FDSize:";

    /// <summary>Throws when fewer than <see cref="Least"/> descriptors are left. Any thread.</summary>
    /// <param name="subject">What wants to open descriptors, for the message.</param>
    /// <exception cref="LinuxException">EMFILE: they are not.</exception>
    internal static void Demand(string subject)
    {
        // Soft limit first (struct rlimit, bits/resource.h); RLIM_INFINITY is all ones.
        ulong* limits = stackalloc ulong[2];
        if (Libc.Getrlimit(Resource.RLIMIT_NOFILE, limits) != 0 || limits[0] > int.MaxValue)
            return;
        int limit = (int)limits[0];
        if (Used(limit) + Least > limit)
            throw new LinuxException(Errno.EMFILE, "getrlimit(RLIMIT_NOFILE)", $"{subject}, which would leave fewer than {Least} of {limit} descriptors for the process itself");
    }

    /// <summary>Descriptors in use, or the size of the kernel's table of them where that alone shows that enough are left: counting thousands takes its time.</summary>
    private static int Used(int limit)
    {
        try
        {
            string? line = File.ReadLines("/proc/self/status").FirstOrDefault(one => one.StartsWith(SizeLine, StringComparison.Ordinal));
            return int.TryParse(line.AsSpan(line is null ? 0 : SizeLine.Length), NumberStyles.AllowLeadingWhite, CultureInfo.InvariantCulture, out int size) && size + Least <= limit
                ? size
                : Directory.EnumerateFileSystemEntries("/proc/self/fd").Count();
        }
        catch (IOException)
        {
            // There is none left to read it by.
            return limit;
        }
        catch (UnauthorizedAccessException)
        {
            return 0;
        }
    }
}
