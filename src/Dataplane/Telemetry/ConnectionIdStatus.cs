namespace Dataplane.Telemetry;

/// <summary>What the connection IDs of packets from clients to a service said, packet by packet, and what came of it. Their sum is the packets that were asked.</summary>
/// <param name="Routed">Packets that named a backend which is there.</param>
/// <param name="ClientChosen">Initial and 0-RTT packets, whose connection ID a client may have made up.</param>
/// <param name="UnknownType">Long headers of unknown versions, and of types that clients do not send.</param>
/// <param name="WrongLength">Connection IDs that are too short, or not as long as they say; fragments.</param>
/// <param name="NoConfiguration">Connection IDs of a configuration that there is not, or that say themselves that they lead nowhere.</param>
/// <param name="UnknownServer">Connection IDs of a server that no backend is.</param>
/// <param name="Unavailable">Connection IDs of a backend that is down, or whose time to drain is over.</param>
/// <param name="FlowsBegun">Flows that began with the backend their first packet named: connections that had another address or port before, as a rule.</param>
/// <param name="FlowsMoved">Of these, flows that took the address and port of a flow with another backend.</param>
public sealed record ConnectionIdStatus(long Routed, long ClientChosen, long UnknownType, long WrongLength, long NoConfiguration, long UnknownServer, long Unavailable,
    long FlowsBegun, long FlowsMoved);
