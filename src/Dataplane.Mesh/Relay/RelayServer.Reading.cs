using Dataplane.Mesh.Identity;

namespace Dataplane.Mesh.Relay;

public sealed partial class RelayServer
{
    /// <summary>Connections at this moment.</summary>
    public int Connections => _connections.Count;

    /// <summary>Reads everything. Any thread.</summary>
    public RelayStatus ReadStatus() => new(_state, _connections.Count, [.. _listeners.Select(StatusOf)], [.. ReadCertificates()],
        new Dictionary<string, long>(_denials), new Dictionary<string, long>(_wouldDenials));

    /// <summary>Looks at the files of certificates at once instead of waiting for the next look.</summary>
    public void RefreshCertificates()
    {
        _identity?.Refresh();
        foreach (RelayListener listener in _listeners)
            listener.State.Certificates?.Look();
    }

    internal IEnumerable<IdentityStatus> ReadCertificates()
    {
        if (_identity is { } identity)
            yield return identity.ReadStatus();
        foreach (RelayListener listener in _listeners)
        {
            foreach (IdentityStatus status in listener.State.Certificates?.ReadStatus() ?? [])
                yield return status;
        }
    }

    private static ListenerStatus StatusOf(RelayListener listener)
    {
        ListenerCounters counters = listener.Counters;
        var ends = new Dictionary<string, long>();
        foreach (RelaySide side in Enum.GetValues<RelaySide>())
        {
            foreach (RelayReason reason in Enum.GetValues<RelayReason>())
            {
                if (counters.Ended(reason, side) is > 0 and var count)
                    ends[$"{RelayNames.Of(side)}.{RelayNames.Of(reason)}"] = count;
            }
        }

        long now = Environment.TickCount64;
        ListenerState state = listener.State;
        IEnumerable<EndpointStatus> endpoints = state.Routes.SelectMany(route => route.Pool.Endpoints.Select(endpoint => new EndpointStatus(route.Name,
            endpoint.Spec.Address?.ToString() ?? "original", endpoint.Active, endpoint.Failures, endpoint.EjectedUntilMs > now)));
        return new ListenerStatus(state.Spec.Name, listener.Address, counters.Accepted, counters.Active, counters.FromClient, counters.ToClient,
            counters.Handshakes, counters.HandshakeNs, ends, [.. endpoints]);
    }
}
