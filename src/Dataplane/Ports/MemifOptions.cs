namespace Dataplane.Ports;

/// <summary>Shape of a memif connection. The client makes the memory, so ring and buffers are its choice; queues are the fewer of both sides'.</summary>
public sealed record MemifOptions
{
    /// <summary>Rings in each direction, 1 to 16. A flow keeps to one. With a port of several queues they are spread over its workers.</summary>
    public int Queues { get; init; } = 1;

    /// <summary>Buffers per ring, a power of two from 2 to 16,384.</summary>
    public int RingEntries { get; init; } = 1024;

    /// <summary>Bytes of a buffer, 128 to 65,472, a multiple of 64. A longer frame takes several. DPDK's server never puts one into less than 2,048.</summary>
    public int BufferBytes { get; init; } = 2048;

    /// <summary>What the client must know to be let in, up to 24 bytes in UTF-8; empty: nothing. It travels unencrypted over the socket.</summary>
    public string Secret { get; init; } = "";
}
