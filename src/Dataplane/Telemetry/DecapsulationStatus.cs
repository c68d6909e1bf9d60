using Dataplane.Packets;

namespace Dataplane.Telemetry;

/// <summary>An address at which packets inside packets are taken out, and how many have been.</summary>
/// <param name="Address">The address.</param>
/// <param name="Packets">Packets taken out and found sound.</param>
/// <param name="Bytes">Their bytes, as the frames that held them came.</param>
public sealed record DecapsulationStatus(IpAddress Address, long Packets, long Bytes);
