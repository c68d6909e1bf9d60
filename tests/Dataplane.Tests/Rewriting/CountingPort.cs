using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Ports;

namespace Dataplane.Tests.Rewriting;

/// <summary>A port that takes finished frames only, and counts them.</summary>
internal sealed class CountingPort : IPort
{
    public long Frames { get; private set; }

    public MacAddress Mac => default;

    public int Mtu => 1500;

    public LinkState Link => LinkState.Up;

    public FileDescriptor? PollDescriptor => null;

    public int Receive(PacketBatch batch) => 0;

    public void Release(PacketBatch batch)
    {
    }

    public int Transmit(PacketBatch batch, ReadOnlySpan<short> packets)
    {
        Frames += packets.Length;
        return packets.Length;
    }

    public void Flush()
    {
    }

    public void SetWaker(IPortWaker waker)
    {
    }

    public void ReadStatistics(out PortStatistics statistics) => statistics = default;

    public void Dispose()
    {
    }
}
