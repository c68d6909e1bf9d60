using Dataplane.Packets;
using Dataplane.Routing;

namespace Dataplane.Telemetry;

/// <summary>One neighbour.</summary>
/// <param name="Port">Name of the port it is on.</param>
/// <param name="Vlan">VLAN, 0 untagged.</param>
/// <param name="Address">Its address.</param>
/// <param name="Mac">Its hardware address; zero while it is being asked for.</param>
/// <param name="State">What is known about it.</param>
/// <param name="Waiting">Packets that wait for it.</param>
public sealed record NeighbourStatus(string Port, int Vlan, IpAddress Address, MacAddress Mac, NeighbourState State, int Waiting);
