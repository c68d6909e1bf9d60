using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Dataplane.Packets;

namespace Dataplane.Flows;

/// <summary>The one hash of a packet's flow, keyed per process: flow table, ECMP and worker hand-off share it.</summary>
/// <remarks>
/// Folded 64 x 64 bit multiplication (the round of wyhash) over the words of the key. One multiplication for IPv4 addresses, three for
/// IPv6, one for ports and protocol: about 3 to 5 ns, no table, and without the key no collisions can be made (a CRC is linear: its
/// collisions hold under every seed).
/// </remarks>
internal readonly struct FlowHash
{
    private readonly ulong _k0, _k1, _k2, _k3;

    public FlowHash(ulong seed)
    {
        // SplitMix64 (Steele, Lea, Flood 2014) spreads one seed into four keys.
        _k0 = Next(ref seed);
        _k1 = Next(ref seed) | 1;
        _k2 = Next(ref seed);
        _k3 = Next(ref seed) | 1;
    }

    /// <summary>Hash of the whole key.</summary>
    public uint Of(in FlowKey key) => OfParts(in key, key.Transport);

    /// <summary>Hash without ports: the same for every fragment of a packet.</summary>
    public uint OfAddresses(in FlowKey key) => OfParts(in key, key.Transport & 0xFFFF);

    /// <summary>Hash of one end of a flow: the same whichever direction a packet has.</summary>
    public uint OfEndpoint(ulong high, ulong low, ushort port, byte protocol) =>
        Finish(Fold(high ^ _k0, low ^ _k1), ((ulong)port << 8) | protocol);

    /// <summary>Hash of an IPv4 key from its two words, addresses already packed as source, destination.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // One of two multiplications per packet; the call would cost as much.
    public uint OfV4(ulong addresses, ulong transport) => Finish(Fold(addresses ^ _k0, _k1), transport);

    private uint OfParts(in FlowKey key, ulong transport) =>
        (byte)key.Transport == 6 ? OfV6(in key, transport) : OfV4((key.SourceLow << 32) | key.DestinationLow, transport);

    /// <summary>Hash of an IPv6 key.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // Likewise.
    public uint OfV6(in FlowKey key, ulong transport)
    {
        ulong source = Fold(key.SourceHigh ^ _k0, key.SourceLow ^ _k1);
        ulong destination = Fold(key.DestinationHigh ^ _k2, key.DestinationLow ^ _k3);
        return Finish(Fold(source ^ _k1, destination ^ _k0), transport);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private uint Finish(ulong state, ulong transport)
    {
        ulong mixed = Fold(state ^ _k2, transport ^ _k3);
        return (uint)(mixed ^ (mixed >> 32));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Fold(ulong left, ulong right)
    {
        if (Bmi2.X64.IsSupported)
        {
            // Two multiplications: BigMul hands its lower half over in memory, which costs more than the second.
            return Bmi2.X64.MultiplyNoFlags(left, right) ^ (left * right);
        }

        ulong high = Math.BigMul(left, right, out ulong low);
        return high ^ low;
    }

    private static ulong Next(ref ulong state)
    {
        ulong z = state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
