using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Dataplane.Native;
using Dataplane.Native.Abi;
using Dataplane.Tests.Support;

namespace Dataplane.Tests.Ports;

/// <summary>A memif client that writes what it is told to write, true or not.</summary>
internal sealed class MemifLiar : IDisposable
{
    public const int Order = 4, Entries = 1 << Order, BufferBytes = 2048, Buffers = 4096;

    /// <summary>The ring to the server and the ring from it, as offsets in the region.</summary>
    public const int ToServer = 0, ToClient = 1024;

    private readonly FileDescriptor _socket;

    public MemifLiar(string path)
    {
        FileDescriptor? socket = null;
        MemifBed.Await(() => (socket = UnixSocket.TryConnect(path)) is not null);
        _socket = socket!;
        Assert.Equal(Memif.MEMIF_MSG_TYPE_HELLO, Expect().type);
        Region = SharedRegion.Create("liar", Buffers + (2 * Entries * BufferBytes));
        foreach (int ring in new[] { ToServer, ToClient })
        {
            BinaryPrimitives.WriteUInt32LittleEndian(Region.Span[ring..], Memif.MEMIF_COOKIE);
            for (int slot = 0; slot < Entries; slot++)
                Describe(ring, slot, 0, 0, BufferBytes, (uint)BufferOf(ring, slot));
        }
    }

    public SharedRegion Region { get; }

    public PeerEvent Event { get; } = PeerEvent.Create();

    public static memif_msg Init => new() { type = Memif.MEMIF_MSG_TYPE_INIT, init = { version = Memif.MEMIF_VERSION } };

    public static memif_msg Connect => new() { type = Memif.MEMIF_MSG_TYPE_CONNECT };

    public memif_msg AddRegion => new() { type = Memif.MEMIF_MSG_TYPE_ADD_REGION, add_region = { size = (ulong)Region.LengthBytes } };

    public static memif_msg AddRing(int ring) => new()
    {
        type = Memif.MEMIF_MSG_TYPE_ADD_RING,
        add_ring = { flags = ring == ToServer ? Memif.MEMIF_MSG_ADD_RING_FLAG_S2M : (ushort)0, offset = (uint)ring, log2_ring_size = Order },
    };

    public static int BufferOf(int ring, int slot) => Buffers + (((ring == ToServer ? 0 : Entries) + (slot % Entries)) * BufferBytes);

    /// <summary>The whole handshake, truthfully.</summary>
    public MemifLiar Shake()
    {
        Ask(Init);
        Ask(AddRegion, Region.Descriptor);
        Ask(AddRing(ToServer), Event.Descriptor);
        Ask(AddRing(ToClient), Event.Descriptor);
        Send(Connect);
        Assert.Equal(Memif.MEMIF_MSG_TYPE_CONNECTED, Expect().type);
        return this;
    }

    public void Ask(memif_msg message, FileDescriptor? passed = null)
    {
        Send(message, passed);
        memif_msg answer = Expect();
        Assert.True(answer.type == Memif.MEMIF_MSG_TYPE_ACK, $"answer of type {answer.type}: {TextOf(answer)}");
    }

    public void Send(memif_msg message, FileDescriptor? passed = null) => SendRaw(MemoryMarshal.AsBytes(new ReadOnlySpan<memif_msg>(in message)), passed);

    public void SendRaw(ReadOnlySpan<byte> bytes, FileDescriptor? passed = null) => Assert.True(UnixSocket.TrySend(_socket, bytes, passed));

    /// <summary>The next message.</summary>
    public memif_msg Expect()
    {
        byte[] buffer = new byte[memif_msg.Bytes];
        int length = -1;
        MemifBed.Await(() => (length = UnixSocket.Receive(_socket, buffer, out _, out _)) >= 0);
        Assert.Equal(memif_msg.Bytes, length);
        return MemoryMarshal.Read<memif_msg>(buffer);
    }

    /// <summary>Waits to be thrown out, and returns why.</summary>
    public string ExpectEnd()
    {
        memif_msg message = Expect();
        Assert.Equal(Memif.MEMIF_MSG_TYPE_DISCONNECT, message.type);
        return TextOf(message);
    }

    public void Describe(int ring, int slot, ushort flags, ushort region, uint length, uint offset)
    {
        Span<byte> descriptor = Region.Span[(ring + 128 + (16 * (slot % Entries)))..];
        BinaryPrimitives.WriteUInt16LittleEndian(descriptor, flags);
        BinaryPrimitives.WriteUInt16LittleEndian(descriptor[2..], region);
        BinaryPrimitives.WriteUInt32LittleEndian(descriptor[4..], length);
        BinaryPrimitives.WriteUInt32LittleEndian(descriptor[8..], offset);
    }

    /// <summary>Puts a frame into its slot and describes it.</summary>
    public byte[] Fill(int slot, int number, int length, ushort flags = 0)
    {
        byte[] frame = TestFrames.Make(number, length);
        frame.CopyTo(Region.Span[BufferOf(ToServer, slot)..]);
        Describe(ToServer, slot, flags, 0, (uint)length, (uint)BufferOf(ToServer, slot));
        return frame;
    }

    public void SetHead(int ring, int value) => BinaryPrimitives.WriteUInt16LittleEndian(Region.Span[(ring + 6)..], (ushort)value);

    public int Head(int ring) => BinaryPrimitives.ReadUInt16LittleEndian(Region.Span[(ring + 6)..]);

    public int Tail(int ring) => BinaryPrimitives.ReadUInt16LittleEndian(Region.Span[(ring + 64)..]);

    public void Dispose()
    {
        _socket.Dispose();
        Region.Dispose();
        Event.Dispose();
    }

    private static string TextOf(memif_msg message) => System.Text.Encoding.ASCII.GetString(message.disconnect.text).TrimEnd('\0');
}
