using Dataplane.Balancing;
using Dataplane.Packets;

namespace Dataplane.Telemetry;

/// <summary>What has changed for one backend, and what that means for the flows it had at that moment.</summary>
/// <param name="Service">Name of its service.</param>
/// <param name="Address">Its address.</param>
/// <param name="Port">Its port.</param>
/// <param name="Before">Its state before; null: it was not there.</param>
/// <param name="After">Its state now; null: it is not there any more.</param>
public sealed record BackendChange(string Service, IpAddress Address, ushort Port, BackendState? Before, BackendState? After)
{
    /// <summary>Its weight before.</summary>
    public int WeightBefore { get; init; }

    /// <summary>Its weight now.</summary>
    public int WeightAfter { get; init; }

    /// <summary>Why it changed its state, in words; empty where the configuration says it all.</summary>
    public string Reason { get; init; } = "";

    /// <summary>Flows that stay with it.</summary>
    public long FlowsKept { get; init; }

    /// <summary>Flows whose next packet goes to another backend.</summary>
    public long FlowsMoved { get; init; }

    /// <summary>Flows that are reset, or have no backend left to go to.</summary>
    public long FlowsEnded { get; init; }

    /// <inheritdoc/>
    public override string ToString()
    {
        string place = Address.IsIpv6 ? $"[{Address}]:{Port}" : $"{Address}:{Port}";
        string change = Before == After ? $"weight {WeightBefore} to {WeightAfter}" : $"{Word(Before)} to {Word(After)}";
        string why = Reason.Length > 0 ? $" ({Reason})" : "";
        string flows = After is BackendState.Up && FlowsMoved + FlowsEnded == 0 ? "" : $": {FlowsKept} flows kept, {FlowsMoved} moved, {FlowsEnded} ended";
        return $"service {Service} backend {place}: {change}{why}{flows}";
    }

    private static string Word(BackendState? state) => state?.ToString().ToLowerInvariant() ?? "absent";
}
