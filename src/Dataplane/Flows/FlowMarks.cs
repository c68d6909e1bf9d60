namespace Dataplane.Flows;

/// <summary>What the packets of a flow have shown until now, and what it is to a mapped port; the same in both directions.</summary>
[Flags]
internal enum FlowMarks : byte
{
    None = 0,

    /// <summary>Its first packet was not the beginning of a connection: it was there before, or it is none.</summary>
    PickedUp = 1,

    /// <summary>The other side has sent something.</summary>
    Answered = 2,

    /// <summary>The first side has sent something since: both have shown that they are there.</summary>
    Assured = 4,

    /// <summary>It uses a port that is mapped towards everybody, and lives by what the inside sends.</summary>
    Mapped = 8,

    /// <summary>Of a mapped port: the outside has begun it.</summary>
    FromOutside = 16,

    /// <summary>Of a mapped port: what the outside sends keeps it alive too.</summary>
    RefreshedInwards = 32,

    /// <summary>Of a mapped port: its other end is another inside host, by that one's mapped port.</summary>
    Hairpin = 64,

    /// <summary>Of a service that asks for connection IDs: what the client sends may be for another backend, and says so itself. Not saved: the next packet finds it out.</summary>
    ConnectionIds = 128,
}
