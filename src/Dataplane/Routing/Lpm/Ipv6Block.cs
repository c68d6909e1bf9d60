namespace Dataplane.Routing.Lpm;

/// <summary>A block of an IPv6 table as its writer knows it.</summary>
/// <param name="Entry">What leads readers to it; 0 for no block.</param>
/// <param name="Number">In the arena.</param>
/// <param name="LengthBytes">Its size.</param>
internal readonly record struct Ipv6Block(uint Entry, uint Number, int LengthBytes);
