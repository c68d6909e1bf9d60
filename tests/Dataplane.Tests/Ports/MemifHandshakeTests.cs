using System.Runtime.InteropServices;
using Dataplane.Native;
using Dataplane.Native.Abi;
using Dataplane.Packets;
using Dataplane.Ports;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Ports;

/// <summary>What a client says that is not so, and what nobody would say.</summary>
[Collection(MemifCollection.Name)]
public sealed class MemifHandshakeTests : IDisposable
{
    private static readonly MemifSettings s_settings =
        new("fuzz", "@fuzz", 0, PortRole.Server, new MemifOptions { RingEntries = 16 }, new MacAddress(0x0200_0000_0001), 1500);

    private readonly MemifBed _bed = new();

    public void Dispose() => _bed.Dispose();

    /// <summary>One wrong field each, at the message it is in, and the reason that must be given.</summary>
    public static TheoryData<string, string> Lies => new()
    {
        { "version", "only memif version 2.0 is supported" },
        { "mode", "only Ethernet mode is supported" },
        { "region index", "regions are not numbered 0, 1, ... up to 15" },
        { "region size", "region empty, over 1 GB in all, or file shorter than the message says" },
        { "region empty", "region empty, over 1 GB in all, or file shorter than the message says" },
        { "region huge", "region empty, over 1 GB in all, or file shorter than the message says" },
        { "region unsealed", "the file of a region may shrink: F_SEAL_SHRINK is missing" },
        { "region no memfd", "a region is no sealed memfd of ordinary pages that can be mapped read-write" },
        { "region no descriptor", "a descriptor is missing with ADD_REGION or ADD_RING" },
        { "ring index", "ring number too high or used twice" },
        { "ring twice", "ring number too high or used twice" },
        { "ring region", "a ring is not 2 to 16384 long, not at a multiple of 16, or outside its region" },
        { "ring offset", "a ring is not 2 to 16384 long, not at a multiple of 16, or outside its region" },
        { "ring unaligned", "a ring is not 2 to 16384 long, not at a multiple of 16, or outside its region" },
        { "ring order", "a ring is not 2 to 16384 long, not at a multiple of 16, or outside its region" },
        { "ring header", "private headers are not supported" },
        { "ring event", "the descriptor of a ring is no eventfd" },
        { "ring missing", "each direction needs ring 0, and none may be left out" },
        { "cookie", "a ring does not begin with the cookie" },
        { "type", "unknown type of message" },
        { "turn", "message out of turn" },
        { "short", "a message is not 128 bytes long" },
        { "long", "a message is not 128 bytes long" },
        { "descriptor", "descriptors came with a message that carries none, or several at once" },
    };

    [Theory]
    [MemberData(nameof(Lies))]
    public void Handshake_OneLie_IsRefusedByNameAndTheNextClientIsServed(string lie, string reason)
    {
        IPort port = _bed.Open(PortRole.Server);
        using (var liar = new MemifLiar(_bed.SocketPath))
        {
            Lie(liar, lie);
            Assert.Equal(reason, liar.ExpectEnd());
        }

        using MemifLiar honest = new MemifLiar(_bed.SocketPath).Shake();
        MemifBed.AwaitLink(port, LinkState.Up);
    }

    [Fact]
    public void Handshake_RandomAndMutatedMessages_NeverThrowAndNeverLeak()
    {
        using SharedRegion region = SharedRegion.Create("fuzz", 8192);
        Run(new Random(0), region);
        int before = Directory.GetFileSystemEntries("/proc/self/fd").Length;
        int connected = 0, refused = 0;
        var reasons = new HashSet<MemifReason>();
        Prop.ForAll(Gen.Choose(0, int.MaxValue).ToArbitrary(), seed =>
        {
            MemifReason reason = Run(new Random(seed), region);
            reasons.Add(reason);
            _ = reason == MemifReason.None ? connected++ : refused++;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(3000));
        Assert.InRange(Directory.GetFileSystemEntries("/proc/self/fd").Length, 0, before + 8);
        Assert.True(connected > 0 && refused > 1000 && reasons.Count > 8, $"{connected} connected, {refused} refused: {string.Join(' ', reasons)}");
    }

    private static MemifReason Run(Random random, SharedRegion region)
    {
        using var client = new MemifClientSession(s_settings with { Role = PortRole.Client });
        using var server = new MemifServerSession(Find);
        MemifReason reason = Talk(random, region, client, server);
        if (reason == MemifReason.None)
            Assert.Equal((1, 1), (server.Connection!.Receivers.Length, client.Connection!.Receivers.Length));
        server.Connection?.Dispose();
        client.Connection?.Dispose();
        return reason;

        static MemifSettings? Find(uint id, out MemifReason reason)
        {
            reason = id == 0 ? MemifReason.None : MemifReason.IdUnknown;
            return id == 0 ? s_settings : null;
        }
    }

    /// <summary>A handshake with both sides, of which some messages were changed, and some descriptors exchanged or left out on their way.</summary>
    private static MemifReason Talk(Random random, SharedRegion region, MemifClientSession client, MemifServerSession server)
    {
        int rate = random.Next(2) * random.Next(1, 30);
        memif_msg message = MemifServerSession.Hello();
        FileDescriptor? passed = null;
        for (int turn = 0; server.Connection is null || client.Connection is null; turn++)
        {
            MemifSession to = turn % 2 == 0 ? client : server;
            byte[] bytes = MemoryMarshal.AsBytes(new ReadOnlySpan<memif_msg>(in message)).ToArray();
            int length = bytes.Length;
            if (random.Next(100) < rate)
                Mutate(random, bytes, ref length);
            FileDescriptor? copy = passed is null || random.Next(200) < rate ? null : Duplicate(random.Next(200) < rate ? region.Descriptor : passed);
            MemifReason reason = to.Take(bytes, length, copy, copy is null ? 0 : 1, out message, out passed);
            if (reason != MemifReason.None)
                return reason;
            if (message.type == Memif.MEMIF_MSG_TYPE_NONE && server.Connection is null)
                return MemifReason.UnexpectedMessage;
        }

        return MemifReason.None;
    }

    private static void Mutate(Random random, byte[] bytes, ref int length)
    {
        switch (random.Next(5))
        {
            case 0:
                random.NextBytes(bytes);
                bytes[1] = 0;
                bytes[0] %= 10;
                break;
            case 1:
                length = random.Next(300);
                break;
            case 2:
                bytes[0] = (byte)random.Next(10);
                break;
            default:
                bytes[2 + random.Next(16)] ^= (byte)(1 << random.Next(8));
                break;
        }
    }

    /// <summary>What the kernel does with a descriptor on its way through a socket.</summary>
    private static FileDescriptor Duplicate(FileDescriptor descriptor)
    {
        string path = $"@dup-{Guid.NewGuid():N}";
        using FileDescriptor listener = UnixSocket.Listen(path), from = UnixSocket.TryConnect(path)!, to = UnixSocket.TryAccept(listener)!;
        Assert.True(UnixSocket.TrySend(from, [1], descriptor));
        UnixSocket.Receive(to, new byte[1], out FileDescriptor? copy, out _);
        return copy!;
    }

    private static void Lie(MemifLiar liar, string lie)
    {
        memif_msg init = MemifLiar.Init, region = liar.AddRegion, ring = MemifLiar.AddRing(MemifLiar.ToServer);
        if (lie is "version" or "mode" or "type" or "turn" or "short" or "long" or "descriptor")
        {
            init.init.version += (ushort)(lie == "version" ? 1 : 0);
            init.init.mode = (byte)(lie == "mode" ? 1 : 0);
            init.type = lie == "type" ? (ushort)9 : lie == "turn" ? Memif.MEMIF_MSG_TYPE_CONNECT : init.type;
            byte[] bytes = MemoryMarshal.AsBytes(new ReadOnlySpan<memif_msg>(in init)).ToArray();
            liar.SendRaw(lie == "short" ? bytes[..127] : lie == "long" ? [.. bytes, 0] : bytes, lie == "descriptor" ? liar.Event.Descriptor : null);
            return;
        }

        liar.Ask(init);
        if (lie.StartsWith("region", StringComparison.Ordinal))
        {
            region.add_region.index = (ushort)(lie == "region index" ? 1 : 0);
            region.add_region.size = lie switch { "region size" => region.add_region.size + 1, "region empty" => 0, "region huge" => ulong.MaxValue, _ => region.add_region.size };
            using FileDescriptor unsealed = new(Libc.MemfdCreate("unsealed", 3));
            Assert.Equal(0, Libc.Ftruncate(unsealed.Number, liar.Region.LengthBytes));
            liar.Send(region, lie switch
            {
                "region no descriptor" => null,
                "region no memfd" => liar.Event.Descriptor,
                "region unsealed" => unsealed,
                _ => liar.Region.Descriptor,
            });
            return;
        }

        liar.Ask(region, liar.Region.Descriptor);
        if (lie is not ("cookie" or "ring missing" or "ring twice"))
        {
            ring.add_ring.index = (ushort)(lie == "ring index" ? 1 : 0);
            ring.add_ring.region = (ushort)(lie == "ring region" ? 1 : 0);
            ring.add_ring.offset = lie switch { "ring offset" => (uint)liar.Region.LengthBytes - 256, "ring unaligned" => 8, _ => 0 };
            ring.add_ring.log2_ring_size = (byte)(lie == "ring order" ? 15 : MemifLiar.Order);
            ring.add_ring.private_hdr_size = (ushort)(lie == "ring header" ? 1 : 0);
            liar.Send(ring, lie == "ring event" ? liar.Region.Descriptor : liar.Event.Descriptor);
            return;
        }

        liar.Ask(ring, liar.Event.Descriptor);
        if (lie == "ring twice")
        {
            liar.Send(ring, liar.Event.Descriptor);
            return;
        }

        if (lie == "cookie")
        {
            liar.Ask(MemifLiar.AddRing(MemifLiar.ToClient), liar.Event.Descriptor);
            liar.Region.Span[MemifLiar.ToClient] ^= 1;
        }

        liar.Send(MemifLiar.Connect);
    }
}
