// What somebody writes who runs the engine inside a .NET host: the package Dataplane.Hosting brings everything else.

using Dataplane;
using Dataplane.Consumer.Shared;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

var traffic = new Traffic();
string path = Path.Combine(AppContext.BaseDirectory, "gateway.yaml");
File.WriteAllText(path, Traffic.Yaml);

HostApplicationBuilder builder = Host.CreateApplicationBuilder(args);
builder.Logging.SetMinimumLevel(LogLevel.Warning);
builder.Services.AddDataplane().LoadFromFile(path).Configure(plane => traffic.AddPorts(plane));
builder.Services.AddHealthChecks().AddDataplane();
using IHost host = builder.Build();
await host.StartAsync();
DataplaneEngine engine = host.Services.GetRequiredService<DataplaneEngine>();
List<string> faults = [.. traffic.Send()];
HealthReport health = await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync();
if (health.Status != HealthStatus.Healthy)
{
    faults.AddRange(health.Entries.Select(entry => $"{entry.Key}: {entry.Value.Status}: {entry.Value.Description}"));
}

await host.StopAsync();
faults.AddRange(traffic.Check(engine.ReadAccounting()));
foreach (string fault in faults)
{
    Console.Error.WriteLine(fault);
}

Console.WriteLine($"Dataplane {typeof(DataplaneEngine).Assembly.GetName().Version}, hosted: {engine.ReadAccounting()}");
return faults.Count == 0 ? 0 : 1;
