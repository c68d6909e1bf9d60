using System.Runtime.InteropServices;

namespace Dataplane.Reassembly;

/// <summary>A datagram of which fragments have been seen, and not yet all.</summary>
[StructLayout(LayoutKind.Sequential, Size = 128)]
internal struct Datagram
{
    public ulong SourceHigh, SourceLow, DestinationHigh, DestinationLow;

    /// <summary>From <see cref="FragmentFacts.Identity"/>; 0: no datagram.</summary>
    public ulong Identity;

    /// <summary>Worker time at which it is given up.</summary>
    public long DeadlineNs;

    /// <summary>What the first fragment says; means something when <see cref="HasFirst"/>. Its end is the sequence number of byte 0, as if it were one of TCP.</summary>
    public FollowedPacket First;

    /// <summary>Length, once the last fragment has told; -1 before.</summary>
    public int Bytes;

    /// <summary>Bytes seen; none twice.</summary>
    public int SeenBytes;

    /// <summary>Fragments seen: each has a piece.</summary>
    public int Pieces;

    /// <summary>Fragments that wait for the first, as a chain in the store.</summary>
    public int HeldFirst, HeldLast, HeldCount;

    /// <summary>Sum of the bytes seen, for a checksum of all; meaningful where <see cref="WholeDatagrams"/> may ask for it.</summary>
    public uint Sum;

    /// <summary>Where in the first fragment the transport header begins: behind the headers that every fragment has, and in its frame.</summary>
    public ushort TransportAt, FrameAt;

    public bool HasFirst;

    /// <summary>None of its fragments goes on before all are here.</summary>
    public bool MustBeWhole;

    /// <summary>Fragments overlap, or contradict each other: whatever else comes of it is dropped (RFC 5722).</summary>
    public bool IsBroken;

    public readonly bool IsComplete => HasFirst && SeenBytes == Bytes;
}
