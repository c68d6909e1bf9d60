using System.Runtime.InteropServices;

namespace Dataplane.Packets;

/// <summary>What the parser writes down about a frame: one cache line, which every stage reads.</summary>
[StructLayout(LayoutKind.Sequential, Size = 64)]
internal struct ParsedFrame
{
    /// <summary>Where the headers are.</summary>
    public PacketHeaders Headers;

    /// <summary>The flow hash of the packet: computed once, the same everywhere in the engine.</summary>
    public uint Hash;

    /// <summary>Addresses, ports, protocol.</summary>
    public FlowKey Key;
}
