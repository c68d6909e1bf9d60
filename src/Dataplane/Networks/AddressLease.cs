using Dataplane.Packets;

namespace Dataplane.Networks;

/// <summary>An address that somebody has, or had until a moment ago.</summary>
/// <param name="Address">The address.</param>
/// <param name="Holder">Who has it: one word for each attachment, such as <c>CONTAINER/eth0</c>.</param>
/// <param name="Released">When it was given back; null: it is held. Until the release delay has passed only the same holder gets it again.</param>
public sealed record AddressLease(IpAddress Address, string Holder, DateTimeOffset? Released);
