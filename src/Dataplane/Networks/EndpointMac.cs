using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Dataplane.Packets;

namespace Dataplane.Networks;

/// <summary>Hardware addresses of endpoints: the same endpoint has the same one each time, so that its neighbours need not learn a new one.</summary>
public static class EndpointMac
{
    /// <summary>A locally administered unicast address made from the network and the holder.</summary>
    /// <param name="network">Name of the network.</param>
    /// <param name="holder">Who it is for.</param>
    /// <param name="isTaken">Whether another station of the network has an address; null: none has.</param>
    public static MacAddress Choose(string network, string holder, Func<MacAddress, bool>? isTaken = null)
    {
        for (int attempt = 0; ; attempt++)
        {
            byte[] hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{network}\n{holder}\n{attempt}"));

            // 0x02: assigned locally, and one station (IEEE 802, U/L and I/G bits of the first byte).
            ulong bits = (BinaryPrimitives.ReadUInt64BigEndian(hash) & 0xFCFF_FFFF_FFFF) | 0x0200_0000_0000;
            var mac = new MacAddress(bits);
            if (isTaken is null || !isTaken(mac))
            {
                return mac;
            }
        }
    }
}
