using System.Runtime.InteropServices;
using Dataplane.Packets;

namespace Dataplane.Nat;

/// <summary>An inside address and port, and the outside address and port that they have towards everybody: one cache line.</summary>
[StructLayout(LayoutKind.Sequential, Size = 64)]
internal struct PortMapping
{
    public ulong InsideHigh, InsideLow, OutsideHigh, OutsideLow;

    /// <summary>Hashes of both ends, to find their buckets again.</summary>
    public uint InsideHash, OutsideHash;

    /// <summary>Slot of the outside address, and its generation when the mapping was made.</summary>
    public int Slot;

    /// <inheritdoc cref="Slot"/>
    public uint Generation;

    /// <summary>Flows that use it; with the last of them it ends.</summary>
    public int Flows;

    /// <summary>When the inside was last heard, in ticks of the flow table: what packets of the short way say of it is noted once a minute.</summary>
    public uint LastSent;

    /// <summary>Ports; of echo the identifiers.</summary>
    public ushort InsidePort, OutsidePort;

    /// <summary>Protocol; of echo that of IPv4, whichever family either end has.</summary>
    public byte Protocol;

    /// <summary>Families of both ends, which differ behind NAT64.</summary>
    public byte InsideFamily, OutsideFamily;

    public readonly IpAddress Inside => InsideFamily == 6 ? IpAddress.FromV6(InsideHigh, InsideLow) : IpAddress.FromV4((uint)InsideLow);

    public readonly IpAddress Outside => OutsideFamily == 6 ? IpAddress.FromV6(OutsideHigh, OutsideLow) : IpAddress.FromV4((uint)OutsideLow);
}
