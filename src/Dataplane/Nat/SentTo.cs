using System.Runtime.InteropServices;

namespace Dataplane.Nat;

/// <summary>A remote address that an inside host has sent to from a mapped port.</summary>
[StructLayout(LayoutKind.Sequential, Size = 32)]
internal struct SentTo
{
    public ulong RemoteHigh, RemoteLow;

    /// <summary>Number of the mapping.</summary>
    public int Mapping;

    /// <summary>Flows that show it.</summary>
    public int Flows;

    /// <summary>Hash of the rest, to find its buckets again.</summary>
    public uint Hash;
}
