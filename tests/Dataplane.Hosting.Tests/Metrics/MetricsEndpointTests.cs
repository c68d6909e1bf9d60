using System.Net;
using Dataplane.Ports;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Dataplane.Hosting.Tests.Metrics;

public sealed class MetricsEndpointTests : IAsyncLifetime
{
    private readonly MemoryPort _wan = new();
    private WebApplication _web = null!;

    public async Task InitializeAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        builder.Logging.ClearProviders();
        builder.Services.AddDataplane().Configure(plane =>
        {
            Testing.OnePort(_wan)(plane);
            plane.Filter(filter => filter.Deny(from: "203.0.113.0/24", name: "bad-net"))
                .Service("web", "198.18.0.80", 80, service => service.Backend("198.18.0.11", 8080, weight: 3))
                .Service("web6", "2001:db8::80", 80, service => service.Backend("2001:db8::11", 8080));
        });
        _web = builder.Build();
        _web.MapDataplaneMetrics();
        await _web.StartAsync();
    }

    public async Task DisposeAsync()
    {
        await _web.StopAsync();
        await _web.DisposeAsync();
    }

    [Fact]
    public async Task Get_NoAccept_AnswersInTheOldFormatWithTheEnginesCounters()
    {
        await Testing.AskArpAsync(_wan, _web.Services.GetRequiredService<DataplaneEngine>());
        using HttpClient client = NewClient();
        using HttpResponseMessage response = await client.GetAsync(new Uri("/metrics", UriKind.Relative));
        Assert.Equal("text/plain; version=0.0.4; charset=utf-8", response.Content.Headers.ContentType?.ToString());
        ExpositionParser parsed = ExpositionParser.Parse(await response.Content.ReadAsStringAsync());

        Assert.False(parsed.HasEnd);
        Assert.Equal(1, parsed.Value("dataplane_network_packet_count_total", ("network_interface_name", "wan"), ("network_io_direction", "receive")));
        Assert.Equal(Testing.ArpRequest.Length, parsed.Value("dataplane_network_io_bytes_total", ("network_io_direction", "receive")));
        Assert.Equal(1, parsed.Value("dataplane_packet_received_total"));
        Assert.Equal(3, parsed.Value("dataplane_backend_weight", ("dataplane_service", "web"), ("dataplane_backend", "198.18.0.11:8080")));
        Assert.Equal(1, parsed.Value("dataplane_backend_weight", ("dataplane_backend", "[2001:db8::11]:8080")));
        Assert.Equal(0, parsed.Value("dataplane_filter_packet_count_total", ("dataplane_filter_rule", "bad-net")));
        Assert.Equal(1, parsed.Value("dataplane_running"));
        Assert.Equal("gauge", parsed.Families["dataplane_flow_count"].Type);

        long left = parsed.Value("dataplane_packet_received_total") + parsed.Value("dataplane_packet_originated_total");
        long right = parsed.Value("dataplane_packet_transmitted_total") + parsed.Value("dataplane_packet_held")
            + parsed.Families["dataplane_network_packet_dropped_total"].Samples.Sum(sample => sample.Value);
        Assert.Equal(left, right);
    }

    [Theory]
    [InlineData("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", true)]
    [InlineData("application/openmetrics-text;q=0.2, text/plain;q=0.9", false)]
    [InlineData("application/openmetrics-text;q=0", false)]
    [InlineData("text/html, */*", false)]
    public async Task Get_Accept_ChoosesTheFormat(string accept, bool openMetrics)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/metrics");
        Assert.True(request.Headers.TryAddWithoutValidation("Accept", accept));
        using HttpClient client = NewClient();
        using HttpResponseMessage response = await client.SendAsync(request);
        ExpositionParser parsed = ExpositionParser.Parse(await response.Content.ReadAsStringAsync());
        Assert.Equal(openMetrics, parsed.HasEnd);
        Assert.Equal(openMetrics ? "application/openmetrics-text" : "text/plain", response.Content.Headers.ContentType?.MediaType);
        Assert.Contains(openMetrics ? "dataplane_packet_received" : "dataplane_packet_received_total", parsed.Families.Keys);
    }

    private HttpClient NewClient() => new(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = new Uri(_web.Urls.First()) };
}
