using Dataplane.Balancing;
using Dataplane.Packets;

namespace Dataplane.Configuration;

/// <summary>Services that come and go among thousands that stay: whether those that stay can be left as they were checked.</summary>
internal static class ServiceArrivals
{
    /// <summary>With more changes than this, checking everything is no more work.</summary>
    private const int MostChanged = 64;

    /// <summary>Which services have come, where all others are the very objects that were checked.</summary>
    /// <param name="valid">A specification without errors.</param>
    /// <param name="other">One of which nothing but services and zones differs, with a list of services.</param>
    /// <returns>Their places; null when there are too many changes, or when one that has come may stand in the way of one that was there.</returns>
    public static IReadOnlyList<int>? Find(DataplaneSpec valid, DataplaneSpec other)
    {
        ListDifference difference = ListDifference.Of(valid.Services, other.Services);
        if (difference.Removed.Count + difference.Added.Count > MostChanged)
        {
            return null;
        }

        var names = new HashSet<string>(StringComparer.Ordinal);
        var arrived = new List<ServiceSpec>(difference.Added.Count);
        foreach (int at in difference.Added)
        {
            ServiceSpec? service = other.Services[at];
            if (service is not { Name: not null, Backends: not null, IsOneAddress: true } || !names.Add(service.Name) || MeetsOne(service, arrived))
            {
                return null;
            }

            arrived.Add(service);
        }

        return arrived.Count == 0 || AreApart(valid, other, difference.Added, arrived, names) ? difference.Added : null;
    }

    /// <summary>Whether no service that stays has a name, or a packet, of one that has come, or a backend at an address which was nobody's.</summary>
    private static bool AreApart(DataplaneSpec valid, DataplaneSpec other, IReadOnlyList<int> added, List<ServiceSpec> arrived, HashSet<string> names)
    {
        HashSet<IpAddress> addresses = [.. arrived.Select(service => service.Address)], fresh = [.. addresses];
        foreach (ServiceSpec service in valid.Services)
        {
            if (service.IsOneAddress)
            {
                fresh.Remove(service.Address);
            }
        }

        int next = 0;
        for (int i = 0; i < other.Services.Count; i++)
        {
            if (next < added.Count && added[next] == i)
            {
                next++;
                continue;
            }

            ServiceSpec service = other.Services[i];
            if (names.Contains(service.Name) || (addresses.Contains(service.Address) && MeetsOne(service, arrived))
                || (fresh.Count > 0 && ServiceDifferences.HasBackendAt(fresh, service)))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Whether there may be packets that are for a service and for one of some others. A loop, since a lambda here would be an object for each service there is.</summary>
    private static bool MeetsOne(ServiceSpec service, List<ServiceSpec> others)
    {
        foreach (ServiceSpec other in others)
        {
            if (Meet(other, service))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Whether there may be packets that are for both of two services.</summary>
    private static bool Meet(ServiceSpec one, ServiceSpec other) => one.Address == other.Address && one.Protocol == other.Protocol
        && one.Ports.First <= other.Ports.Last && other.Ports.First <= one.Ports.Last;
}
