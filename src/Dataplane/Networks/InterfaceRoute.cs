using Dataplane.Packets;

namespace Dataplane.Networks;

/// <summary>A route that an interface of the kernel is set up with.</summary>
/// <param name="To">Destinations.</param>
/// <param name="Via">Gateway; null: destinations are on the link itself.</param>
public sealed record InterfaceRoute(IpPrefix To, IpAddress? Via);
