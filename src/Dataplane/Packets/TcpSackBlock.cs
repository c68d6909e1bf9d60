namespace Dataplane.Packets;

/// <summary>One block of data received beyond the acknowledgment number (RFC 2018, 3).</summary>
/// <param name="Left">First sequence number of the block.</param>
/// <param name="Right">The sequence number just behind the block.</param>
public readonly record struct TcpSackBlock(uint Left, uint Right);
