using Dataplane.Packets;

namespace Dataplane.Ports;

/// <content>Frames that are longer than a chunk: of several entries of the ring, of which all but the last say that another follows (XDP_PKT_CONTD).</content>
internal sealed partial class AfXdpPort
{
    /// <summary>Frames of one chunk stay where they are; the others are put together behind each other, and their chunks are free at once.</summary>
    private int ReceiveParts(PacketBatch batch, FrameGather gather)
    {
        int first = batch.Count;
        while (batch.Count < PacketBatch.Capacity && gather.HasRoom && _socket.TryTakePart(out int offset, out int length, out bool continues))
        {
            _withKernel--;
            if (!continues && !gather.IsOpen)
            {
                batch.Add(offset, length);
                _received[_receivedCount++] = _socket.ChunkOf(offset);
                continue;
            }

            gather.Add(offset, length);
            if (continues)
            {
                _frames.Return(_socket.ChunkOf(offset));
            }
            else
            {
                // One chunk comes back with the packet, as with those that have but one.
                gather.Finish(batch);
                _received[_receivedCount++] = _socket.ChunkOf(offset);
            }
        }

        _socket.FinishTaking();
        if (batch.Count == first && _withKernel < _ringEntries)
        {
            // Parts without an end: nobody will give their chunks back with a packet.
            TopUp(0);
        }

        return batch.Count - first;
    }

    private bool TryCopyParts(PacketBatch batch, int packet, int length)
    {
        int chunkBytes = _frames.ChunkBytes, parts = (length + chunkBytes - 1) / chunkBytes;
        if (_sending + parts > _ringEntries || !_socket.HasRoomFor(parts) || _frames.Pooled < parts)
        {
            return false;
        }

        ReadOnlySpan<byte> frame = batch.Memory.Slice(batch.Offsets[packet], length);
        while (frame.Length > 0)
        {
            _frames.TryTake(_number, out int chunk);
            int taken = Math.Min(frame.Length, chunkBytes);
            frame[..taken].CopyTo(_memory.Span[(chunk * chunkBytes)..]);
            frame = frame[taken..];
            _socket.TransmitPart(chunk * chunkBytes, taken, continues: frame.Length > 0);
        }

        _sending += parts;
        return true;
    }
}
