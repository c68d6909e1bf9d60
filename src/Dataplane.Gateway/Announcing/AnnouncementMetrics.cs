using Dataplane.Hosting.Metrics;

namespace Dataplane.Gateway.Announcing;

/// <summary>What is announced, for Prometheus.</summary>
internal sealed class AnnouncementMetrics(RouteAnnouncer announcer) : IMoreMetrics
{
    public void Write(PrometheusTextWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.BeginFamily("dataplane.announcement.routes", isCounter: false, "{route}", "Addresses of services that are announced.");
        writer.Sample(announcer.Routes);
        writer.BeginFamily("dataplane.announcement.withdrawn", isCounter: false, "1", "1 while all addresses are withdrawn on request, otherwise 0.");
        writer.Sample(announcer.IsWithdrawn ? 1 : 0);
    }
}
