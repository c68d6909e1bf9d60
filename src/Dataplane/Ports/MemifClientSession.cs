using Dataplane.Native;
using Dataplane.Native.Abi;

namespace Dataplane.Ports;

/// <summary>The client's side: makes the memory, and offers it to the server one message per acknowledgement.</summary>
internal sealed class MemifClientSession : MemifSession
{
    private readonly List<(memif_msg Message, FileDescriptor? Passed)> _toSend = [];
    private readonly List<MemifReceiver> _receivers = [];
    private readonly List<MemifTransmitter> _transmitters = [];
    private MemifRegions? _regions;
    private int _sent;

    public MemifClientSession(MemifSettings settings) => Settings = settings;

    /// <inheritdoc/>
    public override void Dispose()
    {
        _receivers.ForEach(receiver => receiver.Interrupt.Dispose());
        _transmitters.ForEach(transmitter => transmitter.Interrupt.Dispose());
        _receivers.Clear();
        _transmitters.Clear();
        _regions?.Dispose();
        _regions = null;
    }

    /// <inheritdoc/>
    protected override MemifReason Take(in memif_msg message, ref FileDescriptor? passed, ref memif_msg reply, ref FileDescriptor? replyDescriptor)
    {
        switch (message.type)
        {
            case Memif.MEMIF_MSG_TYPE_HELLO when _toSend.Count == 0:
                MemifReason reason = Hello(message.hello);
                if (reason != MemifReason.None)
                    return reason;
                break;
            case Memif.MEMIF_MSG_TYPE_ACK when _sent > 0 && _sent < _toSend.Count:
                break;
            case Memif.MEMIF_MSG_TYPE_CONNECTED when _sent > 0 && _sent == _toSend.Count:
                Connection = new MemifConnection(_regions!, [.. _receivers], [.. _transmitters]);
                _receivers.Clear();
                _transmitters.Clear();
                _regions = null;
                return MemifReason.None;
            default:
                return MemifReason.UnexpectedMessage;
        }

        (reply, replyDescriptor) = _toSend[_sent++];
        return MemifReason.None;
    }

    private MemifReason Hello(memif_msg_hello hello)
    {
        if (hello.min_version > Memif.MEMIF_VERSION || hello.max_version < Memif.MEMIF_VERSION)
            return MemifReason.VersionMismatch;
        int order = Math.Min(Settings!.Order, (int)hello.max_log2_ring_size);
        if (order < 1)
            return MemifReason.RingPlace;
        MemifOptions options = Settings.Options;
        try
        {
            Prepare(options, order, Math.Min(options.Queues, hello.max_s2m_ring + 1), Math.Min(options.Queues, hello.max_m2s_ring + 1));
            return MemifReason.None;
        }
        catch (LinuxException)
        {
            return MemifReason.NoMemory;
        }
    }

    /// <summary>Makes the region, all rings first and the buffers behind them, and the messages that tell of it.</summary>
    private void Prepare(MemifOptions options, int order, int toServer, int toClient)
    {
        int rings = toServer + toClient, ringBytes = MemifRegions.RingBytes(order), bufferBytes = MemifRing.StrideFor(options.BufferBytes) << order;
        int buffers = ((rings * ringBytes) + 63) & ~63;
        _regions = new MemifRegions();
        _regions.Add(SharedRegion.Create($"memif {Settings!.Name}", buffers + (rings * bufferBytes)));
        memif_msg init = new() { type = Memif.MEMIF_MSG_TYPE_INIT, init = { version = Memif.MEMIF_VERSION, id = Settings.Id } };
        Settings.CopySecret(init.init.secret);
        WriteName(init.init.name, "Dataplane");
        _toSend.Add((init, null));
        memif_msg region = new() { type = Memif.MEMIF_MSG_TYPE_ADD_REGION, add_region = { size = (ulong)_regions[0].LengthBytes } };
        _toSend.Add((region, _regions[0].Descriptor));
        for (int i = 0; i < rings; i++)
        {
            bool isToServer = i < toServer;
            PeerEvent interrupt = PeerEvent.Create();
            MemifRing ring = MemifRing.Create(_regions, i * ringBytes, order, buffers + (i * bufferBytes), options.BufferBytes);
            if (isToServer)
                _transmitters.Add(new MemifTransmitter(ring, interrupt, Settings.MaxFrameBytes));
            else
                _receivers.Add(new MemifReceiver(ring, interrupt, Settings.MaxFrameBytes));
            memif_msg offer = new()
            {
                type = Memif.MEMIF_MSG_TYPE_ADD_RING,
                add_ring =
                {
                    flags = isToServer ? Memif.MEMIF_MSG_ADD_RING_FLAG_S2M : (ushort)0,
                    index = (ushort)(isToServer ? i : i - toServer),
                    offset = (uint)(i * ringBytes),
                    log2_ring_size = (byte)order,
                },
            };
            _toSend.Add((offer, interrupt.Descriptor));
        }

        memif_msg connect = new() { type = Memif.MEMIF_MSG_TYPE_CONNECT };
        WriteName(connect.connect.if_name, Settings.Name);
        _toSend.Add((connect, null));
    }
}
