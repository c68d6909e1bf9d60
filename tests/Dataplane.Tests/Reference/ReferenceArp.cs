namespace Dataplane.Tests.Reference;

/// <summary>An ARP packet as <see cref="ReferenceDecoder"/> reads it.</summary>
public sealed record ReferenceArp(int Operation, string SenderMac, string SenderAddress, string TargetMac, string TargetAddress);
