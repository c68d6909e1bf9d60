using Dataplane.Hosting.Reloading;
using Dataplane.Ports;
using Dataplane.Telemetry;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Dataplane.Hosting.Health;

/// <summary>Says whether the engine lives, or whether traffic should be sent to it.</summary>
internal sealed class DataplaneHealthCheck(DataplaneEngine engine, ReloadState reloads, bool isLiveness) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(isLiveness ? Live() : Ready());

    private HealthCheckResult Live() => engine.Completion.IsFaulted
        ? HealthCheckResult.Unhealthy("The worker has died.", engine.Completion.Exception.InnerException, Data())
        : HealthCheckResult.Healthy($"The engine is {engine.State}.", Data());

    private HealthCheckResult Ready()
    {
        if (engine.State != EngineState.Running)
        {
            return HealthCheckResult.Unhealthy($"The engine is {engine.State}; nothing is forwarded.", engine.Completion.Exception?.InnerException, Data());
        }

        IReadOnlyList<PortStatus> ports = engine.ReadPorts();
        PortStatus[] down = [.. ports.Where(port => port.Link != LinkState.Up)];
        if (down.Length > 0)
        {
            string list = string.Join(", ", down.Select(port => port.LinkReason.Length > 0
                ? $"{port.Name} ({port.Link}: {port.LinkReason})" : $"{port.Name} ({port.Link})"));
            return down.Length == ports.Count
                ? HealthCheckResult.Unhealthy($"No port has a link: {list}.", null, Data())
                : HealthCheckResult.Degraded($"Ports without link: {list}.", null, Data());
        }

        return reloads.LastRejection is { } rejection
            ? HealthCheckResult.Degraded($"The newest configuration was rejected, the last good one is in force: {rejection}", null, Data())
            : HealthCheckResult.Healthy("Every port forwards.", Data());
    }

    private Dictionary<string, object> Data()
    {
        Accounting accounting = engine.ReadAccounting();
        EngineFigures figures = engine.ReadFigures();
        var data = new Dictionary<string, object>
        {
            ["state"] = engine.State.ToString(),
            ["version"] = engine.Version,
            ["received"] = accounting.Received,
            ["transmitted"] = accounting.Transmitted,
            ["dropped"] = accounting.Dropped,
            ["flows"] = figures.FlowEntries / 2,
            ["reloads_applied"] = reloads.Applied,
            ["reloads_rejected"] = reloads.Rejected,
        };
        foreach (PortStatus port in engine.ReadPorts())
        {
            data[$"port.{port.Name}"] = port.Link.ToString();
        }

        return data;
    }
}
