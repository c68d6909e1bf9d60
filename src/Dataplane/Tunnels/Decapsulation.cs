using Dataplane.Balancing;
using Dataplane.Packets;

namespace Dataplane.Tunnels;

/// <summary>An address at which packets inside packets are taken out, in force. Immutable but for its counters.</summary>
internal sealed class Decapsulation
{
    public required DecapsulationSpec Spec { get; init; }

    /// <summary>Outer sources that are listened to; empty: all.</summary>
    public required IpPrefix[] From { get; init; }

    /// <summary>Packets taken out and their bytes, one for each worker.</summary>
    public required BackendCounter[] Counters { get; init; }

    /// <summary>Whether an outer source is listened to.</summary>
    public bool Admits(IpAddress source)
    {
        foreach (IpPrefix prefix in From)
        {
            if (prefix.Contains(source))
            {
                return true;
            }
        }

        return From.Length == 0;
    }
}
