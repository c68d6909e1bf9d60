using Dataplane.Balancing;
using Dataplane.Packets;
using Dataplane.Tests.Flows;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Reference;
using Dataplane.Tunnels;

namespace Dataplane.Tests.Tunnels;

/// <summary>A service whose backends are reached inside other packets: families inside and outside, and the way.</summary>
/// <param name="Inner">Family of client and service.</param>
/// <param name="Outer">Family of the backends.</param>
/// <param name="Mode">How packets are enclosed.</param>
public sealed record TunnelNet(int Inner, int Outer, ForwardMode Mode)
{
    public const string Source4 = "198.18.0.1", Source6 = "2001:db8:99::1";

    public static TheoryData<int, int, ForwardMode> All
    {
        get
        {
            var all = new TheoryData<int, int, ForwardMode>();
            foreach (ForwardMode mode in new[] { ForwardMode.Ipip, ForwardMode.Gue })
            {
                foreach ((int inner, int outer) in new[] { (4, 4), (6, 6), (6, 4), (4, 6) })
                {
                    all.Add(inner, outer, mode);
                }
            }

            return all;
        }
    }

    /// <summary>Takes packets out at 203.0.113.5 that come from 198.51.100.2.</summary>
    internal static void TakeOut(DataplaneBuilder builder) => builder.Encapsulation(new EncapsulationSpec
    {
        Decapsulate = [new DecapsulationSpec { Address = IpAddress.Parse("203.0.113.5"), From = [IpPrefix.Parse("198.51.100.2/32")] }],
    });

    internal ServiceNet Net => ServiceNet.Of(Inner);

    public bool IsGue => Mode == ForwardMode.Gue;

    public int OuterBytes => (Outer == 4 ? 20 : 40) + (IsGue ? 8 : 0);

    internal IpAddress Backend(int host) => ServiceNet.Of(Outer).Backend(host);

    public static EncapsulationSpec Sources => new() { Sources = [IpPrefix.Parse($"{Source4}/32"), IpPrefix.Parse($"{Source6}/128")] };

    internal TestPlane Create(bool tcp = true, int lanMtu = 1500, Action<DataplaneBuilder>? configure = null, params int[] hosts) => TestPlane.Create(builder =>
    {
        builder.Encapsulation(Sources);
        AddTo(builder, "web", tcp, hosts.Length == 0 ? [11] : hosts);
        configure?.Invoke(builder);
    }, lanMtu: lanMtu);

    internal void AddTo(DataplaneBuilder builder, string name, bool tcp, params int[] hosts) => builder.Service(name, Net.Service.ToString(), 80, service =>
    {
        service = (tcp ? service.Tcp() : service.Udp()).RoundRobin().Enclosed(Mode);
        foreach (int host in hosts)
        {
            service = service.Backend(Backend(host).ToString(), 80);
        }
    });

    /// <summary>What is to leave: the packet given, its TTL less one, behind an outer header. Fields that come of the flow's hash are taken from the packet that left.</summary>
    internal byte[] Expected(byte[] came, byte[] left, int tos = 0, string? source = null)
    {
        byte[] inside = TakenDown(came[14..]);
        ReferencePacket outer = ReferenceDecoder.Decode(left);
        string from = source ?? (Outer == 4 ? Source4 : Source6);
        PacketBuilder packet = PacketBuilder.Ethernet(TestPlane.LanMac, TestPlane.ServerMac);
        packet = Outer == 4
            ? packet.Ipv4(from, Backend(11).ToString(), ttl: 64, tos: (byte)tos, identification: 0, dontFragment: true)
            : packet.Ipv6(from, Backend(11).ToString(), 64, (byte)tos, (uint)outer.FlowLabel);
        packet = IsGue ? packet.Udp((ushort)outer.SourcePort, EncapsulationSpec.DefaultGuePort, checksum: Outer == 6) : packet.Carrying(Inner == 4 ? (ushort)4 : (ushort)41);
        return packet.Payload(inside).Build();
    }

    /// <summary>A packet with one less TTL, and over IPv4 a header checksum that fits, summed here.</summary>
    public static byte[] TakenDown(byte[] packet)
    {
        byte[] down = [.. packet];
        if (down[0] >> 4 == 6)
        {
            down[7]--;
            return down;
        }

        down[8]--;
        (down[10], down[11]) = (0, 0);
        int sum = 0;
        for (int at = 0; at < (down[0] & 15) * 4; at += 2)
        {
            sum += (down[at] << 8) + down[at + 1];
        }

        sum = (sum & 0xFFFF) + (sum >> 16);
        sum = ~((sum & 0xFFFF) + (sum >> 16));
        (down[10], down[11]) = ((byte)(sum >> 8), (byte)sum);
        return down;
    }

    /// <summary>The packet inside one that left.</summary>
    public byte[] Inside(byte[] left) => left[(14 + OuterBytes)..];
}
