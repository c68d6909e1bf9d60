using System.Text.Json;
using System.Text.RegularExpressions;
using Dataplane.Packets;
using Dataplane.Tests.Reference;

namespace Dataplane.Tests.Packets;

/// <summary>Frames and headers from the tests of smoltcp, DPDK, Open vSwitch and tcpdump, read by the views.</summary>
public partial class WireSharedCasesTests
{
    private const string Smoltcp = "smoltcp/vectors.json", Dpdk = "dpdk/checksum.json", Ovs = "ovs/flow_extract.json", OvsFrames = "ovs/frames.json",
        Tcpdump = "tcpdump/packets.json";

    [SharedCasesFact(Ovs)]
    public void Decode_OvsFlows_GiveTheirKeys()
    {
        using JsonDocument cases = SharedCases.Read(Ovs);
        int count = 0;
        foreach (JsonElement item in cases.RootElement.GetProperty("cases").EnumerateArray())
        {
            byte[] frame = Hex(item, "frame");
            JsonElement expect = item.GetProperty("expect");
            Assert.Equal(Expected(expect), Key(ViewDecoder.Decode(frame)));
            Assert.Equal(Expected(expect), Key(ReferenceDecoder.Decode(frame)));
            count++;
        }

        Assert.Equal(247, count);
    }

    [SharedCasesFact(Dpdk)]
    public void Checksums_DpdkPackets_VerifyAndRecompute()
    {
        using JsonDocument cases = SharedCases.Read(Dpdk);
        foreach (JsonElement item in cases.RootElement.GetProperty("packets").EnumerateArray())
        {
            byte[] packet = Hex(item, "frame")[14..];
            Assert.Equal(ChecksumStatus.Valid, InternetChecksum.VerifyTransport(packet));
            bool isV4 = Ipv4View.TryParse(packet, out Ipv4View v4);
            Assert.True(!isV4 || v4.IsChecksumValid);
            byte[] cleared = (byte[])packet.Clone();
            ReferencePacket reference = ReferenceDecoder.DecodeIp(packet);
            cleared.AsSpan(reference.TransportOffset + (reference.Protocol == 6 ? 16 : 6), 2).Clear();
            Assert.True(InternetChecksum.TryFillTransport(cleared));
            if (isV4)
            {
                cleared.AsSpan(10, 2).Clear();
                Assert.True(Ipv4Editor.TryCreate(cleared, out Ipv4Editor editor));
                editor.FillChecksum();
            }

            Assert.Equal(packet, cleared);
            FlipEveryBit(packet, isV4);
        }

        foreach (JsonElement item in cases.RootElement.GetProperty("rfc1071").EnumerateArray())
        {
            Assert.Equal(Number(item, "sum"), (int)InternetChecksum.Sum(Hex(item, "data")));
            Assert.Equal(Number(item, "checksum"), InternetChecksum.Compute(Hex(item, "data")));
        }

        foreach (JsonElement item in cases.RootElement.GetProperty("rfc1624").EnumerateArray())
        {
            ushort delta = InternetChecksum.Delta((ushort)Number(item, "m"), (ushort)Number(item, "m_new"));
            Assert.Equal(Number(item, "HC_new"), InternetChecksum.Adjust((ushort)Number(item, "HC"), delta));
        }
    }

    [SharedCasesFact(OvsFrames)]
    public void Decode_OvsFrames_AreReadAlikeAndThrowNothing()
    {
        using JsonDocument cases = SharedCases.Read(OvsFrames);
        byte[][] frames = [.. new[] { "fuzz", "frames" }.SelectMany(list => cases.RootElement.GetProperty(list).EnumerateArray())
            .Select(item => Hex(item, "frame"))];
        Assert.Equal(127, frames.Length);
        foreach (byte[] frame in frames)
        {
            ReferenceAgreementTests.Agree(frame);
            TouchEverywhere(frame);
        }
    }

    [SharedCasesFact(Tcpdump)]
    public void Decode_TcpdumpFrames_AreReadAlikeAndThrowNothing()
    {
        using JsonDocument cases = SharedCases.Read(Tcpdump);
        int count = 0;
        foreach (JsonElement item in cases.RootElement.GetProperty("packets").EnumerateArray())
        {
            byte[] frame = Hex(item, "frame");
            if (item.GetProperty("link").GetInt32() == 1)
            {
                ReferenceAgreementTests.Agree(frame);
            }
            else
            {
                ReferenceAgreementTests.AgreeIp(frame);
            }

            TouchEverywhere(frame);
            count++;
        }

        Assert.Equal(2076, count);
    }

    /// <summary>tcpdump's own text is a third opinion: on addresses, ports and checksums of every sound TCP and UDP packet.</summary>
    [SharedCasesFact(Tcpdump)]
    public void Decode_TcpdumpFrames_AgreeWithItsText()
    {
        using JsonDocument cases = SharedCases.Read(Tcpdump);
        int tuples = 0, right = 0, wrong = 0, wrongHeaders = 0;
        foreach (JsonElement item in cases.RootElement.GetProperty("packets").EnumerateArray())
        {
            string text = item.GetProperty("tcpdump").GetString() ?? "";
            byte[] frame = Hex(item, "frame");
            ReferencePacket packet = item.GetProperty("link").GetInt32() == 1 ? ViewDecoder.Decode(frame) : ViewDecoder.DecodeIp(frame);
            if (packet.Problem is not null || packet.IpVersion == 0 || item.GetProperty("class").GetString() != "valid")
            {
                continue;
            }

            wrongHeaders += packet.HeaderChecksumRight == false ? 1 : 0;
            Assert.True(packet.HeaderChecksumRight != false || text.Contains("bad cksum", StringComparison.Ordinal), text);
            if (packet.Protocol is IpProtocols.Tcp or IpProtocols.Udp && packet.Fragment != "later")
            {
                // Behind a routing header tcpdump prints the ports alone.
                string tuple = packet.ExtensionHeaders.Contains(IpProtocols.Routing)
                    ? $" {packet.SourcePort} > {packet.DestinationPort}: "
                    : $" {packet.Source}.{packet.SourcePort} > {packet.Destination}.{packet.DestinationPort}: ";
                Assert.Contains(tuple, text, StringComparison.Ordinal);
                bool? verdict = ChecksumVerdict(text[(text.IndexOf(tuple, StringComparison.Ordinal) + tuple.Length)..]);
                Assert.True(verdict is null || verdict == packet.TransportChecksumRight, text);
                tuples++;
                right += verdict == true ? 1 : 0;
                wrong += verdict == false ? 1 : 0;
            }
        }

        Assert.True(tuples > 500 && right > 300 && wrong > 20 && wrongHeaders > 0, $"{tuples} tuples, {right} right, {wrong} wrong, {wrongHeaders} headers");
    }

    [GeneratedRegex(@"^(\[udp sum ok\]|Flags \[[^]]*\], cksum 0x[0-9a-f]+ \(correct\))")]
    private static partial Regex RightChecksum { get; }

    [GeneratedRegex(@"^(\[bad udp cksum|Flags \[[^]]*\], cksum 0x[0-9a-f]+ \(incorrect)")]
    private static partial Regex WrongChecksum { get; }

    /// <summary>What tcpdump says first behind the ports; later verdicts are about packets in tunnels.</summary>
    private static bool? ChecksumVerdict(string text) => RightChecksum.IsMatch(text) ? true : WrongChecksum.IsMatch(text) ? false : null;

    [SharedCasesFact(Smoltcp)]
    public void Headers_SmoltcpVectors_HaveTheirMeaning()
    {
        using JsonDocument cases = SharedCases.Read(Smoltcp);
        ILookup<string, byte[]> vectors = cases.RootElement.GetProperty("vectors").EnumerateArray().ToLookup(
            item => Path.GetFileName(item.GetProperty("file").GetString()!) + " " + item.GetProperty("name").GetString(), item => Hex(item, "hex"));
        IpAddress one = IpAddress.Parse("192.168.1.1"), two = IpAddress.Parse("192.168.1.2");
        IpAddress six = IpAddress.Parse("fe80::1"), seven = IpAddress.Parse("fe80::2");

        byte[] arp = vectors["arp.rs PACKET_BYTES"].Single(), arpAgain = new byte[28];
        Assert.True(ArpView.TryParse(arp, out ArpView arpView) && arpView.TryGetFields(out ArpFields arpFields) && arpFields.Emit(arpAgain) == 28);
        Assert.Equal(arp, arpAgain);
        Assert.Equal(("11:12:13:14:15:16", "33.34.35.36"), (arpView.SenderMac.ToString(), arpView.SenderAddress.ToString()));

        foreach (byte[] frame in vectors["ethernet.rs FRAME_BYTES"])
        {
            Assert.True(EthernetView.TryParse(frame, out EthernetView view) && view.Source.ToString() == "11:12:13:14:15:16");
            Assert.True(view.EtherType is EtherTypes.Ipv4 or EtherTypes.Ipv6);
        }

        Assert.True(Ipv4View.TryParse(vectors["ipv4.rs PACKET_BYTES"].Single(), out Ipv4View v4) && v4.IsChecksumValid);
        Assert.Equal((0x102, 0x203 * 8, 0x1A, 1), (v4.Identification, v4.FragmentOffsetBytes, v4.Ttl, v4.Protocol));
        Assert.True(v4.DontFragment && v4.MoreFragments);
        Assert.True(Ipv4View.TryParse(vectors["ipv4.rs REPR_PACKET_BYTES"].Single(), out v4) && v4.IsChecksumValid && v4.Payload.Length == 4);

        Assert.True(TcpView.TryParse(vectors["tcp.rs PACKET_BYTES"].Single(), out TcpView tcp) && tcp.IsChecksumValid(one, two));
        Assert.Equal((48896, 80, 0x0201), (tcp.SourcePort, tcp.DestinationPort, tcp.UrgentPointer));
        Assert.Equal((0x01234567u, 0x89ABCDEFu), (tcp.SequenceNumber, tcp.AcknowledgmentNumber));
        Assert.Equal(TcpFlags.Fin | TcpFlags.Rst | TcpFlags.Ack | TcpFlags.Urg, tcp.Flags);
        Assert.True(TcpView.TryParse(vectors["tcp.rs SYN_PACKET_BYTES"].Single(), out tcp) && tcp.IsChecksumValid(one, two) && tcp.Flags == TcpFlags.Syn);

        Assert.True(UdpView.TryParse(vectors["udp.rs PACKET_BYTES"].Single(), out UdpView udp) && udp.HasChecksum && udp.IsChecksumValid(one, two));
        Assert.Equal((48896, 53, 12), (udp.SourcePort, udp.DestinationPort, udp.LengthBytes));
        Assert.True(UdpView.TryParse(vectors["udp.rs NO_CHECKSUM_PACKET"].Single(), out udp) && !udp.HasChecksum && udp.IsChecksumValid(one, two));

        Assert.True(Icmpv4View.TryParse(vectors["icmpv4.rs ECHO_PACKET_BYTES"].Single(), out Icmpv4View icmp) && icmp.IsChecksumValid && icmp.IsEcho);
        Assert.Equal((0x1234, 0xABCD), (icmp.Identifier, icmp.SequenceNumber));
        Assert.True(Icmpv6View.TryParse(vectors["icmpv6.rs ECHO_PACKET_BYTES"].Single(), out Icmpv6View echo) && echo.IsChecksumValid(six, seven));
        Assert.True(echo.IsEcho);
        Assert.True(Icmpv6View.TryParse(vectors["icmpv6.rs PKT_TOO_BIG_BYTES"].Single(), out Icmpv6View tooBig) && tooBig.IsChecksumValid(six, seven));
        Assert.True(Ipv6View.TryParse(tooBig.QuotedPacket, out Ipv6View quoted) && UdpView.TryParse(quoted.Payload, out udp) && udp.DestinationPort == 53);
        Assert.Equal(1500u, tooBig.MtuBytes);

        Assert.True(RouterAdvertisementView.TryParse(vectors["ndisc.rs ROUTER_ADVERT_BYTES"].Single(), out RouterAdvertisementView router));
        Assert.True(router.TryGetFields(out RouterAdvertisementFields fields) && router.IsManaged);
        Assert.Equal((64, 900, 900u, 900u, "52:54:00:12:34:56"), (
            fields.HopLimit, fields.LifetimeSeconds, fields.ReachableTimeMs, fields.RetransTimerMs, fields.SourceLinkLayerAddress.ToString()));
    }

    [SharedCasesFact(Smoltcp)]
    public void Headers_SmoltcpExtensionVectors_RoundTrip()
    {
        using JsonDocument cases = SharedCases.Read(Smoltcp);
        int seen = 0;
        foreach (JsonElement item in cases.RootElement.GetProperty("vectors").EnumerateArray())
        {
            byte[] bytes = Hex(item, "hex");
            TouchEverywhere(bytes);
            seen += Path.GetFileName(item.GetProperty("file").GetString()) switch
            {
                "ipsec_ah.rs" when bytes.Length == 24 => CheckAuthentication(bytes),
                "ipv6ext_header.rs" => CheckOptions(bytes),
                "ipv6fragment.rs" => CheckFragment([17, 0, .. bytes]),
                _ => 0,
            };
        }

        Assert.Equal(6, seen);
    }

    private static int CheckAuthentication(byte[] bytes)
    {
        byte[] again = new byte[bytes.Length];
        Assert.True(AuthenticationView.TryParse(bytes, out AuthenticationView view));
        Assert.True(view.TryGetFields(out AuthenticationFields fields));
        Assert.Equal(bytes.Length, fields.Emit(again, view.IntegrityCheckValue));
        Assert.Equal(bytes, again);
        return 1;
    }

    private static int CheckOptions(byte[] bytes)
    {
        byte[] again = new byte[bytes.Length];
        Assert.True(Ipv6OptionsView.TryParse(bytes, out Ipv6OptionsView view));
        Assert.True(view.TryGetFields(out Ipv6OptionsFields fields));
        Assert.Equal(bytes.Length, fields.Emit(again, view.Options));
        Assert.Equal(bytes, again);
        return 1;
    }

    private static int CheckFragment(byte[] bytes)
    {
        byte[] again = new byte[bytes.Length];
        Assert.True(Ipv6FragmentView.TryParse(bytes, out Ipv6FragmentView view));
        Assert.Contains((view.OffsetBytes, view.MoreFragments, view.Identification), new[] { (0, true, 12345u), (2560, false, 67890u) });
        Assert.True(view.TryGetFields(out Ipv6FragmentFields fields));
        fields.Emit(again);
        Assert.Equal(bytes, again);
        return 1;
    }

    private static void TouchEverywhere(byte[] frame)
    {
        foreach (int offset in new[] { 0, 14, 18, 34, 38, 54, 62 }.Where(offset => offset <= frame.Length))
        {
            NoInputThrowsTests.TouchAll(frame, offset, frame.Length - offset);
        }
    }

    private static void FlipEveryBit(byte[] packet, bool isV4)
    {
        for (int bit = 0; bit < packet.Length * 8; bit++)
        {
            // Traffic class, flow label and hop limit of IPv6 are covered by no checksum.
            if (!isV4 && bit / 8 is < 4 or 7)
            {
                continue;
            }

            byte[] damaged = (byte[])packet.Clone();
            damaged[bit / 8] ^= (byte)(1 << (bit % 8));
            bool header = !Ipv4View.TryParse(damaged, out Ipv4View view) || view.IsChecksumValid;
            Assert.False(header && InternetChecksum.VerifyTransport(damaged) == ChecksumStatus.Valid, $"bit {bit}");
        }
    }

    private static string Expected(JsonElement expect)
    {
        string[] names = ["eth_src", "eth_dst", "vlan_vid", "eth_type", "ip_tos", "ip_proto", "ip_src", "ip_dst", "l4_src", "l4_dst"];
        return string.Join(' ', names.Select(name => expect.GetProperty(name).ToString()).Select(value => value.Length == 0 ? "none" : value));
    }

    private static string Key(ReferencePacket packet)
    {
        string vlan = packet.Tags.Count == 0 ? "none" : packet.Tags[0].Id.ToString();
        bool isIcmp = packet.Protocol == 1, isIp = packet.IpVersion == 4;
        return string.Join(' ', packet.SourceMac, packet.DestinationMac, vlan, $"0x{packet.EtherType:x4}", packet.Tos, packet.Protocol,
            isIp ? packet.Source : "0.0.0.0", isIp ? packet.Destination : "0.0.0.0", isIcmp ? packet.IcmpType : packet.SourcePort,
            isIcmp ? packet.IcmpCode : packet.DestinationPort);
    }

    private static byte[] Hex(JsonElement item, string name) => Convert.FromHexString(item.GetProperty(name).GetString()!);

    private static int Number(JsonElement item, string name) => Convert.ToInt32(item.GetProperty(name).GetString(), 16);
}
