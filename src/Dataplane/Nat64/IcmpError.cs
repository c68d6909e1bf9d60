namespace Dataplane.Nat64;

/// <summary>An ICMP error as it is in the other family.</summary>
/// <param name="Type">Its type; 0: it is none there.</param>
/// <param name="Code">Its code.</param>
/// <param name="Rest">The four bytes behind the checksum: MTU or pointer.</param>
internal readonly record struct IcmpError(byte Type, byte Code, uint Rest);
