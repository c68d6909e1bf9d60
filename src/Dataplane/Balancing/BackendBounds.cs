using Dataplane.Packets;

namespace Dataplane.Balancing;

/// <summary>Between which addresses the backends of a service lie, worked out once for a list: most questions for a backend at some address end here. Any thread.</summary>
/// <remarks>Says nothing about the service: any two are equal, so that records which hold one are compared by the rest.</remarks>
internal sealed class BackendBounds : IEquatable<BackendBounds>
{
    private Bounds? _known;

    private sealed record Bounds(IReadOnlyList<BackendSpec> Of, IpAddress Least, IpAddress Most);

    /// <summary>Whether any of some backends may be at an address.</summary>
    public bool MayHold(IReadOnlyList<BackendSpec> backends, IpAddress address)
    {
        if (backends.Count == 0)
        {
            return false;
        }

        Bounds? known = _known;
        if (known is null || !ReferenceEquals(known.Of, backends))
        {
            IpAddress least = backends[0].Address, most = least;
            for (int i = 1; i < backends.Count; i++)
            {
                IpAddress next = backends[i].Address;
                (least, most) = (next < least ? next : least, next > most ? next : most);
            }

            _known = known = new Bounds(backends, least, most);
        }

        return known.Least <= address && address <= known.Most;
    }

    public bool Equals(BackendBounds? other) => other is not null;

    public override bool Equals(object? obj) => obj is BackendBounds;

    public override int GetHashCode() => 0;
}
