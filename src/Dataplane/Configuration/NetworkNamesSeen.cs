using Dataplane.Packets;

namespace Dataplane.Configuration;

/// <summary>Names and hardware addresses of one network's endpoints so far, each with its place.</summary>
/// <param name="tunnels">Names of ports that lead to other hosts.</param>
/// <param name="withQueues">Ports with several queues, which no endpoint can have.</param>
internal sealed class NetworkNamesSeen(HashSet<string> tunnels, HashSet<string> withQueues)
{
    public HashSet<string> Tunnels => tunnels;

    /// <summary>Ports with several queues.</summary>
    public HashSet<string> WithQueues => withQueues;

    public Dictionary<string, string> Names { get; } = new(StringComparer.Ordinal);

    public Dictionary<MacAddress, string> Macs { get; } = [];
}
