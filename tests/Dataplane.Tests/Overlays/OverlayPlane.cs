using System.Buffers.Binary;
using Dataplane.Overlays;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Switching;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Switching;
using static Dataplane.Tests.Switching.NetworkPlane;

namespace Dataplane.Tests.Overlays;

/// <summary>The networks of <see cref="NetworkPlane"/>, of which blue goes on at two other hosts: r is behind peer 7, s behind peer 8; and red at 7, with t.</summary>
internal static class OverlayPlane
{
    public const int BlueVni = 0xB10E, RedVni = 0x12ED;

    /// <summary>Of the family: the engine's end, and the hosts 7 and 8.</summary>
    public static IpAddress Local(int family) => IpAddress.Parse(family == 4 ? "198.51.100.1" : "2001:db8:1::1");

    public static IpAddress Peer(int number, int family) => IpAddress.Parse(family == 4 ? $"198.51.100.{number}" : $"2001:db8:1::{number}");

    public static MacAddress PeerMac(int number) => new(0x0200_0000_0700UL + (uint)number);

    public static MacAddress RemoteMac(string name) => new(0x0200_0B00_0000UL | name[0]);

    public static IpAddress RemoteAddress(string name, int family) => IpAddress.Parse((name, family) switch
    {
        ("r", 4) => "10.89.0.112",
        ("s", 4) => "10.89.0.113",
        ("t", 4) => "10.90.0.112",
        ("r", _) => "fd00:89::112",
        ("s", _) => "fd00:89::113",
        ("t", _) => "fd00:90::112",
        _ => throw new ArgumentException(name),
    });

    public static RemoteEndpointSpec Remote(string name, int peer, int family) => new()
    {
        Name = name,
        Mac = RemoteMac(name),
        Addresses = [RemoteAddress(name, 4), RemoteAddress(name, 6)],
        Peer = Peer(peer, family),
    };

    public static OverlaySpec BlueOverlay(int family) => new()
    {
        Port = "vx-blue",
        Vni = BlueVni,
        Local = Local(family),
        Peers = [Peer(7, family), Peer(8, family)],
        Endpoints = [Remote("r", 7, family), Remote("s", 8, family)],
    };

    public static OverlaySpec RedOverlay(int family) => new()
    {
        Port = "vx-red",
        Vni = RedVni,
        Local = Local(family),
        Peers = [Peer(7, family)],
        Endpoints = [Remote("t", 7, family)],
    };

    /// <summary>A plane whose tunnels are of a family; host 7 is a neighbour that is known, host 8 must be asked for.</summary>
    public static TestPlane Create(int family, Func<NetworkSpec, NetworkSpec>? blue = null, Func<NetworkSpec, NetworkSpec>? red = null, Action<DataplaneBuilder>? configure = null) =>
        NetworkPlane.Create(
            spec => (blue ?? (same => same))(spec with { Overlay = BlueOverlay(family) }),
            spec => (red ?? (same => same))(spec with { Overlay = RedOverlay(family) }),
            builder =>
            {
                builder.Port("vx-blue", PortSource.Vxlan()).Port("vx-red", PortSource.Vxlan())
                    .Neighbour("wan", Peer(7, family).ToString(), PeerMac(7).ToString());
                configure?.Invoke(builder);
            });

    /// <summary>A plane where s is behind a peer whose way leads through r.</summary>
    public static TestPlane CreateCircle()
    {
        var peer = IpAddress.Parse("203.0.113.9");
        return Create(4,
            blue => blue with { Overlay = blue.Overlay! with { Peers = [Peer(7, 4), peer], Endpoints = [Remote("r", 7, 4), Remote("s", 8, 4) with { Peer = peer }] } },
            configure: builder => builder.Route("203.0.113.0/24", "10.89.0.112"));
    }

    /// <summary>A frame of an endpoint here to one elsewhere.</summary>
    public static PacketBuilder Leaving(string from, string to, int family, byte ttl = 64) =>
        PacketBuilder.Ethernet(MacOf(from), RemoteMac(to)).Ip(AddressOf(from, family), RemoteAddress(to, family), ttl);

    /// <summary>A frame of an endpoint elsewhere to one here.</summary>
    public static PacketBuilder Coming(string from, string to, int family, byte ttl = 64) =>
        PacketBuilder.Ethernet(RemoteMac(from), MacOf(to)).Ip(RemoteAddress(from, family), AddressOf(to, family), ttl);

    /// <summary>The packet to the engine that carries a frame from host 7.</summary>
    public static byte[] From7(int family, byte[] inner, int vni = BlueVni, int sourcePort = 50000, bool withChecksum = false, int congestion = 0) =>
        Wrap(PeerMac(7), TestPlane.WanMac, Peer(7, family), Local(family), sourcePort, 4789, vni, inner, withChecksum, congestion);

    /// <summary>VXLAN as RFC 7348 draws it, byte by byte and by nothing that the engine uses.</summary>
    public static byte[] Wrap(MacAddress source, MacAddress target, IpAddress from, IpAddress to, int sourcePort, int targetPort, int vni, byte[] inner,
        bool withChecksum = false, int congestion = 0)
    {
        int ip = from.IsIpv4 ? 20 : 40;
        byte[] frame = new byte[14 + ip + 16 + inner.Length];
        target.Write(frame);
        source.Write(frame.AsSpan(6));
        int udp = 14 + ip, length = 16 + inner.Length;
        if (from.IsIpv4)
        {
            byte[] header = [0x45, (byte)congestion, (byte)((20 + length) >> 8), (byte)(20 + length), 0, 0, 0x40, 0, 64, 17, 0, 0];
            (frame[12], frame[13]) = (8, 0);
            header.CopyTo(frame, 14);
            from.Write(frame.AsSpan(26));
            to.Write(frame.AsSpan(30));
            int sum = SlowSum(frame.AsSpan(14, 20), 0);
            (frame[24], frame[25]) = ((byte)(~sum >> 8), (byte)~sum);
        }
        else
        {
            byte[] header = [0x60, (byte)(congestion << 4), 0, 0, (byte)(length >> 8), (byte)length, 17, 64];
            (frame[12], frame[13]) = (0x86, 0xDD);
            header.CopyTo(frame, 14);
            from.Write(frame.AsSpan(22));
            to.Write(frame.AsSpan(38));
        }

        byte[] rest = [(byte)(sourcePort >> 8), (byte)sourcePort, (byte)(targetPort >> 8), (byte)targetPort, (byte)(length >> 8), (byte)length, 0, 0,
            8, 0, 0, 0, (byte)(vni >> 16), (byte)(vni >> 8), (byte)vni, 0];
        rest.CopyTo(frame, udp);
        inner.CopyTo(frame, udp + 16);
        if (withChecksum)
        {
            int addresses = from.IsIpv4 ? 26 : 22;
            int sum = SlowSum(frame.AsSpan(udp), SlowSum(frame.AsSpan(addresses, ip == 20 ? 8 : 32), 17 + length));
            (frame[udp + 6], frame[udp + 7]) = ((byte)(~sum >> 8), (byte)~sum);
        }

        return frame;
    }

    /// <summary>The UDP source port of an outer frame.</summary>
    public static int SourcePortOf(byte[] outer) => BinaryPrimitives.ReadUInt16BigEndian(outer.AsSpan(outer[12] == 8 ? 34 : 54));

    private static int SlowSum(ReadOnlySpan<byte> bytes, int sum)
    {
        for (int i = 0; i < bytes.Length; i++)
        {
            sum += i % 2 == 0 ? bytes[i] << 8 : bytes[i];
            sum = (sum & 0xFFFF) + (sum >> 16);
        }

        return sum;
    }
}
