using System.Globalization;
using Dataplane.Balancing;
using Dataplane.Packets;
using Dataplane.Tunnels;

namespace Dataplane.Configuration;

/// <summary>The rules for packets inside packets.</summary>
internal static class EncapsulationChecks
{
    private const TunnelKinds All = TunnelKinds.Ipip | TunnelKinds.Gue;

    /// <summary>These addresses are answered by the engine where they are connected; an interface's own may be one of them.</summary>
    public static void ClaimAddresses(Checks checks, DataplaneSpec spec)
    {
        for (int index = 0; index < (spec.Encapsulation?.Decapsulate?.Count ?? 0); index++)
        {
            if (spec.Encapsulation!.Decapsulate![index] is { Address.IsNone: false } taken)
            {
                checks.TryOwn(taken.Address, default, ConfigPath.Index("encapsulation.decapsulate", index));
            }
        }
    }

    public static void Check(Checks checks, DataplaneSpec spec)
    {
        if (spec.Encapsulation is not { } encapsulation)
        {
            checks.Error("encapsulation", "is null; leave it out");
            return;
        }

        CheckSources(checks, encapsulation);
        checks.Range("encapsulation.gue_port", encapsulation.GuePort, SpecLimits.TransportPort);
        var seen = new Dictionary<IpAddress, string>();
        foreach ((DecapsulationSpec taken, string path, _) in checks.Each(encapsulation.Decapsulate, "encapsulation.decapsulate"))
        {
            CheckTaken(checks, taken, path, seen);
        }
    }

    /// <summary>An outer header needs a source of the backend's family.</summary>
    public static void CheckBackend(Checks checks, DataplaneSpec spec, ServiceSpec service, BackendSpec backend, string path)
    {
        if (service.Forward is ForwardMode.Ipip or ForwardMode.Gue && !(spec.Encapsulation?.Sources ?? []).Any(source => source.Family == backend.Address.Family))
        {
            string family = backend.Address.IsIpv4 ? "IPv4" : "IPv6";
            checks.Error($"{path}.address", $"is {family}, and encapsulation.sources has no {family} address for packets to such a backend to come from", backend.Address.ToString());
        }
    }

    private static void CheckSources(Checks checks, EncapsulationSpec encapsulation)
    {
        if (encapsulation.Sources is null)
        {
            checks.Error("encapsulation.sources", "is null; an empty list is allowed");
            return;
        }

        var seen = new Dictionary<IpFamily, string>();
        for (int index = 0; index < encapsulation.Sources.Count; index++)
        {
            IpPrefix source = encapsulation.Sources[index];
            string path = ConfigPath.Index("encapsulation.sources", index);
            if (source.Address.IsNone)
            {
                checks.Error(path, "is missing: an address or a prefix is needed");
                continue;
            }

            bool isHost = source.Length == source.Address.BitLength;
            if (!isHost && source.HasHostBits)
            {
                checks.Error(path, $"has bits behind its length, which differ from flow to flow; write {source.Network}", source.ToString());
            }
            else if (isHost && checks.Host(path, source.Address) && ConnectedPrefixes.IsLinkScoped(source.Address))
            {
                checks.Error(path, "is a link-local address, to which no error about a packet finds back", source.Address.ToString());
            }
            else if (!isHost && (source.Length < 8 || source.First.IsMulticast || source.First.IsLoopback || source.First.IsUnspecified))
            {
                checks.Error(path, "is not a prefix of addresses that hosts can have, of at least 8 bits", source.ToString());
            }

            if (!seen.TryAdd(source.Family, path))
            {
                checks.Error(path, $"is of the same family as {seen[source.Family]}; one of each is allowed", source.ToString());
            }
        }
    }

    private static void CheckTaken(Checks checks, DecapsulationSpec taken, string path, Dictionary<IpAddress, string> seen)
    {
        if (checks.Host($"{path}.address", taken.Address))
        {
            if (ConnectedPrefixes.IsLinkScoped(taken.Address))
            {
                checks.Error($"{path}.address", "is a link-local address, which is there on every link; one that routes can lead to is needed", taken.Address.ToString());
            }
            else if (!seen.TryAdd(taken.Address, path))
            {
                checks.Error($"{path}.address", $"is {seen[taken.Address]} already", taken.Address.ToString());
            }
            else if (checks.Connected.TryFind(taken.Address, null, out IpPrefix prefix, out _))
            {
                checks.HostIn($"{path}.address", prefix, taken.Address);
            }
        }

        if (taken.Kinds == TunnelKinds.None || (taken.Kinds & ~All) != 0)
        {
            checks.Error($"{path}.kinds", $"is none of {WordList.Or(SpecNames.Encapsulations.Names)}; leave it out for both",
                ((int)taken.Kinds).ToString(CultureInfo.InvariantCulture));
        }

        if (taken.From is null)
        {
            checks.Error($"{path}.from", "is null; an empty list is allowed");
            return;
        }

        for (int index = 0; index < taken.From.Count; index++)
        {
            FilterChecks.CheckPrefix(checks, taken.From[index], ConfigPath.Index($"{path}.from", index));
            if (!taken.From[index].Address.IsNone && !taken.Address.IsNone && taken.From[index].Family != taken.Address.Family)
            {
                checks.Error(ConfigPath.Index($"{path}.from", index), $"is of another family than {taken.Address}, so that nothing would come from it", taken.From[index].ToString());
            }
        }
    }
}
