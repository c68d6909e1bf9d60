namespace Dataplane.Bridging;

/// <summary>Frames that leave a bridge by more than one port.</summary>
internal enum FloodKind
{
    /// <summary>To an address that nobody was seen under.</summary>
    Unknown,

    /// <summary>To everybody.</summary>
    Broadcast,

    /// <summary>To a group.</summary>
    Multicast,
}
