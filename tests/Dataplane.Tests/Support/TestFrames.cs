using Dataplane.Packets;
using Dataplane.Ports;

namespace Dataplane.Tests.Support;

/// <summary>Frames and batches for tests that care about bytes and not about protocols.</summary>
internal static class TestFrames
{
    /// <summary>Bytes that no other number and length yields the same of.</summary>
    internal static byte[] Make(int number, int length)
    {
        byte[] frame = new byte[length];
        new Random((number * 70_001) + length).NextBytes(frame);
        return frame;
    }

    /// <summary>A batch that holds copies of the frames, with 64 bytes before each.</summary>
    internal static PacketBatch Batch(params IReadOnlyList<byte[]> frames)
    {
        byte[] memory = new byte[frames.Sum(frame => frame.Length + 64)];
        var batch = new PacketBatch();
        batch.Clear(new PortId(0), 0);
        batch.SetMemory(memory);
        int at = 0;
        foreach (byte[] frame in frames)
        {
            at += 64;
            frame.CopyTo(memory.AsSpan(at));
            Assert.True(batch.Add(at, frame.Length));
            at += frame.Length;
        }

        return batch;
    }

    /// <summary>The numbers of all packets of a batch.</summary>
    internal static short[] All(PacketBatch batch) => [.. Enumerable.Range(0, batch.Count).Select(number => (short)number)];

    /// <summary>Copies of all frames of a batch.</summary>
    internal static List<byte[]> Copy(PacketBatch batch) => [.. Enumerable.Range(0, batch.Count).Select(number => batch.Frame(number).ToArray())];

    /// <summary>Receives everything a port has now, batch by batch, releasing each.</summary>
    internal static List<byte[]> ReceiveAll(IPort port, long nowNs = 0)
    {
        var frames = new List<byte[]>();
        var batch = new PacketBatch();
        batch.Clear(new PortId(0), nowNs);
        while (port.Receive(batch) > 0)
        {
            frames.AddRange(Copy(batch));
            port.Release(batch);
            batch.Clear(new PortId(0), nowNs);
        }

        return frames;
    }
}
