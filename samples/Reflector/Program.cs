// A reflector: every UDP packet goes back to its sender. One stage of our own does it, in front of everything else.
// With PortSource.AfPacket("eth0") in place of the in-memory port, this answers on a real network.

using Dataplane;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Telemetry;

var wire = new MemoryPort();
await using DataplaneEngine engine = new DataplaneBuilder()
    .Port("wire", PortSource.Memory(wire))
    .Stage(StagePosition.AfterParse, new ReflectStage())
    .Build();
await engine.StartAsync();

byte[] sent = PacketBuilder.Ethernet("02:00:00:00:00:09", "02:00:00:00:00:01").Ipv4("10.0.0.9", "10.0.0.1").Udp(4096, 7).Payload("hello").Build();
wire.TrySend(sent);
if (!wire.WaitToReceive(TimeSpan.FromSeconds(5)))
{
    Console.Error.WriteLine("nothing came back");
    return 1;
}

using (ReceivedFrames frames = wire.ReceiveMany())
{
    var back = ParsedPacket.Parse(frames[0]);
    Console.WriteLine($"sent     {sent.Length} bytes 10.0.0.9:4096 > 10.0.0.1:7");
    Console.WriteLine($"received {frames[0].Length} bytes {back.Source}:{back.SourcePort} > {back.Destination}:{back.DestinationPort}");
}

await engine.StopAsync();
Console.WriteLine(engine.ReadAccounting());
return 0;

/// <summary>Turns UDP over IPv4 round. Swapping addresses and ports leaves every checksum as it was: sums do not depend on order.</summary>
internal sealed class ReflectStage : IStage
{
    public string Name => "reflect";

    public void Process(PacketBatch batch)
    {
        for (int packet = 0; packet < batch.Count; packet++)
        {
            ref readonly PacketHeaders headers = ref batch.HeadersOf(packet);
            if (batch.VerdictOf(packet) != Verdict.Continue || headers.IpVersion != 4 || headers.Protocol != IpProtocols.Udp || headers.TransportOffset == 0)
            {
                continue;
            }

            Span<byte> frame = batch.Frame(packet);
            Swap(frame, 0, 6, 6);
            Swap(frame, headers.NetworkOffset + 12, headers.NetworkOffset + 16, 4);
            Swap(frame, headers.TransportOffset, headers.TransportOffset + 2, 2);
            batch.Transmit(packet, batch.Port);
        }
    }

    private static void Swap(Span<byte> frame, int first, int second, int length)
    {
        for (int i = 0; i < length; i++)
        {
            (frame[first + i], frame[second + i]) = (frame[second + i], frame[first + i]);
        }
    }
}
