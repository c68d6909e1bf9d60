using Dataplane.Packets;

namespace Dataplane.Bridging;

/// <summary>What one worker needs for bridges: the frames of the batch in hand that leave by several ports, and their copies. Used by one thread.</summary>
internal sealed class BridgeWorker
{
    private readonly short[] _pending = new short[PacketBatch.Capacity];
    private readonly PacketBatch _copies = new();
    private BridgePort? _source;
    private int _count;
    private int _packet;
    private int _target;

    /// <summary>Whether copies are still to be made.</summary>
    public bool HasPending => _packet < _count;

    /// <summary>Notes a frame of the batch in hand that leaves by all ports that its own reaches, of which there is one at least.</summary>
    public void Note(BridgePort source, int packet)
    {
        if (!HasPending)
        {
            (_source, _count, _packet, _target) = (source, 0, 0, 0);
        }

        _pending[_count++] = (short)packet;
    }

    /// <summary>Forgets what was noted.</summary>
    public void Clear() => (_count, _packet) = (0, 0);

    /// <summary>Makes copies, as many as fit into a batch: they share the memory of what was received.</summary>
    /// <param name="received">The batch that the frames lie in.</param>
    /// <param name="nowNs">Worker time.</param>
    /// <param name="released">Frames of which the first copy is among them: these were held, the other copies are made by the engine.</param>
    public PacketBatch Take(PacketBatch received, long nowNs, out int released)
    {
        PacketBatch copies = _copies;
        copies.Clear(received.Port, nowNs);
        int borrowed = copies.Borrow(received);
        BridgePort[] targets = _source!.Others;
        released = 0;
        while (_packet < _count && copies.Count < PacketBatch.Capacity)
        {
            released += _target == 0 ? 1 : 0;
            Copy(received, _pending[_packet], targets[_target], borrowed);
            if (++_target == targets.Length)
            {
                (_packet, _target) = (_packet + 1, 0);
            }
        }

        copies.Seal();
        return copies;
    }

    private void Copy(PacketBatch received, int packet, BridgePort target, int borrowed)
    {
        int copy = _copies.Count;
        _copies.Add(received.Offsets[packet] - borrowed, received.Lengths[packet]);
        if ((received.Marks[packet] & PacketMarks.Unfinished) != 0)
        {
            PacketOffload offload = received.Offloads[packet];
            offload.TransportAt -= borrowed;
            _copies.SetOffload(copy, in offload);
            _copies.Parsed[copy] = received.Parsed[packet];
        }

        BridgeStage.Leave(_copies, copy, target);
    }
}
