using Dataplane.Balancing;
using Dataplane.Names;
using Dataplane.Packets;

namespace Dataplane.Configuration;

/// <summary>Finds out whether one specification differs from another in its services, and the names that servers give, alone: then everything else has been checked, and compiled, already.</summary>
internal static class ServiceDifferences
{
    /// <summary>Whether nothing but services and zones differs, and services have the same addresses: what else asks for them need not be asked again.</summary>
    public static bool AreAll(DataplaneSpec one, DataplaneSpec other) => AreAllButAddresses(one, other) && HaveSameAddresses(one.Services, other.Services);

    /// <summary>Whether nothing but services and zones differs.</summary>
    public static bool AreAllButAddresses(DataplaneSpec one, DataplaneSpec other) =>
        Same(one.Ports, other.Ports) && Same(one.Interfaces, other.Interfaces) && Same(one.Neighbours, other.Neighbours) && Same(one.Routes, other.Routes)
        && one.Filter == other.Filter && Same(one.Nat, other.Nat) && Same(one.Networks, other.Networks) && Same(one.Bridges, other.Bridges) && HaveSameServers(one.Names, other.Names)
        && one.Encapsulation == other.Encapsulation && one.Siit == other.Siit && ReferenceEquals(one.Mesh, other.Mesh) && one.Workers == other.Workers;

    /// <summary>Addresses of services that another specification does not have.</summary>
    public static HashSet<IpAddress> NewAddresses(DataplaneSpec valid, DataplaneSpec other)
    {
        HashSet<IpAddress> known = [.. valid.Services.Select(service => service.Address)];
        return [.. (other.Services ?? []).Where(service => service is not null && !known.Contains(service.Address)).Select(service => service.Address)];
    }

    /// <summary>Which services differ, where each stands where it stood, with the same name, and for the same packets: of thousands of services that is most often one.</summary>
    /// <param name="valid">A specification without errors.</param>
    /// <param name="other">One of which nothing but services differs (<see cref="AreAll"/>).</param>
    /// <returns>Their places; null when services have come, gone or moved.</returns>
    public static IReadOnlyList<int>? InPlace(DataplaneSpec valid, DataplaneSpec other)
    {
        if (other.Services.Count != valid.Services.Count)
        {
            return null;
        }

        var changed = new List<int>();
        for (int i = 0; i < valid.Services.Count; i++)
        {
            ServiceSpec before = valid.Services[i], now = other.Services[i];
            if (ReferenceEquals(before, now))
            {
                continue;
            }

            if (now?.Backends is null || now.Name != before.Name || AddressOf(now) != AddressOf(before) || (now.Port, now.LastPort, now.Protocol) != (before.Port, before.LastPort, before.Protocol))
            {
                return null;
            }

            if (!ServiceCompiler.AreSame(before, now))
            {
                changed.Add(i);
            }
        }

        return changed;
    }

    /// <summary>The services of a specification that is valid by their names, for <see cref="IsAmong"/>.</summary>
    public static Dictionary<string, ServiceSpec> ByName(DataplaneSpec valid) => valid.Services.ToDictionary(service => service.Name);

    /// <summary>Whether a service is one that was checked.</summary>
    /// <param name="known">Services that were.</param>
    /// <param name="newAddresses">Addresses that have become the engine's own since, where no backend can be.</param>
    /// <param name="service">The service.</param>
    public static bool IsAmong(Dictionary<string, ServiceSpec>? known, HashSet<IpAddress> newAddresses, ServiceSpec service) =>
        known is not null && service.Name is not null && service.Backends is not null && known.TryGetValue(service.Name, out ServiceSpec? before) && ServiceCompiler.AreSame(before, service)
        && (newAddresses.Count == 0 || !HasBackendAt(newAddresses, service));

    /// <summary>Whether a service has a backend at one of some addresses.</summary>
    public static bool HasBackendAt(HashSet<IpAddress> addresses, ServiceSpec service)
    {
        foreach (IpAddress address in addresses)
        {
            if (service.MayHaveBackendAt(address))
            {
                return HasBackendAt(addresses, service.Backends);
            }
        }

        return false;
    }

    private static bool HasBackendAt(HashSet<IpAddress> addresses, IReadOnlyList<BackendSpec> backends)
    {
        for (int i = 0; i < backends.Count; i++)
        {
            if (addresses.Contains(backends[i].Address))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Whether the same name servers answer at the same addresses, whatever they say.</summary>
    private static bool HaveSameServers(IReadOnlyList<NameServerSpec> one, IReadOnlyList<NameServerSpec> other) => ReferenceEquals(one, other)
        || (one is not null && other is not null && one.Count == other.Count && one.Zip(other).All(pair => ReferenceEquals(pair.First, pair.Second)
            || (pair.First is not null && pair.Second?.Addresses is not null && pair.First.Name == pair.Second.Name
                && pair.First.Dns64 == pair.Second.Dns64 && pair.First.Addresses.SequenceEqual(pair.Second.Addresses))));

    private static bool Same<T>(IReadOnlyList<T> one, IReadOnlyList<T> other) =>
        ReferenceEquals(one, other) || (one is not null && other is not null && one.SequenceEqual(other));

    /// <summary>As a rule the same services come in the same order, or but a few come and go: then there is no need for sets of all.</summary>
    private static bool HaveSameAddresses(IReadOnlyList<ServiceSpec> one, IReadOnlyList<ServiceSpec> other)
    {
        if (ReferenceEquals(one, other) || one is null || other is null)
        {
            return ReferenceEquals(one, other);
        }

        bool isSame = one.Count == other.Count;
        for (int i = 0; isSame && i < one.Count; i++)
        {
            isSame = ReferenceEquals(one[i], other[i]) || (one[i] is not null && other[i] is not null && AddressOf(one[i]) == AddressOf(other[i]));
        }

        if (isSame)
        {
            return true;
        }

        // What is in both makes no difference.
        ListDifference difference = ListDifference.Of(one, other);
        return AreAmong([.. difference.Added.Select(at => other[at])], one) && AreAmong([.. difference.Removed.Select(at => one[at])], other);
    }

    private static bool AreAmong(ServiceSpec[] services, IReadOnlyList<ServiceSpec> all)
    {
        HashSet<(IpAddress, int?, bool)> sought = AddressesOf(services);
        for (int i = 0; i < all.Count && sought.Count > 0; i++)
        {
            if (all[i] is { } service)
            {
                sought.Remove(AddressOf(service));
            }
        }

        return sought.Count == 0;
    }

    private static HashSet<(IpAddress, int?, bool)> AddressesOf(IReadOnlyList<ServiceSpec> services) => [.. services.Where(service => service is not null).Select(AddressOf)];

    private static (IpAddress, int?, bool) AddressOf(ServiceSpec service) => (service.Address, service.PrefixLength, service.Forward == ForwardMode.Nat);
}
