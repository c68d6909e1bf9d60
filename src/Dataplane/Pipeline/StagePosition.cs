namespace Dataplane.Pipeline;

/// <summary>Where in the packet's way a stage of the user stands.</summary>
public enum StagePosition
{
    /// <summary>Behind the parser: every packet that could be parsed, before filtering and address checks.</summary>
    AfterParse,

    /// <summary>Behind the filter: packets that are allowed.</summary>
    AfterFilter,

    /// <summary>Before the transmit rings: packets with verdict <see cref="Verdict.Transmit"/> stand as they will be sent.</summary>
    BeforeTransmit,
}
