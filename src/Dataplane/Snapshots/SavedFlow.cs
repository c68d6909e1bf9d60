using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Dataplane.Flows;
using Dataplane.Packets;
using Dataplane.Tracking;

namespace Dataplane.Snapshots;

/// <summary>One flow as it stands in a saved state: both directions, what it is to its backend's slot, how long it has been idle, and its connection.</summary>
internal struct SavedFlow
{
    /// <summary>Length in the file.</summary>
    public static readonly int Bytes = FixedBytes + (2 * DirectionBytes) + MemoryMarshal.AsBytes<Connection>(new Connection[1]).Length;

    private const int FixedBytes = 16, DirectionBytes = 76;
    private const byte PlainFlag = 1;

    public int Slot;
    public uint IdleMs;
    public FlowState State;
    public FlowMarks Marks;
    public bool IsPlain;
    public FlowEntry Forward;
    public FlowEntry Reverse;
    public Connection Connection;

    public readonly void Write(Span<byte> target)
    {
        BinaryPrimitives.WriteInt32LittleEndian(target, Slot);
        BinaryPrimitives.WriteUInt32LittleEndian(target[4..], IdleMs);
        (target[8], target[9], target[10]) = ((byte)State, (byte)Marks, IsPlain ? PlainFlag : (byte)0);
        target[11..FixedBytes].Clear();
        Write(target[FixedBytes..], in Forward);
        Write(target[(FixedBytes + DirectionBytes)..], in Reverse);
        Connection connection = Connection;
        MemoryMarshal.Write(target[(FixedBytes + (2 * DirectionBytes))..], in connection);
    }

    /// <returns>False when it is none that an engine could have.</returns>
    public static bool TryRead(ReadOnlySpan<byte> source, out SavedFlow flow)
    {
        flow = new SavedFlow
        {
            Slot = BinaryPrimitives.ReadInt32LittleEndian(source),
            IdleMs = BinaryPrimitives.ReadUInt32LittleEndian(source[4..]),
            State = (FlowState)source[8],
            Marks = (FlowMarks)source[9],
            IsPlain = source[10] == PlainFlag,
            Forward = Read(source[FixedBytes..]),
            Reverse = Read(source[(FixedBytes + DirectionBytes)..]),
            Connection = MemoryMarshal.Read<Connection>(source[(FixedBytes + (2 * DirectionBytes))..]),
        };
        const FlowMarks OfMapped = FlowMarks.FromOutside | FlowMarks.RefreshedInwards | FlowMarks.Hairpin;
        const FlowMarks All = FlowMarks.PickedUp | FlowMarks.Answered | FlowMarks.Assured | FlowMarks.Mapped | OfMapped;
        bool isMapped = (flow.Marks & FlowMarks.Mapped) != 0 ? !flow.IsPlain : (flow.Marks & OfMapped) == 0;
        byte protocol = flow.Forward.Key.Protocol;
        bool isState = flow.State switch
        {
            FlowState.TcpTransitory or FlowState.TcpEstablished or FlowState.TcpClosing => protocol == IpProtocols.Tcp,
            FlowState.Udp => protocol == IpProtocols.Udp,
            FlowState.IcmpQuery => protocol is IpProtocols.Icmp or IpProtocols.Icmpv6,
            FlowState.Other => flow.IsPlain,
            _ => false,
        };
        return isState && isMapped && source[10] <= PlainFlag && (flow.Marks & ~All) == 0 && AreDirections(in flow.Forward.Key, in flow.Reverse.Key, flow.IsPlain);
    }

    /// <summary>Whether its packets leave as those of the other family.</summary>
    public readonly bool ChangesFamily => Forward.Key.Family != Reverse.Key.Family;

    /// <summary>Whether two keys can be those of one flow: one that is translated may have two families, and then echo has two numbers.</summary>
    private static bool AreDirections(in FlowKey forward, in FlowKey reverse, bool isPlain) => forward.Family is 4 or 6 && reverse.Family is 4 or 6
        && (forward.Family == reverse.Family ? forward.Protocol == reverse.Protocol
            : !isPlain && Nat64.OtherFamily.ProtocolOf(forward.Protocol, reverse.Family) == reverse.Protocol);

    private static void Write(Span<byte> target, in FlowEntry entry)
    {
        ReadOnlySpan<ulong> words =
        [
            entry.Key.SourceHigh, entry.Key.SourceLow, entry.Key.DestinationHigh, entry.Key.DestinationLow, entry.Key.Transport,
            entry.NewSourceHigh, entry.NewSourceLow, entry.NewDestinationHigh, entry.NewDestinationLow,
        ];
        for (int i = 0; i < words.Length; i++)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(target[(i * sizeof(ulong))..], words[i]);
        }

        BinaryPrimitives.WriteUInt32LittleEndian(target[72..], entry.NewPorts);
    }

    private static FlowEntry Read(ReadOnlySpan<byte> source) => new()
    {
        Key = new FlowKey
        {
            SourceHigh = Word(source, 0),
            SourceLow = Word(source, 1),
            DestinationHigh = Word(source, 2),
            DestinationLow = Word(source, 3),
            Transport = Word(source, 4),
        },
        NewSourceHigh = Word(source, 5),
        NewSourceLow = Word(source, 6),
        NewDestinationHigh = Word(source, 7),
        NewDestinationLow = Word(source, 8),
        NewPorts = BinaryPrimitives.ReadUInt32LittleEndian(source[72..]),
    };

    private static ulong Word(ReadOnlySpan<byte> source, int number) => BinaryPrimitives.ReadUInt64LittleEndian(source[(number * sizeof(ulong))..]);
}
