using Dataplane.Packets;

namespace Dataplane.Balancing.Compatibility;

/// <summary>A backend as Cilium's Maglev sees it.</summary>
/// <param name="Id">What the table shows for it; not part of the hash, since every node numbers backends by itself.</param>
/// <param name="Address">Its address.</param>
/// <param name="Port">Its port.</param>
/// <param name="Protocol">6 (TCP), 17 (UDP) or 132 (SCTP).</param>
/// <param name="Weight">1 to 65535; 100 where nothing else is said, as in Cilium.</param>
public readonly record struct CiliumBackend(int Id, IpAddress Address, ushort Port, byte Protocol = IpProtocols.Tcp, int Weight = 100)
{
    /// <summary>The text Cilium hashes and sorts by, which it promises never to change.</summary>
    internal string HashText
    {
        get
        {
            string protocol = Protocol switch
            {
                IpProtocols.Tcp => "TCP",
                IpProtocols.Udp => "UDP",
                IpProtocols.Sctp => "SCTP",
                _ => throw new ArgumentOutOfRangeException(nameof(Protocol), Protocol, "Cilium balances protocols 6 (TCP), 17 (UDP) and 132 (SCTP)."),
            };
            return Address.IsIpv6 ? $"[[{Address}]:{Port}/{protocol},State:active]" : $"[{Address}:{Port}/{protocol},State:active]";
        }
    }
}
