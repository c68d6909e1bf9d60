using System.Net;
using System.Net.Sockets;
using Dataplane.Packets;

namespace Dataplane.Ports;

/// <summary>What a stream port was opened with.</summary>
internal sealed record StreamSettings(string Name, EndPoint Address, PortRole Role, StreamTls? Tls, MacAddress Mac, int Mtu, int RingFrames)
{
    private const int EthernetBytes = 14;
    private const int VlanTagBytes = 4;

    /// <summary>Longest time from connect to the end of the TLS handshake.</summary>
    internal TimeSpan HandshakeTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Where connections come from in place of a socket of the port's own; null: it has one.</summary>
    internal StreamHub? Hub { get; init; }

    /// <summary>The longest frame that passes, in bytes.</summary>
    internal int MaxFrameBytes => Mtu + EthernetBytes + VlanTagBytes;

    /// <summary>Where the port listens or connects to, as people write it.</summary>
    internal string AddressText => TextOf(Address);

    /// <summary>An address as people write it.</summary>
    internal static string TextOf(EndPoint address) => address switch
    {
        UnixDomainSocketEndPoint path => path.ToString(),
        IPEndPoint { Address.IsIPv4MappedToIPv6: true } mapped => new IPEndPoint(mapped.Address.MapToIPv4(), mapped.Port).ToString(),
        _ => address.ToString() ?? "",
    };

    /// <summary>A ring for one direction.</summary>
    internal FrameRing MakeRing()
    {
        int slotBytes = FrameRing.HeadroomBytes + ((MaxFrameBytes + FrameRing.LineBytes - 1) & -FrameRing.LineBytes);
        return new FrameRing(RingFrames, slotBytes);
    }
}
