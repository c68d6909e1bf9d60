using Dataplane.Packets;

namespace Dataplane.Pipeline;

/// <summary>Sees every received batch once all its packets are decided, before the frames are given back.</summary>
internal interface IBatchObserver
{
    /// <summary>Looks at a batch; the worker's thread.</summary>
    void Observe(PacketBatch batch);
}
