namespace Dataplane.Tests.Reference;

/// <content>TCP, UDP, ICMP and ICMPv6, and the checksums that need a pseudo-header.</content>
public sealed partial class ReferenceDecoder
{
    private void Transport(byte[] upper)
    {
        _at = _packet.TransportOffset;
        switch (_packet.Protocol)
        {
            case 6:
                TcpSegment(upper);
                break;
            case 17:
                UdpDatagram(upper);
                break;
            case 1 when _packet.IpVersion == 4:
            case 58 when _packet.IpVersion == 6:
                IcmpMessage(upper);
                break;
            default:
                break;
        }
    }

    private void TcpSegment(byte[] upper)
    {
        if (upper.Length < 20)
        {
            Stop("truncated: tcp");
            return;
        }

        (_packet.SourcePort, _packet.DestinationPort) = (Word(0), Word(2));
        (_packet.SequenceNumber, _packet.AcknowledgmentNumber) = (Long(4), Long(8));
        (_packet.TcpFlags, _packet.TcpWindow, _packet.TcpHeaderLength) = (Word(12) % 512, Word(14), Byte(12) / 16 * 4);
        if (_packet.TcpHeaderLength < 20)
        {
            Stop("malformed: tcp");
        }
        else if (_packet.TcpHeaderLength > upper.Length)
        {
            Stop("truncated: tcp");
        }
        else
        {
            _packet.Payload = upper[_packet.TcpHeaderLength..];
            CheckTransport(upper, 6);
        }
    }

    private void UdpDatagram(byte[] upper)
    {
        if (upper.Length < 8)
        {
            Stop("truncated: udp");
            return;
        }

        (_packet.SourcePort, _packet.DestinationPort) = (Word(0), Word(2));
        int length = Word(4);
        if (length < 8)
        {
            Stop("malformed: udp");
            return;
        }

        _packet.IsUdpWithoutChecksum = Word(6) == 0;
        if (length > upper.Length)
        {
            // The first fragment holds only the beginning of the datagram, and that is as it should be.
            _packet.Payload = upper[8..];
            if (_packet.Fragment == "none")
            {
                Stop("truncated: udp");
            }

            return;
        }

        _packet.Payload = upper[8..length];
        if (!_packet.IsUdpWithoutChecksum)
        {
            CheckTransport(upper[..length], 17);
        }
    }

    private void IcmpMessage(byte[] upper)
    {
        if (upper.Length < 8)
        {
            Stop("truncated: icmp");
            return;
        }

        (_packet.IcmpType, _packet.IcmpCode, _packet.IcmpRest) = (Byte(0), Byte(1), Long(4));
        _packet.Payload = upper[8..];
        CheckTransport(upper, _packet.Protocol);
    }

    private void CheckTransport(byte[] covered, int protocol)
    {
        if (_packet.Fragment != "none" || _destination.Length == 0)
        {
            return;
        }

        int length = covered.Length;
        byte[] pseudoHeader = protocol == 1 ? []
            : _packet.IpVersion == 4 ? [.. _source, .. _destination, 0, (byte)protocol, (byte)(length / 256), (byte)length]
            : [.. _source, .. _destination, 0, (byte)(length / 65536), (byte)(length / 256), (byte)length, 0, 0, 0, (byte)protocol];
        _packet.TransportChecksumRight = AddsUp([.. pseudoHeader, .. covered]);
    }
}
