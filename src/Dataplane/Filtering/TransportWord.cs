using System.Runtime.CompilerServices;
using Dataplane.Packets;
using Dataplane.Tracking;

namespace Dataplane.Filtering;

/// <summary>What rules compare of a packet under a mask, its addresses aside, in one word.</summary>
/// <remarks><code>
///  31  30     29    26 25        24        23     16 15     8 7       0
/// +---+------+--------+---------+---------+---------+--------+---------+
/// | 0 | has  | not in | has     | has     | TCP     | port   | IP      |
/// |   | state| state  | flags   | ports   | flags   | index  | protocol|
/// +---+------+--------+---------+---------+---------+--------+---------+
/// </code>A packet has ports or flags when the header they stand in is in this frame, or in that of the first fragment of its datagram: of a later
/// fragment nobody has told them of, a rule that asks for them does not match. Of the bits 26 to 29 those are set that stand for states the packet is <em>not</em> in: so any set of states is one
/// comparison under a mask, of the bits that stand for all others.</remarks>
internal static class TransportWord
{
    /// <summary>Position of the protocol number.</summary>
    public const int ProtocolShift = 0;

    /// <summary>Position of the index of the port the packet came by.</summary>
    public const int PortShift = 8;

    /// <summary>Position of the TCP flags byte.</summary>
    public const int FlagsShift = 16;

    /// <summary>Set when there is a TCP or UDP header.</summary>
    public const uint HasPorts = 1 << 24;

    /// <summary>Set when there is a TCP header.</summary>
    public const uint HasFlags = 1 << 25;

    /// <summary>Position of the first of the states a packet is not in.</summary>
    public const int StateShift = 26;

    /// <summary>Set when the packet's state is known.</summary>
    public const uint HasState = 1 << 30;

    /// <summary>The bits of states.</summary>
    public const uint StateBits = HasState | (0xFu << StateShift);

    /// <summary>The bits to add for a packet in a state.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Of(ConnectionStates state) => state == ConnectionStates.None ? 0 : Excluded(state);

    /// <summary>The bits that are set in the word of every packet in one of the states, and of no other.</summary>
    public static uint Excluded(ConnectionStates states) => HasState | ((~(uint)states & 0xF) << StateShift);

    /// <summary>The word of a packet.</summary>
    /// <param name="key">Its flow key.</param>
    /// <param name="headers">Where its headers are.</param>
    /// <param name="port">Index of the port it came by.</param>
    public static uint Of(in FlowKey key, in PacketHeaders headers, byte port)
    {
        // Without branches: which packets of a batch have what cannot be foretold. The difference of 0 is 0, and of anything else it or its opposite is
        // below 0.
        int protocol = key.Protocol, part = headers.Fragment - FragmentKind.Later, offset = headers.TransportOffset;
        uint isHere = (uint)(((part | -part) & (offset | -offset)) >> 31);
        return (uint)(protocol << ProtocolShift) | ((uint)port << PortShift) | ((uint)headers.TcpFlags << FlagsShift)
            | (((uint)HasByProtocol[protocol] << 24) & isHere);
    }

    private static ReadOnlySpan<byte> HasByProtocol =>
    [
        0, 0, 0, 0, 0, 0, (byte)((HasPorts | HasFlags) >> 24), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, (byte)(HasPorts >> 24),
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
}
