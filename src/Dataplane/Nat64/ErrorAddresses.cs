using Dataplane.Packets;

namespace Dataplane.Nat64;

/// <summary>Addresses of an ICMP error as one of the other family, and those of the packet it quotes.</summary>
/// <param name="Source">Where it seems to come from.</param>
/// <param name="Destination">Where it goes.</param>
/// <param name="InnerSource">Source of the quoted packet.</param>
/// <param name="InnerDestination">Its destination.</param>
/// <param name="InnerSourcePort">Its source port; of echo the identifier.</param>
/// <param name="InnerDestinationPort">Its destination port.</param>
internal readonly record struct ErrorAddresses(IpAddress Source, IpAddress Destination, IpAddress InnerSource, IpAddress InnerDestination, ushort InnerSourcePort, ushort InnerDestinationPort);
