using Dataplane.Packets;

namespace Dataplane.Routing.Lpm;

/// <summary>One route to set, or with value 0 to withdraw.</summary>
/// <param name="Prefix">Host bits do not matter.</param>
/// <param name="Value">1 or more for what the route stands for, 0 to withdraw.</param>
internal readonly record struct RouteChange(IpPrefix Prefix, int Value);

/// <summary>As <see cref="RouteChange"/> for IPv4, in 12 bytes: for tables that come by the million.</summary>
/// <param name="First">First address in host order.</param>
/// <param name="Length">0 to 32.</param>
/// <param name="Value">1 or more for what the route stands for, 0 to withdraw.</param>
internal readonly record struct Ipv4RouteChange(uint First, byte Length, int Value);

/// <summary>As <see cref="RouteChange"/> for IPv6.</summary>
/// <param name="First">First address in host order.</param>
/// <param name="Length">0 to 128.</param>
/// <param name="Value">1 or more for what the route stands for, 0 to withdraw.</param>
internal readonly record struct Ipv6RouteChange(UInt128 First, byte Length, int Value);
