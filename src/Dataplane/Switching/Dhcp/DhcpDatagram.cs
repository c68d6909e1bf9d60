using System.Buffers.Binary;
using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Switching.Dhcp;

/// <summary>The datagram that a DHCP message comes in, of either family.</summary>
internal static class DhcpDatagram
{
    private const int UdpHeader = 8;

    /// <summary>What is in the datagram of a packet.</summary>
    /// <returns>False when it is cut off, a fragment, of another VLAN or damaged; over IPv6 a checksum must be there (RFC 8200 8.1).</returns>
    public static bool TryRead(PacketBatch batch, int i, out ReadOnlySpan<byte> message)
    {
        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        ref readonly FlowKey key = ref batch.Parsed[i].Key;
        ReadOnlySpan<byte> datagram = batch.Frame(i)[headers.TransportOffset..headers.EndOffset];
        int length = datagram.Length < UdpHeader ? 0 : BinaryPrimitives.ReadUInt16BigEndian(datagram[4..]);
        message = default;
        if (headers.Fragment != FragmentKind.None || headers.VlanId != 0 || headers.VlanTags > 1 || length < UdpHeader || length > datagram.Length || (batch.Marks[i] & PacketMarks.SuperFrame) != 0)
        {
            return false;
        }

        datagram = datagram[..length];
        bool isIntact = (batch.Marks[i] & PacketMarks.Unfinished) != 0 || (headers.IpVersion == 4 && BinaryPrimitives.ReadUInt16BigEndian(datagram[6..]) == 0)
            || InternetChecksum.Verify(datagram, InternetChecksum.PseudoHeader(key.Source, key.Destination, IpProtocols.Udp, (uint)length));
        message = datagram[UdpHeader..];
        return isIntact;
    }
}
