using System.Globalization;
using Dataplane.Balancing;
using Dataplane.Packets;

namespace Dataplane.Configuration;

/// <summary>The rules for services and their backends.</summary>
internal static class ServiceChecks
{
    private const string ProtocolProblem = "is not tcp or udp, the protocols that can be balanced";

    /// <summary>Service addresses are answered by the engine where they are connected, so no neighbour and no gateway can have one.</summary>
    /// <param name="checks">Where they are noted.</param>
    /// <param name="spec">The specification.</param>
    /// <param name="changed">The services that are to be checked; null: all. Who else could ask for an address has been checked already, so that theirs and those of their backends are enough.</param>
    public static void ClaimAddresses(Checks checks, DataplaneSpec spec, IReadOnlyList<int>? changed)
    {
        HashSet<IpAddress>? asked = changed is null ? null
            : [.. changed.SelectMany(index => spec.Services[index].Backends.Select(backend => backend?.Address ?? default).Append(spec.Services[index].Address))];
        for (int index = 0; index < (spec.Services?.Count ?? 0) && asked is not { Count: 0 }; index++)
        {
            if (spec.Services![index] is { Address.IsNone: false, IsOneAddress: true } service && asked?.Contains(service.Address) != false)
            {
                checks.TryOwn(service.Address, default, ConfigPath.Index("services", index));
            }
        }
    }

    /// <summary>Checks all services.</summary>
    /// <param name="checks">Where errors are noted.</param>
    /// <param name="spec">The specification.</param>
    /// <param name="valid">One without errors of which nothing but services and zones differs, whose services are not looked into again; null: there is none.</param>
    public static void Check(Checks checks, DataplaneSpec spec, DataplaneSpec? valid)
    {
        Dictionary<string, ServiceSpec>? known = valid is null ? null : ServiceDifferences.ByName(valid);
        HashSet<IpAddress> newAddresses = valid is null ? [] : ServiceDifferences.NewAddresses(valid, spec);
        var names = new Dictionary<string, string>(StringComparer.Ordinal);
        var overlaps = new ServiceOverlaps(checks);
        foreach ((ServiceSpec service, string path, _) in checks.Each(spec.Services, "services"))
        {
            checks.Name($"{path}.name", service.Name, names);
            bool isKnown = ServiceDifferences.IsAmong(known, newAddresses, service);
            if (!isKnown)
            {
                CheckAddress(checks, service, path);
                CheckPorts(checks, service, path);
            }

            bool isBalanced = service.Protocol is IpProtocols.Tcp or IpProtocols.Udp;
            if (!isBalanced)
            {
                checks.Error($"{path}.protocol", ProtocolProblem, SpecNames.ProtocolName(service.Protocol));
            }

            if (isBalanced)
            {
                overlaps.Add(service, path);
            }

            if (isKnown)
            {
                continue;
            }

            CheckRest(checks, spec, service, path);
        }

        overlaps.Check();
    }

    /// <summary>Checks some services, which stand in the place of others that were valid, with the same name, addresses, ports and protocol.</summary>
    public static void Check(Checks checks, DataplaneSpec spec, IReadOnlyList<int> changed)
    {
        foreach (int index in changed)
        {
            CheckRest(checks, spec, spec.Services[index], ConfigPath.Index("services", index));
        }
    }

    /// <summary>Checks services that have come, of which it is known that no other has their names, and that they take no packets of others (<see cref="ServiceArrivals"/>).</summary>
    public static void CheckArrived(Checks checks, DataplaneSpec spec, IReadOnlyList<int> arrived)
    {
        foreach (int index in arrived)
        {
            (ServiceSpec service, string path) = (spec.Services[index], ConfigPath.Index("services", index));
            checks.Name($"{path}.name", service.Name, []);
            CheckAddress(checks, service, path);
            CheckPorts(checks, service, path);
            if (service.Protocol is not (IpProtocols.Tcp or IpProtocols.Udp))
            {
                checks.Error($"{path}.protocol", ProtocolProblem, SpecNames.ProtocolName(service.Protocol));
            }

            CheckRest(checks, spec, service, path);
        }
    }

    /// <summary>What no other service has to do with.</summary>
    private static void CheckRest(Checks checks, DataplaneSpec spec, ServiceSpec service, string path)
    {
        checks.Known($"{path}.balance", service.Balance, SpecNames.Policies);
        checks.Known($"{path}.hash", service.Hash, SpecNames.HashFields);
        if (service is { Balance: BalancePolicy.SourceHash, Hash: not (HashFields.Flow or HashFields.Source) })
        {
            checks.Error($"{path}.hash", "is not what balance: source_hash goes by; balance: maglev does by any", SpecNames.HashFields.NameOf(service.Hash));
        }

        CheckMaxLoad(checks, service, path);
        checks.Known($"{path}.forward", service.Forward, SpecNames.ForwardModes);
        checks.Known($"{path}.on_remove", service.OnRemove, SpecNames.RemovePolicies);
        checks.Known($"{path}.no_backend", service.NoBackend, SpecNames.NoBackendPolicies);
        HealthChecks.Check(checks, service, path);
        SteerChecks.Check(checks, service, path);
        QuicChecks.Check(checks, service, path);
        CheckBackends(checks, spec, service, path);
        CheckTableSize(checks, service, path);
    }

    /// <summary>Whether a factor is one that loads can be bounded by.</summary>
    public static bool IsMaxLoad(double factor) => factor is >= 1 and <= 100 && Math.Abs((factor * 100) - Math.Round(factor * 100)) < 1e-6;

    private static void CheckMaxLoad(Checks checks, ServiceSpec service, string path)
    {
        string? value = service.MaxLoad?.ToString(CultureInfo.InvariantCulture);
        if (service.MaxLoad is { } factor && !IsMaxLoad(factor))
        {
            checks.Error($"{path}.max_load", SpecLimits.MaxLoadProblem, value);
        }
        else if (value is not null && service.Balance is not (BalancePolicy.Maglev or BalancePolicy.SourceHash))
        {
            checks.Error($"{path}.max_load", "is for balance: maglev and source_hash, whose tables say who is next when a backend is full; least_connections needs no bound", value);
        }
    }

    private static void CheckPorts(Checks checks, ServiceSpec service, string path)
    {
        bool isAny = service is { Port: 0, LastPort: ushort.MaxValue };
        if (!isAny && (service.Port == 0 || (service.LastPort != 0 && service.LastPort < service.Port)))
        {
            checks.Error($"{path}.port", SpecLimits.ServicePortProblem, SpecNames.ServicePorts(service));
        }
    }

    private static void CheckAddress(Checks checks, ServiceSpec service, string path)
    {
        if (!service.IsOneAddress)
        {
            CheckPrefix(checks, service, $"{path}.address");
        }
        else if (checks.Host($"{path}.address", service.Address))
        {
            CheckReach(checks, service.Address, $"{path}.address");
        }
    }

    /// <summary>The engine answers for single addresses only: a prefix has to be routed to it, and cannot hold what is the engine's own.</summary>
    private static void CheckPrefix(Checks checks, ServiceSpec service, string path)
    {
        string value = SpecNames.ServiceAddresses(service);
        if (service.Address.IsNone || service.PrefixLength < SpecLimits.MinServicePrefixLength || service.PrefixLength > service.Address.BitLength)
        {
            int longest = service.Address.IsNone || service.Address.IsIpv6 ? IpAddress.V6LengthBytes * 8 : IpAddress.V4LengthBytes * 8;
            checks.Error(path, $"is not an address, or a prefix of {SpecLimits.MinServicePrefixLength} to {longest} bits", value);
        }
        else if (service.Prefix.HasHostBits)
        {
            checks.Error(path, $"has bits behind its length; write {service.Prefix.Network}", value);
        }
        else if (checks.Host(path, service.Address))
        {
            if (ConnectedPrefixes.IsLinkScoped(service.Address))
            {
                CheckReach(checks, service.Address, path);
            }
            else if (checks.OwnIn(service.Prefix) is { } own)
            {
                checks.Error(path, $"holds {own.Address}, the engine's own address ({own.Path}); choose prefixes without it", value);
            }
            else if (checks.Connected.TryFind(service.Address, null, out IpPrefix connected, out _))
            {
                checks.Error(path, $"lies in {connected.Network}, whose hosts would ask for its addresses, which the engine answers for single ones only; route another prefix to the engine",
                    value);
            }
        }
    }

    private static void CheckReach(Checks checks, IpAddress address, string path)
    {
        if (ConnectedPrefixes.IsLinkScoped(address))
        {
            checks.Error(path, "is a link-local address, which is there on every link; one that routes can lead to is needed", address.ToString());
        }
        else if (checks.Connected.TryFind(address, null, out IpPrefix prefix, out _))
        {
            checks.HostIn(path, prefix, address);
        }
    }

    private static void CheckBackends(Checks checks, DataplaneSpec spec, ServiceSpec service, string path)
    {
        var seen = new Dictionary<(IpAddress, ushort), string>();
        foreach ((BackendSpec backend, string at, _) in checks.Each(service.Backends, $"{path}.backends"))
        {
            bool keepsPort = backend.Port == 0 && !service.IsOnePort;
            if (!keepsPort)
            {
                checks.Range($"{at}.port", backend.Port, SpecLimits.TransportPort);
            }

            checks.Range($"{at}.weight", backend.Weight, SpecLimits.BackendWeight);
            HealthChecks.CheckDrain(checks, service, backend, at);
            if (!checks.Host($"{at}.address", backend.Address))
            {
                continue;
            }

            bool hasPort = backend.Port != 0 || keepsPort;
            string value = backend.Address.ToString();
            bool isEnclosed = service.Forward is ForwardMode.Ipip or ForwardMode.Gue;
            if (!service.Address.IsNone && backend.Address.Family != service.Address.Family && !isEnclosed)
            {
                checks.Error($"{at}.address", $"is of another family than the service's address {service.Address}; both must be of one", value);
            }
            else if (hasPort && service.IsOneAddress && backend.Address == service.Address && (keepsPort || isEnclosed || service.Ports.Contains(backend.Port)))
            {
                checks.Error($"{at}.address", "is the service itself, so that its packets would never arrive", value);
            }
            else if (hasPort && !seen.TryAdd((backend.Address, backend.Port), at))
            {
                string other = seen[(backend.Address, backend.Port)];
                checks.Error($"{at}.address", $"is the backend of {other} already, with the same port; weight gives it more", value);
            }
            else if (checks.OwnerOf(backend.Address, default) is { } owner)
            {
                checks.Error($"{at}.address", $"is the engine's own address ({owner}), where no server can answer", value);
            }
            else
            {
                CheckReach(checks, backend.Address, $"{at}.address");
                CheckDirect(checks, service, backend, at);
                EncapsulationChecks.CheckBackend(checks, spec, service, backend, at);
            }
        }
    }

    /// <summary>What is sent as it is can have no other port, and finds a backend by its hardware address only on a link of the engine's.</summary>
    private static void CheckDirect(Checks checks, ServiceSpec service, BackendSpec backend, string path)
    {
        if (service.Forward == ForwardMode.Nat)
        {
            return;
        }

        if (backend.Port != 0 && !service.IsOnePort)
        {
            checks.Error($"{path}.port", $"must be left out: with forward: {SpecNames.ForwardModes.NameOf(service.Forward)} packets reach the backend at the port they were sent to",
                backend.Port.ToString(CultureInfo.InvariantCulture));
        }
        else if (backend.Port != 0 && backend.Port != service.Port)
        {
            checks.Error($"{path}.port", $"is not the service's, {service.Port}: with forward: {SpecNames.ForwardModes.NameOf(service.Forward)} packets reach the backend as they are",
                backend.Port.ToString(CultureInfo.InvariantCulture));
        }

        if (service.Forward == ForwardMode.Dsr && !checks.Connected.TryFind(backend.Address, null, out _, out _) && !checks.Connected.IsUnclear(null))
        {
            checks.Error($"{path}.address", "is in no prefix of an interface: with forward: dsr the backend must be on a link of the engine's", backend.Address.ToString());
        }
    }

    private static void CheckTableSize(Checks checks, ServiceSpec service, string path)
    {
        int size = service.TableSize;
        string value = size.ToString(CultureInfo.InvariantCulture);
        int backends = service.Backends?.Count ?? 0;
        if (!SpecLimits.TableSize.Contains(size))
        {
            checks.Error($"{path}.table_size", SpecLimits.TableSize.Problem, value);
        }
        else if (!IsPrime(size))
        {
            checks.Error($"{path}.table_size", $"is not a prime, which a Maglev table needs; the next one is {NextPrime(size)}", value);
        }
        else if (size <= backends)
        {
            checks.Error($"{path}.table_size", $"is not more than the {backends} backends, each of which needs a slot", value);
        }
    }

    // The upper limit, 5000011, is itself a prime: there is always a next one.
    private static int NextPrime(int number)
    {
        while (!IsPrime(number))
        {
            number++;
        }

        return number;
    }

    private static bool IsPrime(int number)
    {
        for (int divisor = 2; divisor * divisor <= number; divisor++)
        {
            if (number % divisor == 0)
            {
                return false;
            }
        }

        return number > 1;
    }
}
