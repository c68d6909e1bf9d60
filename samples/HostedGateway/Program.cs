// A gateway inside an ASP.NET application: configured from appsettings.json, reloaded when that changes, with health checks and metrics.
// By default it asks itself for its metrics and ends; with --serve it runs until Ctrl-C.

using System.Globalization;
using System.Net;
using Dataplane;

WebApplicationBuilder builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { Args = args, ContentRootPath = AppContext.BaseDirectory });
builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
builder.Services.AddDataplane().LoadFromConfig(builder.Configuration.GetSection("Dataplane"));
builder.Services.AddHealthChecks().AddDataplane();

WebApplication app = builder.Build();
app.MapDataplaneMetrics();
app.MapHealthChecks("/health");
app.MapGet("/backends", (DataplaneEngine engine) => string.Join('\n', engine.ReadServices().SelectMany(service => service.Backends)
    .Select(backend => string.Create(CultureInfo.InvariantCulture, $"{backend.Address}:{backend.Port} weight {backend.Weight} flows {backend.Flows}"))));

await app.StartAsync();
string address = app.Urls.First();
Console.WriteLine($"the gateway forwards; {address}/metrics, /health, /backends");
if (args.Contains("--serve"))
{
    await app.WaitForShutdownAsync();
    return;
}

using var client = new HttpClient { BaseAddress = new Uri(address) };
Console.WriteLine($"/health:\n{await client.GetStringAsync("/health")}");
Console.WriteLine($"/backends:\n{await client.GetStringAsync("/backends")}");
string metrics = await client.GetStringAsync("/metrics");
Console.WriteLine($"/metrics, {metrics.Count(letter => letter == '\n')} lines, among them:");
Console.WriteLine(string.Join('\n', metrics.Split('\n').Where(line => line.StartsWith("dataplane_backend_weight", StringComparison.Ordinal))));
await app.StopAsync();
await app.DisposeAsync();
