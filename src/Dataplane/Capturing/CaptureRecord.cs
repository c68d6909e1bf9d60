using System.Runtime.InteropServices;
using Dataplane.Pipeline;

namespace Dataplane.Capturing;

/// <summary>One captured packet in the ring: where its bytes are, and what became of it. Names are looked up by the reader, in the tables that decided.</summary>
[StructLayout(LayoutKind.Auto)]
internal struct CaptureRecord
{
    /// <summary>Rule, backend or next hop not known.</summary>
    public const int None = int.MinValue;

    /// <summary>Worker time in nanoseconds.</summary>
    public long TimeNs;

    /// <summary>Behind its last byte, in bytes since the ring was made; set by the ring.</summary>
    public long End;

    public ForwardingTables? Tables;

    /// <summary>Bytes kept, and bytes the frame has.</summary>
    public int Kept, Length;

    /// <summary>Rule of the filter; -1 for the default.</summary>
    public int Rule;

    /// <summary>Slot of the backend of its flow.</summary>
    public int Backend;

    public int NextHop;

    /// <summary>Data bytes of each segment of a super-frame; 0 for others.</summary>
    public int SegmentBytes;

    public ushort InPort, OutPort;
    public Verdict Verdict;
    public DropReason Reason;

    /// <summary>Why it is held, with a verdict that says that it is.</summary>
    public HoldReason Hold;
    public CaptureDirection Direction;
    public CaptureOrigin Origin;

    /// <summary>Whether it belongs to a flow that is known.</summary>
    public bool HasFlow;

    /// <summary>Whether it was made by the engine, if only of the packet that it answers.</summary>
    public bool IsLocal;

    /// <summary>Whether its checksum is written by whoever sends it.</summary>
    public bool IsUnfinished;
}

/// <summary>How a batch came into being.</summary>
internal enum CaptureOrigin : byte
{
    Received,

    /// <summary>Taken out of packets of an overlay.</summary>
    Inner,

    /// <summary>Another worker has received it.</summary>
    TakenOver,

    /// <summary>Another worker has received and decided it, and seen it leave; this one has the port.</summary>
    Relayed,

    /// <summary>Waited for a neighbour or for the first fragment.</summary>
    Released,

    /// <summary>Made by the engine.</summary>
    Originated,

    /// <summary>Put around frames of an overlay.</summary>
    Outer,

    /// <summary>From one inside host to another by their outside addresses.</summary>
    Hairpin,

    /// <summary>Copies of a flooded frame.</summary>
    Flooded,
}
