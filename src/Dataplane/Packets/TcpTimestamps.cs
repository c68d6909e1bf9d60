namespace Dataplane.Packets;

/// <summary>The two values of the TCP timestamps option (RFC 7323, 3).</summary>
/// <param name="Value">The sender's clock, in ticks of its own choice.</param>
/// <param name="EchoReply">The peer's clock sent back; meaningful with ACK only.</param>
public readonly record struct TcpTimestamps(uint Value, uint EchoReply);
