namespace Dataplane.Routing;

/// <summary>How a route refuses packets.</summary>
public enum RouteReject
{
    /// <summary>It does not.</summary>
    None = 0,

    /// <summary>Drops silently.</summary>
    Blackhole,

    /// <summary>Drops and answers ICMP host unreachable (IPv4 type 3 code 1) or no route (ICMPv6 type 1 code 0).</summary>
    Unreachable,

    /// <summary>Drops and answers ICMP administratively prohibited (IPv4 type 3 code 13, ICMPv6 type 1 code 1).</summary>
    Prohibited,
}
