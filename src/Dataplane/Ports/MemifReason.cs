using Dataplane.Native;

namespace Dataplane.Ports;

/// <summary>Why a memif link is down.</summary>
internal enum MemifReason
{
    None,
    NoPeer,
    PeerClosed,
    PeerDisconnected,
    Closed,
    TimedOut,
    MessageLength,
    UnknownMessage,
    UnexpectedMessage,
    DescriptorMissing,
    DescriptorUnexpected,
    VersionMismatch,
    ModeUnsupported,
    IdUnknown,
    AlreadyConnected,
    SecretWrong,
    RegionIndex,
    RegionLength,
    RegionNotSealed,
    RegionRefused,
    RingIndex,
    RingPlace,
    RingHeader,
    RingCookie,
    RingsMissing,
    InterruptRefused,
    NoMemory,
    RingIndexOutOfRing,
    BufferOutOfRegion,
}

/// <summary>The reasons in words: what the peer is told (95 bytes at most) and what the port's status says.</summary>
internal static class MemifReasons
{
    public static string TextOf(MemifReason reason) => reason switch
    {
        MemifReason.NoPeer => "no peer yet",
        MemifReason.PeerClosed => "the peer has closed the connection or ended",
        MemifReason.PeerDisconnected => "the peer has disconnected",
        MemifReason.Closed => "the port was closed",
        MemifReason.TimedOut => "the handshake took longer than 2 seconds",
        MemifReason.MessageLength => "a message is not 128 bytes long",
        MemifReason.UnknownMessage => "unknown type of message",
        MemifReason.UnexpectedMessage => "message out of turn",
        MemifReason.DescriptorMissing => "a descriptor is missing with ADD_REGION or ADD_RING",
        MemifReason.DescriptorUnexpected => "descriptors came with a message that carries none, or several at once",
        MemifReason.VersionMismatch => "only memif version 2.0 is supported",
        MemifReason.ModeUnsupported => "only Ethernet mode is supported",
        MemifReason.IdUnknown => "no server port has this id on this socket",
        MemifReason.AlreadyConnected => "the port has a peer already",
        MemifReason.SecretWrong => "secret missing or wrong",
        MemifReason.RegionIndex => "regions are not numbered 0, 1, ... up to 15",
        MemifReason.RegionLength => "region empty, over 1 GB in all, or file shorter than the message says",
        MemifReason.RegionNotSealed => "the file of a region may shrink: F_SEAL_SHRINK is missing",
        MemifReason.RegionRefused => "a region is no sealed memfd of ordinary pages that can be mapped read-write",
        MemifReason.RingIndex => "ring number too high or used twice",
        MemifReason.RingPlace => "a ring is not 2 to 16384 long, not at a multiple of 16, or outside its region",
        MemifReason.RingHeader => "private headers are not supported",
        MemifReason.RingCookie => "a ring does not begin with the cookie",
        MemifReason.RingsMissing => "each direction needs ring 0, and none may be left out",
        MemifReason.InterruptRefused => "the descriptor of a ring is no eventfd",
        MemifReason.NoMemory => "no memory or descriptors for the connection",
        MemifReason.RingIndexOutOfRing => "ring index went back or beyond the ring",
        MemifReason.BufferOutOfRegion => "a lent buffer lies outside its region or is under 64 bytes",
        _ => "",
    };

    public static MemifReason Of(SharedRegionRefusal refusal) => refusal switch
    {
        SharedRegionRefusal.LengthOutOfRange or SharedRegionRefusal.ShorterThanClaimed => MemifReason.RegionLength,
        SharedRegionRefusal.MayShrink => MemifReason.RegionNotSealed,
        _ => MemifReason.RegionRefused,
    };

    public static MemifReason Of(MemifFault fault) => fault switch
    {
        MemifFault.IndexOutOfRing => MemifReason.RingIndexOutOfRing,
        MemifFault.BufferOutOfRegion => MemifReason.BufferOutOfRegion,
        _ => MemifReason.None,
    };
}
