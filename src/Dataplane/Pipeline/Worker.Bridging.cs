using Dataplane.Bridging;
using Dataplane.Capturing;
using Dataplane.Packets;
using Dataplane.Ports;

namespace Dataplane.Pipeline;

/// <content>Frames that leave a bridge by several ports.</content>
internal sealed partial class Worker
{
    /// <summary>Copies of a batch's flooded frames, which lie in its memory: the first of each counts as released, since the frame was held, the others as made by the engine.</summary>
    private void RunFloods(PacketBatch received, IPort?[] ports)
    {
        BridgeWorker bridging = Context.Bridging;
        while (bridging.HasPending)
        {
            PacketBatch copies = bridging.Take(received, Context.NowNs, out int released);
            Leave(_transmit, copies, ports, CaptureOrigin.Flooded, 0, copies.Count - released, released);
        }
    }
}
