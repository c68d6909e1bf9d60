using System.Net;
using System.Net.Sockets;

namespace Dataplane.Mesh.Relay;

/// <summary>Counts connections, in all and of each source. Any thread.</summary>
internal sealed class SourceLimits
{
    private readonly Lock _counting = new();
    private readonly Dictionary<IPAddress, int> _bySource = [];
    private int _all;

    internal int All => Volatile.Read(ref _all);

    /// <summary>Counts a connection if it may be.</summary>
    /// <returns><see cref="RelayReason.Completed"/> when it is counted, else the limit that is reached.</returns>
    internal RelayReason Enter(IPAddress source, RelayLimits limits)
    {
        IPAddress key = KeyOf(source);
        lock (_counting)
        {
            if (_all >= limits.Connections)
                return RelayReason.TooManyConnections;
            int own = _bySource.GetValueOrDefault(key);
            if (limits.ConnectionsPerSource > 0 && own >= limits.ConnectionsPerSource)
                return RelayReason.TooManyFromSource;
            _bySource[key] = own + 1;
            _all++;
            return RelayReason.Completed;
        }
    }

    internal void Leave(IPAddress source)
    {
        IPAddress key = KeyOf(source);
        lock (_counting)
        {
            _all--;
            if (_bySource[key] == 1)
                _bySource.Remove(key);
            else
                _bySource[key]--;
        }
    }

    /// <summary>A subscriber of IPv6 has at least a /64 of addresses, and may use a new one for each connection.</summary>
    private static IPAddress KeyOf(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6 || address.AddressFamily == AddressFamily.InterNetwork)
            return address.MapToIPv4();
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out _);
        bytes[8..].Clear();
        return new IPAddress(bytes);
    }
}
