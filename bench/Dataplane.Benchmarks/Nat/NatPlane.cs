using System.Buffers.Binary;
using System.Globalization;
using Dataplane.Nat;
using Dataplane.Packets;
using Dataplane.Ports;

namespace Dataplane.Benchmarks.Nat;

/// <summary>An engine with a NAT rule between two in-memory ports, and a UDP packet of each of many flows from inside.</summary>
internal sealed class NatPlane : IAsyncDisposable
{
    public const int Batch = PacketBatch.Capacity, FrameBytes = 64 + 20;

    /// <summary>Flows to one remote end: an address has 64,512 ports towards each.</summary>
    private const int PerRemoteShift = 14;

    private readonly int[] _lengths = new int[Batch];
    private readonly MemoryPort _inside = new(Ring()), _outside = new(Ring());
    private readonly byte[] _frames;
    private readonly int _flows;
    private int _next;

    private NatPlane(string kind, int flows, int entries, byte[]? frames)
    {
        _flows = flows;
        DataplaneBuilder builder = new DataplaneBuilder()
            .Port("inside", PortSource.Memory(_inside)).Port("outside", PortSource.Memory(_outside))
            .Interface("inside", "198.18.0.1/24", mac: "02:00:00:00:00:01").Interface("inside", "2001:db8:18::1/64")
            .Interface("outside", "198.19.0.1/24", mac: "02:00:00:00:00:02").Interface("outside", "2001:db8:19::1/64")
            .Neighbour("outside", "198.19.0.2", "02:00:00:00:02:02").Neighbour("outside", "2001:db8:19::2", "02:00:00:00:02:02")
            .Route("48.0.0.0/8", "198.19.0.2").Route("2001:db8:48::/48", "2001:db8:19::2")
            .Route("10.0.0.0/8", "198.18.0.2").Route("2001:db8:a::/48", "2001:db8:18::2")
            .Workers(workers => workers with { Seed = 1, FlowEntries = entries });
        Engine = (kind == "nat64" ? builder.Nat(new NatSpec { Inside = "inside", Outside = "outside", Nat64 = IpPrefix.Parse("2001:db8:64::/96") }) : builder.Nat("inside", "outside")).Build();
        Engine.StartManual();
        byte[] first = MakeFrame(kind, 0);
        _lengths.AsSpan().Fill(first.Length);
        _frames = frames ?? MakeFrames(kind, flows);
    }

    public DataplaneEngine Engine { get; }

    /// <summary>Makes one that forwards.</summary>
    /// <param name="kind">nat44, nat66 or nat64.</param>
    /// <param name="flows">How many flows there are frames of; a multiple of a batch.</param>
    /// <param name="entries">Entries of the flow table, two a flow.</param>
    /// <param name="frames">Frames made for another engine of the kind, or null.</param>
    public static NatPlane Make(string kind, int flows, int entries, byte[]? frames = null) => new(kind, flows, entries, frames);

    public static byte[] MakeFrames(string kind, int flows)
    {
        byte[] frames = new byte[flows * MakeFrame(kind, 0).Length];
        int at = 0;
        for (int flow = 0; flow < flows; flow++)
        {
            byte[] frame = MakeFrame(kind, flow);
            frame.CopyTo(frames, at);
            at += frame.Length;
        }

        return frames;
    }

    /// <summary>Sends the next batch, has the engine forward it, and takes it out at the other side.</summary>
    public int Forward()
    {
        int bytes = _lengths[0] * Batch;
        _inside.SendMany(_frames.AsSpan(_next * bytes, bytes), _lengths);
        _next = _next + 1 == _flows / Batch ? 0 : _next + 1;
        int received = Engine.RunOnce();
        using ReceivedFrames sent = _outside.ReceiveMany(Batch);
        return received;
    }

    /// <summary>Throws when a packet was lost: then the figures would be those of something else.</summary>
    public void MustHaveLostNothing()
    {
        if (Engine.ReadAccounting() is { Dropped: not 0 } accounting)
        {
            throw new InvalidOperationException($"the benchmark lost packets: {accounting}");
        }
    }

    public ValueTask DisposeAsync() => Engine.DisposeAsync();

    private static MemoryPortOptions Ring() => new() { RingSlots = 1024, SlotBytes = 512, Mtu = 300 };

    /// <summary>64 bytes over IPv4; over IPv6 20 more, that the packet behind the headers is the same.</summary>
    private static byte[] MakeFrame(string kind, int flow)
    {
        PacketBuilder packet = PacketBuilder.Ethernet("02:00:00:00:01:01", "02:00:00:00:00:01");
        int remote = (flow >> PerRemoteShift) + 1;
        string remote4 = string.Create(CultureInfo.InvariantCulture, $"48.0.{remote >> 8}.{remote & 255}"), source6 = string.Create(CultureInfo.InvariantCulture, $"2001:db8:a::{flow & 127:x}");
        ushort port = (ushort)(1024 + (flow & 0x3FFF));
        packet = kind switch
        {
            "nat44" => packet.Ipv4(string.Create(CultureInfo.InvariantCulture, $"10.0.0.{flow & 127}"), remote4),
            "nat66" => packet.Ipv6(source6, string.Create(CultureInfo.InvariantCulture, $"2001:db8:48::{remote:x}")),
            _ => packet.Ipv6(source6, $"2001:db8:64::{remote4}"),
        };
        return packet.Udp(port, 80).PayloadOf(22).Build();
    }
}
