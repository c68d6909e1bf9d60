// What somebody writes who embeds the engine: nothing but the package Dataplane, and no ASP.NET.

using Dataplane;
using Dataplane.Consumer.Shared;

var traffic = new Traffic();
await using DataplaneEngine engine = traffic.Configure(new DataplaneBuilder()).Build();
await engine.StartAsync();
List<string> faults = [.. traffic.Send()];
await engine.StopAsync();
faults.AddRange(traffic.Check(engine.ReadAccounting()));
foreach (string fault in faults)
{
    Console.Error.WriteLine(fault);
}

Console.WriteLine($"Dataplane {typeof(DataplaneEngine).Assembly.GetName().Version}, embedded: {engine.ReadAccounting()}");
return faults.Count == 0 ? 0 : 1;
