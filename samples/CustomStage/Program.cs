// A stage of one's own: it limits every source network to a number of packets per second, with the engine's clock, and explains itself.

using Dataplane;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;

var wan = new MemoryPort(new MemoryPortOptions { Mac = MacAddress.Parse("02:00:00:00:00:01") });
var lan = new MemoryPort();
var limit = new RateLimitStage(packetsPerSecond: 100, burst: 20);
await using DataplaneEngine engine = new DataplaneBuilder()
    .Port("wan", PortSource.Memory(wan)).Interface("wan", "192.0.2.1/24")
    .Port("lan", PortSource.Memory(lan)).Interface("lan", "10.0.0.1/24").Neighbour("lan", "10.0.0.7", "02:00:00:00:00:07")
    .Stage(StagePosition.AfterFilter, limit)
    .Build();
engine.StartManual();

byte[] packet = PacketBuilder.Ethernet("02:00:00:00:00:09", "02:00:00:00:00:01").Ipv4("192.0.2.9", "10.0.0.7").Udp(1000, 2000).Payload("x").Build();
for (int i = 0; i < 50; i++)
{
    wan.TrySend(packet);
}

engine.RunOnce();
Console.WriteLine($"50 packets at once: {lan.PendingReceived} pass, {limit.Dropped} dropped by the stage");
Console.WriteLine(engine.Explain(packet, onPort: "wan"));
await engine.StopAsync();
Console.WriteLine(engine.ReadAccounting());

/// <summary>A token bucket per /24 of the source, in a table of fixed size: nothing is allocated per packet, networks that fall together share.</summary>
internal sealed class RateLimitStage(int packetsPerSecond, int burst) : IStage
{
    private readonly (long TokensNs, long LastNs)[] _buckets = new (long, long)[4096];
    private readonly long _costNs = 1_000_000_000 / packetsPerSecond;

    public string Name => "rate_limit";

    public long Dropped { get; private set; }

    public void Process(PacketBatch batch)
    {
        for (int packet = 0; packet < batch.Count; packet++)
        {
            if (batch.VerdictOf(packet) == Verdict.Continue && batch.HeadersOf(packet).IpVersion == 4 && !Take(batch.KeyOf(packet).Source, batch.NowNs))
            {
                batch.Drop(packet, DropReason.UserStage);
                Dropped++;
            }
        }
    }

    private bool Take(IpAddress source, long nowNs)
    {
        ref (long TokensNs, long LastNs) bucket = ref _buckets[(source.Low >> 8) % (ulong)_buckets.Length];
        long most = burst * _costNs;
        bucket.TokensNs = bucket.LastNs == 0 ? most : Math.Min(bucket.TokensNs + nowNs - bucket.LastNs, most);
        bucket.LastNs = nowNs;
        if (bucket.TokensNs < _costNs)
        {
            return false;
        }

        bucket.TokensNs -= _costNs;
        return true;
    }
}
