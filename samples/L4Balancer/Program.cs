// A layer 4 load balancer: one service address, three backends, weights 2:1:1, by Maglev hashing.
// Then one backend is taken away while it runs: only its flows go elsewhere.

using Dataplane;
using Dataplane.Balancing;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Telemetry;

const int Clients = 8000;
var wan = new MemoryPort(new MemoryPortOptions { Mac = MacAddress.Parse("02:00:00:00:00:01") });
var lan = new MemoryPort();
await using DataplaneEngine engine = new DataplaneBuilder()
    .Port("wan", PortSource.Memory(wan)).Interface("wan", "198.51.100.1/24")
    .Port("lan", PortSource.Memory(lan)).Interface("lan", "10.1.0.1/24")
    .Neighbour("lan", "10.1.0.11", "02:00:00:00:01:0b")
    .Neighbour("lan", "10.1.0.12", "02:00:00:00:01:0c")
    .Neighbour("lan", "10.1.0.13", "02:00:00:00:01:0d")
    .Service("dns", "203.0.113.53", 53, service => service.Udp().Maglev()
        .Backend("10.1.0.11", 53, weight: 2).Backend("10.1.0.12", 53).Backend("10.1.0.13", 53))
    .Build();

// Without a worker thread of its own, the engine forwards when we say so: the simplest way to embed it.
engine.StartManual();
Show("three backends", Send(firstClientPort: 10_000));

ChangeReceipt receipt = await engine.UpdateAsync(spec => spec with
{
    Services = [.. spec.Services.Select(service => service with { Backends = [.. service.Backends.Where(backend => backend.Address.ToString() != "10.1.0.12")] })],
});
foreach (ServiceChange change in receipt.Services)
{
    Console.WriteLine($"update: {change.SlotsMoved} of {change.Slots} slots moved, the least possible is {change.MinimumSlotsMoved}");
}

Show("10.1.0.12 removed", Send(firstClientPort: 30_000));

await engine.StopAsync();
Console.WriteLine(engine.ReadAccounting());

// Sends one packet of each of many clients and counts which backend each leaves to.
SortedDictionary<string, int> Send(int firstClientPort)
{
    var shares = new SortedDictionary<string, int>();
    for (int client = 0; client < Clients; client++)
    {
        wan.TrySend(PacketBuilder.Ethernet("02:00:00:00:00:09", "02:00:00:00:00:01").Ipv4("198.51.100.9", "203.0.113.53")
            .Udp((ushort)(firstClientPort + client), 53).Payload("query").Build());
        engine.RunOnce();
        using ReceivedFrames frames = lan.ReceiveMany();
        for (int i = 0; i < frames.Count; i++)
        {
            string backend = ParsedPacket.Parse(frames[i]).Destination.ToString()!;
            shares[backend] = shares.GetValueOrDefault(backend) + 1;
        }
    }

    return shares;
}

static void Show(string title, SortedDictionary<string, int> shares)
{
    Console.WriteLine($"{title}:");
    foreach ((string backend, int count) in shares)
    {
        Console.WriteLine($"  {backend,-10} {count,6} flows  {100.0 * count / Clients:0.0} %");
    }
}
