using System.Globalization;
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

        CheckPin(checks, workers);
        checks.Range("workers.spin", workers.SpinMicroseconds, SpecLimits.SpinMicroseconds);
        checks.Range("workers.flow_entries", workers.FlowEntries, SpecLimits.FlowEntries);
        checks.Range("workers.neighbour_entries", workers.NeighbourEntries, SpecLimits.NeighbourEntries);
        checks.Range("workers.icmp_errors_per_second", workers.IcmpErrorsPerSecond, SpecLimits.IcmpErrorsPerSecond);
    }

    private static void CheckPin(Checks checks, WorkerSpec workers)
    {
        CpuList pin = workers.Pin ?? [];
        for (int worker = 0; worker < pin.Count; worker++)
        {
            checks.Range($"workers.pin[{worker}]", pin[worker], SpecLimits.Cpu);
        }

        if (pin.Count > 0 && pin.Count != workers.Count)
        {
            checks.Error("workers.pin", $"names {pin.Count} CPUs for {workers.Count} workers: one is needed for each, or none", pin.ToString());
        }
        else if (pin.Distinct().Count() != pin.Count)
        {
            checks.Error("workers.pin", "names a CPU twice: two workers that spin on one CPU take it from each other", pin.ToString());
        }

        if (workers.Cpu is { } cpu && (workers.Count > 1 || pin.Count > 0))
        {
            checks.Error("workers.cpu", "pins one worker; give each of several its CPU by pin: [ 2, 3 ]", cpu.ToString(CultureInfo.InvariantCulture));
        }
    }
}
