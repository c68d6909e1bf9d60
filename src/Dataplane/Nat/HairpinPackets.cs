using Dataplane.Packets;

namespace Dataplane.Nat;

/// <summary>Packets of the batch in hand that go from one inside host to another by their outside addresses: they have the sender's, and go through the stages again as if
/// they had gone out and come back (RFC 4787 REQ-9). Used by one thread.</summary>
internal sealed class HairpinPackets
{
    private readonly short[] _packets = new short[PacketBatch.Capacity];
    private readonly PacketBatch _batch = new();
    private int _count;

    public bool HasPending => _count > 0;

    /// <summary>Notes a packet of the batch in hand.</summary>
    public void Note(int packet) => _packets[_count++] = (short)packet;

    /// <summary>Makes a batch of them, in the memory of the one they came in.</summary>
    public PacketBatch Take(PacketBatch sent, long nowNs)
    {
        _batch.Clear(sent.Port, nowNs);
        int borrowed = _batch.Borrow(sent);
        for (int at = 0; at < _count; at++)
        {
            int packet = _packets[at];
            _batch.Add(sent.Offsets[packet] - borrowed, sent.Lengths[packet]);
            if ((sent.Marks[packet] & PacketMarks.Unfinished) != 0)
            {
                PacketOffload offload = sent.Offloads[packet];
                offload.TransportAt -= borrowed;
                _batch.SetOffload(at, in offload);
            }
        }

        _count = 0;
        Mark(_batch);
        _batch.Seal();
        return _batch;
    }

    /// <summary>Marks the packets of a batch, so that none goes round twice.</summary>
    public static void Mark(PacketBatch batch)
    {
        for (int i = 0; i < batch.Count; i++)
        {
            batch.Marks[i] |= PacketMarks.Hairpin;
        }
    }
}
