using Dataplane.Balancing;
using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Tests.Flows;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Reference;
using Dataplane.Tests.Rewriting;

namespace Dataplane.Tests.Tunnels;

/// <summary>Super-frames and unfinished checksums to services that are enclosed: no port takes such, so they are cut and finished.</summary>
public sealed class EnclosedSuperFrameTests
{
    [Theory]
    [MemberData(nameof(TunnelNet.All), MemberType = typeof(TunnelNet))]
    public async Task SuperFrame_ToAnEnclosedService_LeavesAsEnclosedSegments(int inner, int outer, ForwardMode mode)
    {
        var net = new TunnelNet(inner, outer, mode);
        await using var plane = new OffloadPlane(OffloadPlane.All, configure: builder =>
        {
            builder.Encapsulation(TunnelNet.Sources);
            net.AddTo(builder, "t", true, 11);
            net.AddTo(builder, "u", false, 11);
        });
        foreach (bool tcp in new[] { true, false, true, false })
        {
            PacketBuilder packet = net.Net.FromClient();
            byte[] whole = (tcp ? packet.Tcp(1000, 80, TcpFlags.Ack | TcpFlags.Psh, 100, 9) : packet.Udp(1000, 80)).PayloadOf(5001).Build();
            var payload = new MemoryStream();
            IReadOnlyList<Unfinished> sent = plane.Send(Unfinished.Of(whole, 1200));
            Assert.Equal(5, sent.Count);
            foreach (Unfinished segment in sent)
            {
                Assert.False(segment.NeedsChecksum);
                ReferencePacket enclosed = ReferenceDecoder.Decode(segment.Bytes), inside = ReferenceDecoder.DecodeIp(net.Inside(segment.Bytes));
                Assert.True(enclosed.Problem is null && enclosed.HeaderChecksumRight != false && enclosed.TransportChecksumRight != false && enclosed.Trailer.Length == 0,
                    Convert.ToHexString(segment.Bytes));
                Assert.True(inside.Problem is null && inside.HeaderChecksumRight != false && inside.TransportChecksumRight == true, Convert.ToHexString(segment.Bytes));
                Assert.Equal((net.Backend(11).ToString(), net.Net.Service.ToString(), 63), (enclosed.Destination, inside.Destination, inside.Ttl));
                payload.Write(inside.Payload);
            }

            Assert.Equal(ReferenceDecoder.Decode(whole).Payload, payload.ToArray());

            byte[] small = (tcp ? net.Net.FromClient().Tcp(1000, 80, TcpFlags.Ack, 7, 9) : net.Net.FromClient().Udp(1000, 80)).PayloadOf(99).Build();
            Unfinished left = Assert.Single(plane.Send(Unfinished.Of(small)));
            Assert.False(left.NeedsChecksum);
            ServiceNet.Same(net.Expected(small, left.Bytes), left.Bytes);
        }
    }
}
