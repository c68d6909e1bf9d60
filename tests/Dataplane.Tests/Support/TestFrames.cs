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
        ulong state = ((ulong)(uint)number << 32) | (uint)length;
        for (int i = 0; i < length; i++)
        {
            // Knuth's MMIX generator; its high bits are the good ones.
            state = (state * 6_364_136_223_846_793_005) + 1_442_695_040_888_963_407;
            frame[i] = (byte)(state >> 56);
        }

        return frame;
    }

    /// <summary>A batch that holds copies of the frames, with 64 bytes before each.</summary>
    internal static PacketBatch Batch(params IReadOnlyList<byte[]> frames)
    {
        var batch = new PacketBatch();
        batch.Clear(new PortId(0), 0);
        return Fill(batch, frames);
    }

    /// <summary>Puts copies of the frames into an empty batch, with 64 bytes before each.</summary>
    internal static PacketBatch Fill(PacketBatch batch, IReadOnlyList<byte[]> frames)
    {
        byte[] memory = new byte[frames.Sum(frame => frame.Length + 64)];
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
