namespace Dataplane.Rewriting;

/// <summary>What a frame is to merging.</summary>
internal enum TcpSegmentKind : byte
{
    /// <summary>No TCP: passes by what is merged.</summary>
    None,

    /// <summary>Data that others may be joined with.</summary>
    Plain,

    /// <summary>TCP that stays alone: without data, with other flags, or longer or shorter than it says. Nothing of its flow passes it.</summary>
    Other,

    /// <summary>May be TCP of any flow: a fragment, with options or extension headers. No TCP passes it.</summary>
    Strange,
}
