using System.Runtime.InteropServices;

namespace Dataplane.Flows;

/// <summary>The way that packets of a flow take out of the engine, by the tables of one version.</summary>
/// <remarks>Two words, so that two of them are compared at once.</remarks>
[StructLayout(LayoutKind.Explicit, Size = 16)]
internal struct FlowPath
{
    /// <summary>Not known: must be looked up.</summary>
    public static FlowPath None => new() { TablesVersion = -1, NextHop = -1, Neighbour = -1 };

    /// <summary>Version of the tables that <see cref="NextHop"/> belongs to; -1: of none.</summary>
    [FieldOffset(0)]
    public int TablesVersion;

    /// <summary>Index into the tables' next hops.</summary>
    [FieldOffset(4)]
    public int NextHop;

    /// <summary>Neighbour behind the next hop, and its generation when it was looked up.</summary>
    [FieldOffset(8)]
    public int Neighbour;

    /// <inheritdoc cref="Neighbour"/>
    [FieldOffset(12)]
    public uint NeighbourGeneration;

    [FieldOffset(0)]
    private ulong _first;

    [FieldOffset(8)]
    private ulong _second;

    /// <summary>Whether both are the same in everything.</summary>
    public readonly bool IsSameAs(in FlowPath other) => ((_first ^ other._first) | (_second ^ other._second)) == 0;
}
