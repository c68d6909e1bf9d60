using System.Runtime.InteropServices;
using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Capturing;

/// <summary>What one step of a compiled filter does.</summary>
internal enum CaptureTestKind : byte
{
    And,
    Or,
    Not,
    Prefix,
    Ports,
    Protocol,
    EtherType,
    Direction,
    SeenAt,
    Dropped,
    Held,
    Reason,
    Flow,
}

/// <summary>Which ends of a packet a test looks at.</summary>
[Flags]
internal enum PacketEnds : byte
{
    Source = 1,
    Destination = 2,
    Either = 3,
}

/// <summary>One step of a compiled filter; what its fields mean depends on its kind.</summary>
[StructLayout(LayoutKind.Auto)]
internal struct CaptureTest
{
    public CaptureTestKind Kind;
    public PacketEnds Ends;

    /// <summary>Family of a prefix.</summary>
    public byte Family;

    /// <summary>First number: a port, a protocol, an EtherType, a direction, a reason.</summary>
    public ushort From;

    /// <summary>Last number.</summary>
    public ushort To;

    public ulong High, Low, MaskHigh, MaskLow;

    /// <summary>Of a flow: one of its directions.</summary>
    public FlowKey Flow;

    /// <summary>Name of a port, until it is known which.</summary>
    public string? Name;

    /// <summary>Makes a step that joins those before it.</summary>
    public static CaptureTest Join(CaptureTestKind kind) => new() { Kind = kind };

    /// <summary>Asks a packet.</summary>
    public readonly CaptureAnswer Ask(in CaptureFacts facts)
    {
        switch (Kind)
        {
            case CaptureTestKind.Prefix:
                return Of(facts.Key.Family == Family && (((Ends & PacketEnds.Source) != 0 && Holds(facts.Key.SourceHigh, facts.Key.SourceLow))
                    || ((Ends & PacketEnds.Destination) != 0 && Holds(facts.Key.DestinationHigh, facts.Key.DestinationLow))));
            case CaptureTestKind.Ports:
                return Of(facts.HasPorts && (((Ends & PacketEnds.Source) != 0 && Holds(facts.Key.SourcePort)) || ((Ends & PacketEnds.Destination) != 0 && Holds(facts.Key.DestinationPort))));
            case CaptureTestKind.Protocol:
                return Of(facts.IsIp && facts.Protocol == From && (Family == 0 || facts.Key.Family == Family));
            case CaptureTestKind.EtherType:
                return Of(facts.EtherType == From);
            case CaptureTestKind.Direction:
                return Of((ushort)facts.Direction == From);
            case CaptureTestKind.SeenAt:
                return Of(facts.Port == From);
            case CaptureTestKind.Flow:
                return IsOf(in facts.Key) || (facts.Flow.Family != 0 && (IsOf(in facts.Flow) || IsOf(in facts.Opposite))) ? CaptureAnswer.Yes
                    : facts.IsDecided ? CaptureAnswer.No : CaptureAnswer.Unknown;
            case CaptureTestKind.Dropped:
                return facts.IsDecided ? Of(facts.IsLost) : CaptureAnswer.Unknown;
            case CaptureTestKind.Held:
                return facts.IsDecided ? Of(facts.Verdict == Verdict.Hold) : CaptureAnswer.Unknown;
            default:
                return facts.IsDecided ? Of(facts.Verdict == Verdict.Drop && (ushort)facts.Reason == From) : CaptureAnswer.Unknown;
        }
    }

    private static CaptureAnswer Of(bool isTrue) => isTrue ? CaptureAnswer.Yes : CaptureAnswer.No;

    private readonly bool Holds(ulong high, ulong low) => (high & MaskHigh) == High && (low & MaskLow) == Low;

    private readonly bool Holds(ushort port) => port >= From && port <= To;

    /// <summary>Both directions are the flow's, whatever its protocol.</summary>
    private readonly bool IsOf(in FlowKey key)
    {
        FlowKey back = key.Reversed();
        return IsSame(in key) || IsSame(in back);
    }

    private readonly bool IsSame(in FlowKey key) => key.Family == Flow.Family && key.SourceHigh == Flow.SourceHigh && key.SourceLow == Flow.SourceLow
        && key.DestinationHigh == Flow.DestinationHigh && key.DestinationLow == Flow.DestinationLow && key.Transport >> 32 == Flow.Transport >> 32;
}

/// <summary>What a filter says about a packet. In this order, "and" is the least and "or" the greatest.</summary>
internal enum CaptureAnswer : byte
{
    No = 0,

    /// <summary>It depends on what becomes of the packet.</summary>
    Unknown,

    Yes,
}
