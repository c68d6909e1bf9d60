namespace Dataplane.Telemetry;

/// <summary>Figures of the engine as a whole.</summary>
/// <param name="TablesVersion">Version of the tables in force.</param>
/// <param name="FlowEntries">Flow table entries in use, two per flow.</param>
/// <param name="FlowCapacity">Flow table entries at most.</param>
/// <param name="FlowsExpired">Flows forgotten because they were idle too long.</param>
/// <param name="FlowsEvicted">Flows given up before their time to make room.</param>
/// <param name="Neighbours">Neighbour table entries in use.</param>
/// <param name="IcmpErrorsSuppressed">ICMP errors not sent because of the rate limit.</param>
/// <param name="OriginatedSuppressed">Packets of the engine's own not made because its buffers were full.</param>
/// <param name="IsStateless">Whether a worker serves new connections to services without flows: within the last minute there was no room for one.</param>
/// <param name="StatelessSwitches">How often workers have begun to do so.</param>
/// <param name="StatelessPackets">Packets forwarded so, both ways.</param>
/// <param name="FlowTableBytes">Memory of the flow tables, with mapped ports and followed connections where there are any: taken from the kernel at the start, and used as flows come.</param>
public sealed record EngineFigures(int TablesVersion, int FlowEntries, int FlowCapacity, long FlowsExpired, long FlowsEvicted, int Neighbours,
    long IcmpErrorsSuppressed, long OriginatedSuppressed, bool IsStateless, long StatelessSwitches, long StatelessPackets, long FlowTableBytes);
