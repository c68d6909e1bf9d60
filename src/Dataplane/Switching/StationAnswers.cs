using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Switching;

/// <summary>Who has an address, as an endpoint is told.</summary>
internal static class StationAnswers
{
    /// <summary>The hardware address that an endpoint is to send to for an address of its link; 0 when nobody has it, or the endpoint itself.</summary>
    public static ulong MacOf(WorkerContext context, Station asking, IpAddress address)
    {
        if (asking.Interface.Answered.Contains(address))
        {
            return asking.Network.Mac;
        }

        if (asking.Has(address))
        {
            // Who asks whether its own address is free must not hear that it is taken (RFC 5227 2.1.1, RFC 4862 5.4).
            return 0;
        }

        Station? owner = address.IsLinkLocal && address.IsIpv6
            ? context.Tables.Bridges.FindLinkLocal(asking.Network, address)
            : context.Tables.Bridges.Find(address);
        if (owner is null || !ReferenceEquals(owner.Network, asking.Network))
        {
            return 0;
        }

        // Isolated endpoints send to each other by the gateway, which lets pass what belongs to flows it has translated.
        return asking.Network.Spec.Isolate ? asking.Network.Mac : owner.Mac;
    }
}
