using Dataplane.Pipeline;

namespace Dataplane.Configuration;

/// <summary>The rules for worker settings.</summary>
internal static class WorkerChecks
{
    public static void Check(Checks checks, DataplaneSpec spec)
    {
        if (spec.Workers is not { } workers)
        {
            checks.Error("workers", "is null; empty settings are allowed");
            return;
        }

        checks.Range("workers.count", workers.Count, SpecLimits.WorkerCount);
        if (workers.Cpu is { } cpu)
        {
            checks.Range("workers.cpu", cpu, SpecLimits.Cpu);
        }

        checks.Range("workers.spin", workers.SpinMicroseconds, SpecLimits.SpinMicroseconds);
        checks.Range("workers.flow_entries", workers.FlowEntries, SpecLimits.FlowEntries);
        checks.Range("workers.neighbour_entries", workers.NeighbourEntries, SpecLimits.NeighbourEntries);
        checks.Range("workers.icmp_errors_per_second", workers.IcmpErrorsPerSecond, SpecLimits.IcmpErrorsPerSecond);
    }
}
