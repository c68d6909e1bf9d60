using System.Runtime.InteropServices;
using Dataplane.Packets;

namespace Dataplane.Flows;

/// <summary>One direction of a translated flow: what it looks like when it comes, and how it is to leave.</summary>
/// <remarks>
/// 128 bytes, two cache lines: the first holds key and new source, the second everything else a packet needs. They stand side by side:
/// measured with a million flows on Zen 5, looking up and reading both lines costs what reading the key alone does (32 ns against 31; it looks as if
/// lines were fetched in pairs), and 37 when they are in two arrays.
/// Keys in an array of their own, 16 bytes each, make a lookup of nothing but the key faster (21 ns), and a
/// packet's whole way only if the rest of the entry fits one line.
/// </remarks>
[StructLayout(LayoutKind.Sequential, Size = 128)]
internal struct FlowEntry
{
    /// <summary>No port has this number.</summary>
    public const ushort NoPort = ushort.MaxValue;

    private const byte Plain = 1, OtherFamily = 2;

    private const ushort BetweenFamilies = 0x8000;

    /// <summary>The packets this entry is for.</summary>
    public FlowKey Key;

    /// <summary>Addresses the packets leave with.</summary>
    public ulong NewSourceHigh, NewSourceLow, NewDestinationHigh, NewDestinationLow;

    /// <summary>Ports they leave with: source in the upper half.</summary>
    public uint NewPorts;

    /// <summary>What the new addresses add to a checksum that covers them (RFC 1624).</summary>
    public ushort AddressDelta;

    /// <summary>What new addresses and new ports add to the transport checksum.</summary>
    public ushort TransportDelta;

    /// <summary>Index of the entry of the other direction.</summary>
    public int Peer;

    /// <summary>Slot of the backend, and the generation of the slot when the flow was made: a mismatch means the backend is gone.</summary>
    public int Backend;

    /// <summary>Where its packets go, as far as it is known.</summary>
    public FlowPath Path;

    /// <inheritdoc cref="Backend"/>
    public uint BackendGeneration;

    /// <summary>When the last packet came, in <see cref="FlowTable"/> ticks.</summary>
    public uint LastSeen;

    /// <summary>Hash of <see cref="Key"/>, to find its buckets again.</summary>
    public uint Hash;

    /// <summary>Rule by which the last packet that was filtered has passed; meaningful while <see cref="InPort"/> is a port.</summary>
    public int FilterRule;

    /// <summary>Port by which that packet came, or <see cref="NoPort"/>; between the families <see cref="PortBetweenFamilies"/> of it, which is no port that frames come by.</summary>
    public ushort InPort;

    /// <summary>Those of its TCP flags that rules look at.</summary>
    public byte FilterFlags;

    /// <summary>Where the flow is in its life; the same in both directions.</summary>
    public FlowState State;

    /// <summary>Whether this is the direction of the first packet.</summary>
    public bool IsForward;

    private byte _kind;

    /// <summary>What its packets have shown of it.</summary>
    public FlowMarks Marks;

    /// <summary>Bytes of the outer header that its packets leave in, by the tables of <see cref="Path"/>; 0 for most.</summary>
    public byte OuterBytes;

    /// <summary>How a flow that changes the family remembers a port: so that those who forward within a family need not ask.</summary>
    public static ushort PortBetweenFamilies(ushort port) => (ushort)(port | BetweenFamilies);

    /// <summary>Whether this is the direction of the first packet, and its source address is another behind the gateway.</summary>
    public readonly bool IsSourceTranslated => IsForward && (NewSourceLow != Key.SourceLow || NewSourceHigh != Key.SourceHigh);

    /// <summary>Of a mapped port: whether this is the direction from outside.</summary>
    public readonly bool IsInward => IsForward == ((Marks & FlowMarks.FromOutside) != 0);

    /// <summary>Whether its packets leave as they come: the flow is only followed, not translated. The same in both directions.</summary>
    public bool IsPlain
    {
        readonly get => (_kind & Plain) != 0;
        set => _kind = (byte)(value ? _kind | Plain : _kind & ~Plain);
    }

    /// <summary>Whether its packets leave as those of the other family (NAT64). The same in both directions.</summary>
    public bool ChangesFamily
    {
        readonly get => (_kind & OtherFamily) != 0;
        set => _kind = (byte)(value ? _kind | OtherFamily : _kind & ~OtherFamily);
    }

    /// <summary>Where the packets go.</summary>
    public readonly IpAddress NewDestination => LeavesAsV6 ? IpAddress.FromV6(NewDestinationHigh, NewDestinationLow) : IpAddress.FromV4((uint)NewDestinationLow);

    /// <summary>Where the packets then seem to come from.</summary>
    public readonly IpAddress NewSource => LeavesAsV6 ? IpAddress.FromV6(NewSourceHigh, NewSourceLow) : IpAddress.FromV4((uint)NewSourceLow);

    private readonly bool LeavesAsV6 => Key.Family == 6 != ChangesFamily;
}
