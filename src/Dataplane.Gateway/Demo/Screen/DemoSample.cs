using Dataplane.Gateway.Demo.Traffic;
using Dataplane.Gateway.Status;

namespace Dataplane.Gateway.Demo.Screen;

/// <summary>What client and gateway said at one moment.</summary>
internal sealed record DemoSample(TimeSpan At, TrafficReport Traffic, GatewayStatus? Gateway)
{
    /// <summary>Packets the gateway received and made.</summary>
    public long Packets => Gateway is null ? 0 : Gateway.Received + Gateway.Originated;

    /// <summary>Bytes the gateway received.</summary>
    public long Bytes => Gateway?.Ports.Sum(port => port.ReceivedBytes) ?? 0;

    public long Dropped(string reason) => Gateway?.Dropped.GetValueOrDefault(reason) ?? 0;

    public long AnsweredBy(string backend) => Traffic.ByBackend.GetValueOrDefault(backend);
}
