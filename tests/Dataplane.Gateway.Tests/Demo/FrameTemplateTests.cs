using Dataplane.Gateway.Demo.Memory;
using Dataplane.Packets;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Gateway.Tests.Demo;

public class FrameTemplateTests
{
    private static readonly MacAddress s_from = MacAddress.Parse("02:00:00:00:00:09"), s_to = MacAddress.Parse("02:00:00:00:00:01");

    [Fact]
    public void Write_AnySegment_IsWhatThePacketBuilderBuildsAndReadsBack() => Prop.ForAll<uint, uint, byte[]>((ports, sequence, payload) =>
    {
        payload ??= [];
        (ushort sourcePort, ushort destinationPort) = ((ushort)(ports >> 16), (ushort)ports);
        foreach ((bool isIpv6, bool isTcp) in new[] { (false, false), (false, true), (true, false), (true, true) })
        {
            (string source, string destination) = isIpv6 ? ("2001:db8::9", "2001:db8::1") : ("192.0.2.9", "192.0.2.1");
            var segment = new Segment
            {
                Source = IpAddress.Parse(source),
                Destination = IpAddress.Parse(destination),
                SourcePort = sourcePort,
                DestinationPort = destinationPort,
                Protocol = isTcp ? FrameTemplate.Tcp : FrameTemplate.Udp,
                Sequence = isTcp ? sequence : 0,
                Acknowledged = isTcp ? ~sequence : 0,
                Flags = isTcp ? (byte)(FrameTemplate.Psh | FrameTemplate.Ack) : (byte)0,
            };
            byte[] frame = new byte[FrameTemplate.LargestHeaderBytes + payload.Length];
            Span<byte> written = frame.AsSpan(0, FrameTemplate.Write(frame, s_from, s_to, in segment, payload));
            PacketBuilder built = PacketBuilder.Ethernet(s_from, s_to);
            built = isIpv6 ? built.Ipv6(source, destination) : built.Ipv4(source, destination, dontFragment: true);
            built = isTcp ? built.Tcp(sourcePort, destinationPort, TcpFlags.Psh | TcpFlags.Ack, sequence, ~sequence) : built.Udp(sourcePort, destinationPort);
            Assert.Equal(Convert.ToHexString(built.Payload(payload).Build()), Convert.ToHexString(written));
            Assert.True(FrameTemplate.TryRead(written, out Segment read, out ReadOnlySpan<byte> carried));
            Assert.Equal(segment, read);
            Assert.Equal(payload, carried);

            // The transport checksum covers every bit behind the IP header.
            written[^1] ^= 1;
            Assert.False(FrameTemplate.TryRead(written, out _, out _));
        }
    }).QuickCheckThrowOnFailure();
}
