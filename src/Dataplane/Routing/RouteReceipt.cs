namespace Dataplane.Routing;

/// <summary>What a change of learnt routes has done.</summary>
/// <param name="Version">Version of the tables now in force.</param>
/// <param name="Added">Prefixes that had no route of their own before.</param>
/// <param name="Replaced">Prefixes whose route leads elsewhere now.</param>
/// <param name="Withdrawn">Prefixes that have no route of their own any more.</param>
/// <param name="Shadowed">Routes that were noted, but are of no effect as long as the configuration, an interface or a service has the same prefix.</param>
public sealed record RouteReceipt(int Version, int Added, int Replaced, int Withdrawn, int Shadowed);
