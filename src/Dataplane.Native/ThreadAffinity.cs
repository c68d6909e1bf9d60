// syscalls: sched_setaffinity sched_getaffinity
using Dataplane.Native.Abi;

namespace Dataplane.Native;

/// <summary>Binds the calling thread to processors.</summary>
public static unsafe class ThreadAffinity
{
    private const int MaskWords = 16;    // 1,024 processors, as the C library's cpu_set_t

    /// <summary>Lets the calling thread run on one processor only.</summary>
    /// <param name="cpu">Number of the processor, 0 to 1,023, as in /proc/cpuinfo.</param>
    /// <exception cref="LinuxException">There is no such processor, or a cpuset forbids it.</exception>
    public static void Pin(int cpu)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)cpu, MaskWords * 64u, nameof(cpu));
        Span<ulong> mask = stackalloc ulong[MaskWords];
        mask.Clear();
        mask[cpu >> 6] = 1UL << (cpu & 63);
        fixed (ulong* words = mask)
        {
            if (Libc.SchedSetaffinity(0, MaskWords * sizeof(ulong), words) != 0)
                throw LinuxException.FromLastError("sched_setaffinity", $"cpu {cpu}", Remedies.Processor);
        }
    }

    /// <summary>The processors on which the calling thread may run, in ascending order.</summary>
    /// <exception cref="LinuxException">The machine has more than 1,024 processors.</exception>
    public static int[] Allowed()
    {
        Span<ulong> mask = stackalloc ulong[MaskWords];
        mask.Clear();
        fixed (ulong* words = mask)
        {
            if (Libc.SchedGetaffinity(0, MaskWords * sizeof(ulong), words) < 0)
                throw LinuxException.FromLastError("sched_getaffinity");
        }

        var cpus = new List<int>();
        for (int cpu = 0; cpu < MaskWords * 64; cpu++)
        {
            if ((mask[cpu >> 6] >> (cpu & 63) & 1) != 0)
                cpus.Add(cpu);
        }

        return [.. cpus];
    }
}
