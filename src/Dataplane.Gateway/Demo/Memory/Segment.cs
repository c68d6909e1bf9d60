using Dataplane.Packets;

namespace Dataplane.Gateway.Demo.Memory;

/// <summary>Addresses and TCP fields of one packet of a simulated host.</summary>
internal readonly record struct Segment
{
    public IpAddress Source { get; init; }

    public IpAddress Destination { get; init; }

    public ushort SourcePort { get; init; }

    public ushort DestinationPort { get; init; }

    /// <summary>6 or 17.</summary>
    public byte Protocol { get; init; }

    /// <summary>TCP only.</summary>
    public uint Sequence { get; init; }

    /// <summary>TCP only.</summary>
    public uint Acknowledged { get; init; }

    /// <summary>TCP only.</summary>
    public byte Flags { get; init; }

    /// <summary>The way back, with what TCP says to this packet when <paramref name="received"/> bytes of it count.</summary>
    public Segment Answer(uint sequence, uint received, byte flags) => new()
    {
        Source = Destination,
        Destination = Source,
        SourcePort = DestinationPort,
        DestinationPort = SourcePort,
        Protocol = Protocol,
        Sequence = sequence,
        Acknowledged = Sequence + received,
        Flags = flags,
    };
}
