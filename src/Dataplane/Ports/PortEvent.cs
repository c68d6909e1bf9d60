namespace Dataplane.Ports;

/// <summary>Something that happened to a port beside the frames it carried, such as a peer that was refused.</summary>
/// <param name="Name">What, in words of lower case joined by <c>_</c>, such as <c>certificate_expired</c>.</param>
/// <param name="Count">How often since the port was opened.</param>
public readonly record struct PortEvent(string Name, long Count);
