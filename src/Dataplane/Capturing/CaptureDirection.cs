namespace Dataplane.Capturing;

/// <summary>Where a capture has seen a packet.</summary>
public enum CaptureDirection : byte
{
    /// <summary>Received by a port: the packet as it came.</summary>
    Received = 0,

    /// <summary>Sent by a port: the packet as it leaves.</summary>
    Sent,

    /// <summary>Dropped after its receipt was over, having waited or been handed to another worker; or made by the engine and not sent. The packet as it was then.</summary>
    Dropped,
}
