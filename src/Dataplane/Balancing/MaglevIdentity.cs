using System.Buffers.Binary;
using Dataplane.Hashing;
using Dataplane.Packets;

namespace Dataplane.Balancing;

/// <summary>What a backend is known by in a <see cref="MaglevTable"/>: the same number in every process and on every machine.</summary>
public static class MaglevIdentity
{
    /// <summary>The 64-bit xxHash, seed 0, of the address (4 or 16 bytes) and the port (2 bytes), both in network order.</summary>
    /// <param name="address">The backend's address.</param>
    /// <param name="port">The backend's port.</param>
    /// <exception cref="ArgumentException">No address at all.</exception>
    public static ulong Of(IpAddress address, ushort port)
    {
        if (address.IsNone)
        {
            throw new ArgumentException("A backend needs an address; the default IpAddress has no family.", nameof(address));
        }

        Span<byte> bytes = stackalloc byte[IpAddress.V6LengthBytes + sizeof(ushort)];
        int length = address.Write(bytes);
        BinaryPrimitives.WriteUInt16BigEndian(bytes[length..], port);
        return XxHash64.Hash(bytes[..(length + sizeof(ushort))]);
    }
}
