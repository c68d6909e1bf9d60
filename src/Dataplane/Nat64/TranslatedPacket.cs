namespace Dataplane.Nat64;

/// <summary>What has become of a packet that was translated to the other family.</summary>
/// <param name="MaxBytes">How long its pieces may be, whatever the link carries.</param>
/// <param name="Identification">Number of its fragments, should it be cut.</param>
internal readonly record struct TranslatedPacket(int MaxBytes, uint Identification);
