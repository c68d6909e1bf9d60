using Dataplane.Packets;

namespace Dataplane.Configuration;

/// <summary>What the checks of one specification share: the errors so far, the names of the ports, the links and the engine's own addresses.</summary>
internal sealed class Checks
{
    private readonly Dictionary<string, int> _ports = new(StringComparer.Ordinal);

    /// <summary>The addresses the engine answers for, each with the path that gives it to the engine. Link-local ones belong to one link only.</summary>
    private readonly Dictionary<(IpAddress Address, Link Link), string> _own = [];

    private readonly HashSet<string> _networks = new(StringComparer.Ordinal);
    private readonly Dictionary<IpAddress, string> _endpoints = [];

    public List<ConfigurationError> Errors { get; } = [];

    public ConnectedPrefixes Connected { get; } = new();

    public void Error(string path, string message, string? value = null) => Errors.Add(new ConfigurationError(path, message, value));

    /// <summary>The elements of a list with their paths. Specifications made by code may hold nulls, which are errors and not crashes.</summary>
    public IEnumerable<(T Item, string Path, int Index)> Each<T>(IReadOnlyList<T>? list, string path)
        where T : class
    {
        if (list is null)
        {
            Error(path, "is null; an empty list is allowed");
            yield break;
        }

        for (int index = 0; index < list.Count; index++)
        {
            string at = ConfigPath.Index(path, index);
            if (list[index] is { } item)
            {
                yield return (item, at, index);
            }
            else
            {
                Error(at, "is null; leave it out");
            }
        }
    }

    public void Range(string path, long value, IntRange range)
    {
        if (!range.Contains(value))
        {
            Error(path, range.Problem, value.ToString(System.Globalization.CultureInfo.InvariantCulture));
        }
    }

    /// <summary>Checks a value that words stand for; code can cast any number to an enumeration.</summary>
    public void Known<T>(string path, T value, NameTable<T> names)
        where T : struct
    {
        if (names.NameOf(value) is null)
        {
            Error(path, names.Problem, value.ToString());
        }
    }

    /// <summary>Checks that a name is one, and not used before.</summary>
    public void Name(string path, string? name, Dictionary<string, string> seen)
    {
        if (!SpecNames.IsName(name ?? ""))
        {
            Error(path, SpecNames.NameProblem, name);
        }
        else if (!seen.TryAdd(name!, path))
        {
            Error(path, $"is the name of {seen[name!]} already; names are unique", name);
        }
    }

    public void Mac(string path, MacAddress mac)
    {
        if (!mac.IsUnicast)
        {
            string what = mac.IsZero ? "is all zeros" : mac.IsBroadcast ? "is the broadcast address" : "is a group address (lowest bit of the first byte)";
            Error(path, $"{what}; a unicast hardware address such as 02:00:00:00:00:01 is needed", mac.ToString());
        }
    }

    public void AddNetwork(string name) => _networks.Add(name);

    /// <summary>Whether a network of this name exists.</summary>
    public bool HasNetwork(string? name) => name is not null && _networks.Contains(name);

    /// <summary>Checks that a network of this name exists.</summary>
    public bool IsNetwork(string path, string? name)
    {
        if (HasNetwork(name))
        {
            return true;
        }

        Error(path, $"is not a network; there {(_networks.Count == 1 ? "is 1" : $"are {_networks.Count}")}{WordList.DidYouMean(name ?? "", _networks)}", name);
        return false;
    }

    /// <summary>Checks that a port or a network of this name exists.</summary>
    public bool IsPortOrNetwork(string path, string? name) => HasNetwork(name) || IsPort(path, name);

    /// <summary>Notes the address of an endpoint; false when another has it, whose place is given.</summary>
    public bool TryAddEndpoint(IpAddress address, string path, out string other)
    {
        bool isNew = _endpoints.TryAdd(address, path);
        other = isNew ? path : _endpoints[address];
        return isNew;
    }

    public bool HasEndpoint(IpAddress address) => _endpoints.ContainsKey(address);

    public void AddPort(string name, int index) => _ports.TryAdd(name, index);

    /// <summary>Checks that a port of this name exists.</summary>
    public bool IsPort(string path, string? name)
    {
        if (name is not null && _ports.ContainsKey(name))
        {
            return true;
        }

        string known = _ports.Count switch
        {
            0 => "there are no ports",
            <= 8 => $"the ports are {string.Join(", ", _ports.Keys)}",
            _ => $"there are {_ports.Count} ports",
        };
        if (string.IsNullOrEmpty(name))
        {
            Error(path, $"is missing: the name of a port is needed; {known}");
        }
        else
        {
            Error(path, $"is not a port; {known}{WordList.DidYouMean(name, _ports.Keys)}", name);
        }

        return false;
    }

    /// <summary>Whether a port of this name exists, for checks whose error another check reports.</summary>
    public bool HasPort(string? name) => name is not null && _ports.ContainsKey(name);

    public bool TryOwn(IpAddress address, Link link, string path) => _own.TryAdd((address, Scope(address, link)), path);

    /// <summary>The path that makes an address the engine's own; null when it is not.</summary>
    public string? OwnerOf(IpAddress address, Link link) => _own.GetValueOrDefault((address, Scope(address, link)));

    /// <summary>An address of the engine's own in a prefix, with the path that gives it to the engine; those of services excepted.</summary>
    public (IpAddress Address, string Path)? OwnIn(IpPrefix prefix)
    {
        foreach (((IpAddress address, _), string path) in _own)
        {
            if (prefix.Contains(address) && !path.StartsWith("services[", StringComparison.Ordinal))
            {
                return (address, path);
            }
        }

        return null;
    }

    /// <summary>Checks that one host may have the address: RFC 1122, 3.2.1.3 and RFC 4291, 2.4.</summary>
    /// <returns>False when there is no address or it was refused.</returns>
    public bool Host(string path, IpAddress address)
    {
        if (address.IsNone)
        {
            Error(path, "is missing: an IPv4 or IPv6 address is needed");
            return false;
        }

        string? problem = address switch
        {
            { IsUnspecified: true } => "is the unspecified address",
            { IsLoopback: true } => "is a loopback address, which never leaves a host",
            { IsMulticast: true } => "is a multicast address",
            { IsLimitedBroadcast: true } => "is the broadcast address",
            { IsIpv4Mapped: true } => "is an IPv4-mapped address, which never appears on a wire: write it as IPv4",
            { IsIpv4: true } when address.Low >> 24 == 0 => "lies in 0.0.0.0/8, which means \"this network\" (RFC 1122, 3.2.1.3)",
            _ => null,
        };
        if (problem is not null)
        {
            Error(path, $"{problem}; the address of one host is needed", address.ToString());
        }

        return problem is null;
    }

    /// <summary>Checks that an address in a subnet is that of a host there.</summary>
    /// <remarks>
    /// Two-address prefixes have hosts only (RFC 3021, RFC 6164); IPv6 has no broadcast, but its lowest address is every router's (RFC 4291, 2.6.1).
    /// </remarks>
    public bool HostIn(string path, IpPrefix subnet, IpAddress address, string? value = null)
    {
        if (subnet.Length >= address.BitLength - 1)
        {
            return true;
        }

        string? problem = address == subnet.First
            ? address.IsIpv4 ? "is the network address" : "is the subnet-router anycast address (RFC 4291, 2.6.1)"
            : address.IsIpv4 && address == subnet.Last ? "is the broadcast address" : null;
        if (problem is not null)
        {
            Error(path, $"{problem} of {subnet.Network}; the address of one host is needed", value ?? address.ToString());
        }

        return problem is null;
    }

    private static Link Scope(IpAddress address, Link link) => ConnectedPrefixes.IsLinkScoped(address) ? link : default;
}
