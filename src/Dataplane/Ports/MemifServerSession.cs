using Dataplane.Native;
using Dataplane.Native.Abi;

namespace Dataplane.Ports;

/// <summary>The server's side: takes the client's regions and rings, and believes nothing about them that it has not looked at.</summary>
/// <param name="find">Finds the port with an id that a client asks for, and says why it cannot have it.</param>
internal sealed class MemifServerSession(MemifServerSession.Finder find) : MemifSession
{
    private readonly List<Offer> _toServer = [];
    private readonly List<Offer> _toClient = [];
    private MemifRegions? _regions = new();

    /// <summary>Finds a port by id; null and a reason when a client cannot have it.</summary>
    public delegate MemifSettings? Finder(uint id, out MemifReason reason);

    /// <summary>The first message, which the server sends unasked.</summary>
    public static memif_msg Hello()
    {
        memif_msg message = new()
        {
            type = Memif.MEMIF_MSG_TYPE_HELLO,
            hello =
            {
                min_version = Memif.MEMIF_VERSION,
                max_version = Memif.MEMIF_VERSION,
                max_region = MemifRegions.MaxCount - 1,
                max_m2s_ring = MemifSettings.MaxQueues - 1,
                max_s2m_ring = MemifSettings.MaxQueues - 1,
                max_log2_ring_size = MemifSettings.MaxOrder,
            },
        };
        WriteName(message.hello.name, "Dataplane");
        return message;
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        foreach (Offer offer in _toServer.Concat(_toClient))
            offer.Interrupt.Dispose();
        _toServer.Clear();
        _toClient.Clear();
        _regions?.Dispose();
        _regions = null;
    }

    /// <inheritdoc/>
    protected override MemifReason Take(in memif_msg message, ref FileDescriptor? passed, ref memif_msg reply, ref FileDescriptor? replyDescriptor)
    {
        reply.type = Memif.MEMIF_MSG_TYPE_ACK;
        switch (message.type)
        {
            case Memif.MEMIF_MSG_TYPE_INIT when Settings is null:
                return Init(message.init);
            case Memif.MEMIF_MSG_TYPE_ADD_REGION when Settings is not null:
                return AddRegion(message.add_region, ref passed);
            case Memif.MEMIF_MSG_TYPE_ADD_RING when Settings is not null:
                return AddRing(message.add_ring, ref passed);
            case Memif.MEMIF_MSG_TYPE_CONNECT when Settings is not null:
                reply.type = Memif.MEMIF_MSG_TYPE_CONNECTED;
                WriteName(reply.connect.if_name, Settings.Name);
                return Connect();
            default:
                return MemifReason.UnexpectedMessage;
        }
    }

    private MemifReason Init(memif_msg_init init)
    {
        if (init.version != Memif.MEMIF_VERSION)
            return MemifReason.VersionMismatch;
        if (init.mode != Memif.MEMIF_INTERFACE_MODE_ETHERNET)
            return MemifReason.ModeUnsupported;
        MemifSettings? settings = find(init.id, out MemifReason reason);
        if (settings is null)
            return reason;
        if (!settings.Admits(init.secret))
            return MemifReason.SecretWrong;
        Settings = settings;
        return MemifReason.None;
    }

    private MemifReason AddRegion(memif_msg_add_region offer, ref FileDescriptor? passed)
    {
        MemifRegions regions = _regions!;
        if (offer.index != regions.Count || offer.index >= MemifRegions.MaxCount)
            return MemifReason.RegionIndex;
        if (offer.size > SharedRegion.MaxBytes - (ulong)regions.TotalBytes)
            return MemifReason.RegionLength;
        SharedRegionRefusal refusal = SharedRegion.TryAdopt(passed!, offer.size, out SharedRegion? region);
        if (region is null)
            return MemifReasons.Of(refusal);
        passed = null;
        regions.Add(region);
        return MemifReason.None;
    }

    private MemifReason AddRing(memif_msg_add_ring offer, ref FileDescriptor? passed)
    {
        List<Offer> rings = (offer.flags & Memif.MEMIF_MSG_ADD_RING_FLAG_S2M) != 0 ? _toServer : _toClient;
        if (offer.index >= Math.Min(Settings!.Options.Queues, MemifSettings.MaxQueues) || rings.Exists(ring => ring.Index == offer.index))
            return MemifReason.RingIndex;
        if (offer.private_hdr_size != 0)
            return MemifReason.RingHeader;
        if (!_regions!.HoldsRing(offer.region, offer.offset, offer.log2_ring_size, MemifSettings.MaxOrder))
            return MemifReason.RingPlace;
        PeerEvent? interrupt = PeerEvent.TryAdopt(passed!);
        if (interrupt is null)
            return MemifReason.InterruptRefused;
        passed = null;
        rings.Add(new Offer(offer.index, offer.region, offer.offset, offer.log2_ring_size, interrupt));
        return MemifReason.None;
    }

    private MemifReason Connect()
    {
        // Indices are different from each other, so they are 0, 1, ... when the highest is the count less one.
        if (!IsComplete(_toServer) || !IsComplete(_toClient))
            return MemifReason.RingsMissing;
        MemifRing?[] receive = [.. _toServer.OrderBy(ring => ring.Index).Select(Adopt)];
        MemifRing?[] transmit = [.. _toClient.OrderBy(ring => ring.Index).Select(Adopt)];
        if (receive.Contains(null) || transmit.Contains(null))
            return MemifReason.RingCookie;
        int most = Settings!.MaxFrameBytes;
        Connection = new MemifConnection(
            _regions!,
            [.. _toServer.OrderBy(ring => ring.Index).Zip(receive, (offer, ring) => new MemifReceiver(ring!, offer.Interrupt, most))],
            [.. _toClient.OrderBy(ring => ring.Index).Zip(transmit, (offer, ring) => new MemifTransmitter(ring!, offer.Interrupt, most))]);
        _toServer.Clear();
        _toClient.Clear();
        _regions = null;
        return MemifReason.None;
    }

    private static bool IsComplete(List<Offer> rings) => rings.Count > 0 && rings.Max(ring => ring.Index) == rings.Count - 1;

    private MemifRing? Adopt(Offer offer) => MemifRing.Adopt(_regions!, offer.Region, offer.Offset, offer.Order);

    private sealed record Offer(int Index, int Region, uint Offset, int Order, PeerEvent Interrupt);
}
