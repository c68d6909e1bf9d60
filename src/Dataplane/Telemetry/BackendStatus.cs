using Dataplane.Packets;

namespace Dataplane.Telemetry;

/// <summary>The counters of one backend.</summary>
/// <param name="Address">Its address.</param>
/// <param name="Port">Its port.</param>
/// <param name="Weight">Its share of new flows.</param>
/// <param name="Flows">Flows it has been given.</param>
/// <param name="Packets">Packets to and from it.</param>
/// <param name="Bytes">Their bytes.</param>
public sealed record BackendStatus(IpAddress Address, ushort Port, int Weight, long Flows, long Packets, long Bytes);
