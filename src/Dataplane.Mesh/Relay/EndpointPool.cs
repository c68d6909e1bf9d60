namespace Dataplane.Mesh.Relay;

/// <summary>Chooses among the endpoints of a route, and leaves out for a while those that refuse.</summary>
/// <remarks>When all are left out all are taken again: a relay that tries nothing cannot find out that something has come back.</remarks>
internal sealed class EndpointPool
{
    private const int MaxEjectionFactor = 10;

    private readonly Lock _choosing = new();
    private readonly EndpointBalance _balance;
    private readonly int _ejectAfter;
    private readonly long _ejectForMs;

    /// <summary>Makes a pool; endpoints that an earlier one had keep what is known of them.</summary>
    internal EndpointPool(RouteSpec route, RelayLimits limits, EndpointPool? earlier)
    {
        _balance = route.Balance;
        _ejectAfter = limits.EjectAfter;
        _ejectForMs = (long)limits.EjectFor.TotalMilliseconds;
        Endpoints = [.. route.Endpoints.Select(spec => earlier?.Endpoints.FirstOrDefault(known => known.Spec == spec) ?? new Endpoint(spec))];
    }

    internal IReadOnlyList<Endpoint> Endpoints { get; }

    /// <summary>Chooses one, and counts a connection to it.</summary>
    /// <param name="tried">Those that have failed for this connection.</param>
    /// <param name="nowMs">The time on the clock of <see cref="Environment.TickCount64"/>.</param>
    /// <returns>The endpoint; null when all were tried.</returns>
    internal Endpoint? Take(List<Endpoint> tried, long nowMs)
    {
        lock (_choosing)
        {
            Endpoint? best = Choose(tried, nowMs, withEjected: false) ?? Choose(tried, nowMs, withEjected: true);
            best?.Opened();
            return best;
        }
    }

    /// <summary>Notes whether a connection could be made.</summary>
    internal void Note(Endpoint endpoint, bool isConnected, long nowMs)
    {
        lock (_choosing)
        {
            if (isConnected)
            {
                endpoint.FailuresInRow = endpoint.EjectionsInRow = 0;
                endpoint.EjectedUntilMs = 0;
                return;
            }

            endpoint.Failed();
            endpoint.Closed();
            if (++endpoint.FailuresInRow < _ejectAfter || _ejectAfter == 0 || endpoint.EjectedUntilMs > nowMs)
                return;
            long factor = Math.Min(1L << Math.Min(endpoint.EjectionsInRow, 8), MaxEjectionFactor);
            endpoint.EjectedUntilMs = nowMs + _ejectForMs * factor;
            endpoint.EjectionsInRow++;
        }
    }

    private Endpoint? Choose(List<Endpoint> tried, long nowMs, bool withEjected)
    {
        Endpoint? best = null;
        int total = 0;
        foreach (Endpoint endpoint in Endpoints)
        {
            if (tried.Contains(endpoint) || (!withEjected && endpoint.EjectedUntilMs > nowMs))
                continue;
            total += endpoint.Spec.Weight;
            endpoint.Turn += endpoint.Spec.Weight;
            if (best is null || IsBetter(endpoint, best))
                best = endpoint;
        }

        if (best is not null)
            best.Turn -= total;
        return best;
    }

    /// <summary>With least connections equal ones go in turn, else the first would get all when there is little to do.</summary>
    private bool IsBetter(Endpoint candidate, Endpoint best)
    {
        if (_balance == EndpointBalance.LeastConnections)
        {
            long load = (long)candidate.Active * best.Spec.Weight, other = (long)best.Active * candidate.Spec.Weight;
            if (load != other)
                return load < other;
        }

        return candidate.Turn > best.Turn;
    }
}
