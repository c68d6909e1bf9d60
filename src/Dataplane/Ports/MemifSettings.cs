using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using Dataplane.Native;
using Dataplane.Packets;

namespace Dataplane.Ports;

/// <summary>What a memif port was opened with.</summary>
internal sealed record MemifSettings(string Name, string SocketPath, uint Id, PortRole Role, MemifOptions Options, MacAddress Mac, int Mtu)
{
    internal const int MaxQueues = 16;

    /// <summary>Log2 of the longest ring: what VPP and DPDK allow, and far enough from 65,536 for indices of 16 bits.</summary>
    internal const int MaxOrder = 14;

    internal const int SecretBytes = 24;

    private const int EthernetBytes = 14;
    private const int VlanTagBytes = 4;

    /// <summary>Mode of a server's socket file; null: as it comes.</summary>
    internal UnixFileMode? SocketMode { get; init; }

    /// <summary>The longest frame that passes, in bytes.</summary>
    internal int MaxFrameBytes => Mtu + EthernetBytes + VlanTagBytes;

    /// <summary>Log2 of the ring's length.</summary>
    internal int Order => BitOperations.Log2((uint)Options.RingEntries);

    /// <summary>Bytes of the region a client makes.</summary>
    internal static long RegionBytes(MemifOptions options) =>
        2L * options.Queues * MemifRing.BytesFor(BitOperations.Log2((uint)options.RingEntries), options.BufferBytes);

    /// <summary>The secret as it stands in a message.</summary>
    internal void CopySecret(Span<byte> field)
    {
        field.Clear();
        Encoding.UTF8.GetBytes(Options.Secret, field);
    }

    /// <summary>Whether a client knows the secret. Takes as long for a wrong one as for the right one.</summary>
    internal bool Admits(ReadOnlySpan<byte> secret)
    {
        Span<byte> own = stackalloc byte[SecretBytes];
        CopySecret(own);
        return Options.Secret.Length == 0 || CryptographicOperations.FixedTimeEquals(own, secret);
    }
}
