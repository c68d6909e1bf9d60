using System.Buffers.Binary;
using System.Net;
using Dataplane.Filtering;
using Dataplane.Native;
using Dataplane.Native.Tests;
using Dataplane.Packets;
using Dataplane.Ports;

namespace Dataplane.SystemTests.Ports;

/// <summary>The filter in the XDP program: every frame is with the port or with the kernel, as the rules say, and never with both.</summary>
public class AfXdpTrafficTests
{
    private const byte Tcp = 6, Udp = 17, Icmp6 = 58;

    private static readonly TrafficRules s_take =
    [
        new TrafficRule { To = IpPrefix.Parse("198.51.100.0/24") },
        new TrafficRule { To = IpPrefix.Parse("2001:db8:1::/64") },
        new TrafficRule { To = IpPrefix.Parse("203.0.113.7/32"), Protocol = Udp, ToPort = new PortRange(53, 54) },
    ];

    private static readonly TrafficRules s_leave =
    [
        new TrafficRule { To = IpPrefix.Parse("198.51.100.5/32") },
        new TrafficRule { To = IpPrefix.Parse("2001:db8:1::5/128") },
        new TrafficRule { To = IpPrefix.Parse("198.51.100.0/25"), Protocol = Tcp, ToPort = new PortRange(22, 22) },
    ];

    private static readonly (string What, byte[] Frame, bool Taken, bool TakenByLeaveOnly)[] s_frames =
    [
        ("in the prefix", V4("198.51.100.77", Udp, 9), true, true),
        ("SSH", V4("198.51.100.77", Tcp, 22), false, false),
        ("SSH outside the rule's half", V4("198.51.100.177", Tcp, 22), true, true),
        ("UDP to the port of SSH", V4("198.51.100.77", Udp, 22), true, true),
        ("port below", V4("198.51.100.77", Tcp, 21), true, true),
        ("port above", V4("198.51.100.77", Tcp, 23), true, true),
        ("SSH behind options", V4("198.51.100.77", Tcp, 22, headerWords: 8), false, false),
        ("header length impossible", V4("198.51.100.77", Tcp, 22, headerWords: 5, version: 0x44), true, true),
        ("SSH in a VLAN", Tagged(V4("198.51.100.77", Tcp, 22), 0x8100), false, false),
        ("SSH in two", Tagged(Tagged(V4("198.51.100.77", Tcp, 22), 0x8100), 0x88A8), false, false),
        ("first fragment of SSH", V4("198.51.100.77", Tcp, 22, fragment: 0x2000), true, true),
        ("later fragment", V4("198.51.100.77", Tcp, 22, fragment: 0x0010), true, true),
        ("the kernel's address", V4("198.51.100.5", Udp, 9), false, false),
        ("next to it", V4("198.51.100.4", Udp, 9), true, true),
        ("port of a range, first", V4("203.0.113.7", Udp, 53), true, true),
        ("port of a range, last", V4("203.0.113.7", Udp, 54), true, true),
        ("port behind a range", V4("203.0.113.7", Udp, 55), false, true),
        ("other protocol", V4("203.0.113.7", Tcp, 53), false, true),
        ("other host", V4("203.0.113.6", Udp, 53), false, true),
        ("ARP for a taken address", Arp("198.51.100.77"), true, true),
        ("ARP for the kernel's", Arp("198.51.100.5"), false, false),
        ("ARP for one taken by port only", Arp("203.0.113.7"), false, true),
        ("IPv6", V6("2001:db8:1::9", Udp, new byte[8]), true, true),
        ("IPv6 to the kernel's address", V6("2001:db8:1::5", Udp, new byte[8]), false, false),
        ("IPv6 elsewhere", V6("2001:db8:2::9", Udp, new byte[8]), false, true),
        ("solicitation for a taken address", V6("ff02::1:ff00:9", Icmp6, Neighbour(135, "2001:db8:1::9")), true, true),
        ("solicitation for the kernel's", V6("ff02::1:ff00:5", Icmp6, Neighbour(135, "2001:db8:1::5")), false, false),
        ("advertisement to a taken address", V6("2001:db8:1::9", Icmp6, Neighbour(136, "2001:db8:1::1")), true, true),
        ("advertisement to the kernel's", V6("2001:db8:1::5", Icmp6, Neighbour(136, "2001:db8:1::1")), false, false),
        ("another EtherType", Ethernet(0x88B5, new byte[46]), false, true),
        ("IPv4 cut off", Ethernet(0x0800, [0x45, 0, 0, 20]), false, true),
    ];

    [PrivilegedTheory]
    [InlineData(XdpMode.Native, true)]
    [InlineData(XdpMode.Native, false)]
    [InlineData(XdpMode.Generic, true)]
    public void Rules_EveryKindOfFrame_IsWithThePortOrWithTheKernel(XdpMode mode, bool withTake)
    {
        var options = new AfXdpOptions { Mode = mode };
        using var bed = new PortBed(open: (name, home) => name == "a0" ? PortBed.Open(name, home, 64) : AfXdpPortTests.Open(name, home, options, take: withTake ? s_take : [], leave: s_leave));
        using IPort kernel = PortBed.Open("b0", bed.RightHome, 64);
        for (int i = 0; i < s_frames.Length; i++)
        {
            // Told apart by the last byte of the sender's address.
            s_frames[i].Frame[11] = (byte)(i + 1);
            bed.SendFrom(bed.Left, s_frames[i].Frame);
        }

        string[] expected = [.. s_frames.Where(f => withTake ? f.Taken : f.TakenByLeaveOnly).Select(f => f.What)];
        string[] left = [.. s_frames.Where(f => !(withTake ? f.Taken : f.TakenByLeaveOnly)).Select(f => f.What)];
        Assert.Equal(expected, bed.Collect(bed.Right, expected.Length).Select(WhatOf));
        Assert.Equal(left, bed.Collect(kernel, left.Length).Select(WhatOf));
    }

    [PrivilegedFact]
    public void Rules_AsManyAsAreAllowed_AreLoaded()
    {
        TrafficRules most = [.. Enumerable.Range(0, 64).Select(i => new TrafficRule { To = IpPrefix.Parse($"2001:db8:{i:x}::/48"), Protocol = Udp, ToPort = new PortRange(1, (ushort)(i + 1)) })];
        using var home = NetworkNamespace.Create("xdp");
        home.Link("add", "x0", "type", "veth", "peer", "name", "x1");
        AfXdpPortTests.Open("x0", home, take: most).Dispose();
        AfXdpPortTests.Open("x0", home, leave: most).Dispose();
        Assert.Throws<ArgumentOutOfRangeException>(() => AfXdpPortTests.Open("x0", home, take: most, leave: s_leave));
    }

    private static string WhatOf(byte[] frame) => s_frames[frame[11] - 1].What;

    private static byte[] Ethernet(int type, byte[] payload)
    {
        byte[] frame = new byte[14 + payload.Length];
        frame[0] = frame[6] = 2;
        frame[5] = 1;
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(12), (ushort)type);
        payload.CopyTo(frame, 14);
        return frame;
    }

    private static byte[] V4(string to, byte protocol, int port, int headerWords = 5, int fragment = 0, int version = 0)
    {
        byte[] packet = new byte[(headerWords * 4) + 20];
        packet[0] = (byte)(version != 0 ? version : 0x40 + headerWords);
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(2), (ushort)packet.Length);
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(6), (ushort)fragment);
        packet[8] = 64;
        packet[9] = protocol;
        IPAddress.Parse("192.0.2.1").GetAddressBytes().CopyTo(packet, 12);
        IPAddress.Parse(to).GetAddressBytes().CopyTo(packet, 16);
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan((headerWords * 4) + 2), (ushort)port);
        return Ethernet(0x0800, packet);
    }

    private static byte[] V6(string to, byte protocol, byte[] payload)
    {
        byte[] packet = new byte[40 + payload.Length];
        packet[0] = 0x60;
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(4), (ushort)payload.Length);
        packet[6] = protocol;
        packet[7] = 255;
        IPAddress.Parse("2001:db8:9::1").GetAddressBytes().CopyTo(packet, 8);
        IPAddress.Parse(to).GetAddressBytes().CopyTo(packet, 24);
        payload.CopyTo(packet, 40);
        return Ethernet(0x86DD, packet);
    }

    private static byte[] Neighbour(byte type, string target) => [type, 0, 0, 0, 0, 0, 0, 0, .. IPAddress.Parse(target).GetAddressBytes()];

    private static byte[] Arp(string target)
    {
        byte[] packet = new byte[46];
        ((ReadOnlySpan<byte>)[0, 1, 8, 0, 6, 4, 0, 1]).CopyTo(packet);
        IPAddress.Parse(target).GetAddressBytes().CopyTo(packet, 24);
        return Ethernet(0x0806, packet);
    }

    private static byte[] Tagged(byte[] frame, int type) => [.. frame[..12], (byte)(type >> 8), (byte)type, 0, 7, .. frame[12..]];
}
