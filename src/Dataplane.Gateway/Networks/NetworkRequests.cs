using System.Globalization;
using Dataplane.Networks;
using Dataplane.Packets;

namespace Dataplane.Gateway.Networks;

/// <summary>Completes and checks what is asked for; changes nothing.</summary>
internal static class NetworkRequests
{
    private const int MaxNameLength = 32;
    private const int MaxPorts = 1024;

    /// <summary>The network that is made for a request: ranges and gateways are chosen where none are given.</summary>
    /// <param name="request">What is asked for.</param>
    /// <param name="site">From which IPv6 ranges are made.</param>
    /// <param name="others">The networks there are.</param>
    /// <param name="hostRoutes">Where the host has routes to.</param>
    /// <exception cref="NetworkException">It makes no sense, or overlaps another.</exception>
    public static NetworkRecord Complete(NetworkRecord request, string site, IReadOnlyList<NetworkRecord> others, IReadOnlyList<IpPrefix> hostRoutes)
    {
        DemandName(request.Name, "network");
        if (others.Any(other => other.Name == request.Name))
        {
            throw new NetworkException(NetworkFault.Conflict, $"Network {request.Name} exists already.");
        }

        Demand(AttachKind.ProblemOf(request.Attach, request.Mtu) is null, AttachKind.ProblemOf(request.Attach, request.Mtu) ?? "");
        List<IpPrefix> taken = [.. others.SelectMany(other => other.Subnets).Select(subnet => IpPrefix.Parse(subnet.Subnet)), .. hostRoutes];
        var subnets = new List<SubnetRecord>();
        foreach (SubnetRecord subnet in request.Subnets)
        {
            SubnetRecord complete = Complete(subnet);
            IpPrefix prefix = IpPrefix.Parse(complete.Subnet);
            IpPrefix overlapped = taken.FirstOrDefault(other => other.Overlaps(prefix));
            if (!overlapped.Address.IsNone)
            {
                throw new NetworkException(NetworkFault.Conflict, $"Subnet {prefix} overlaps {overlapped}, which another network or a route of the host has; choose another.");
            }

            taken.Add(prefix);
            subnets.Add(complete);
        }

        if (subnets.Count == 0)
        {
            subnets.Add(Complete(new SubnetRecord(SubnetPools.ChooseIpv4(taken).ToString())));
        }

        if (request.Ipv6 && !subnets.Exists(subnet => IpPrefix.Parse(subnet.Subnet).Family == IpFamily.V6))
        {
            subnets.Add(Complete(new SubnetRecord(SubnetPools.ChooseIpv6(site, request.Name, taken).ToString())));
        }

        if (subnets.GroupBy(subnet => IpPrefix.Parse(subnet.Subnet).Family).FirstOrDefault(group => group.Count() > 1) is { } twice)
        {
            throw new NetworkException(NetworkFault.Invalid, $"Network {request.Name} has several subnets of one family ({string.Join(", ", twice.Select(subnet => subnet.Subnet))}); one each is possible.");
        }

        return request with { Subnets = subnets, Ipv6 = subnets.Exists(subnet => IpPrefix.Parse(subnet.Subnet).Family == IpFamily.V6) };
    }

    /// <summary>The request with its underlay as it is kept: nothing for VXLAN.</summary>
    /// <param name="request">What is asked for.</param>
    /// <param name="isShared">Whether the service shares networks with other hosts.</param>
    /// <exception cref="NetworkException">It is none, or there are no other hosts.</exception>
    public static NetworkRecord CheckUnderlay(NetworkRecord request, bool isShared)
    {
        Demand(request.Underlay is null or NetworkRecord.Vxlan or NetworkRecord.Tls, $"Network {request.Name}: underlay \"{request.Underlay}\" is not {NetworkRecord.Vxlan} or {NetworkRecord.Tls}.");
        Demand(isShared || request.Underlay is null,
            $"Network {request.Name}: underlay {request.Underlay} is the way to other hosts, and this service was started without --etcd: it shares its networks with nobody.");
        return request.Underlay == NetworkRecord.Vxlan ? request with { Underlay = null } : request;
    }

    /// <summary>The pools that a network's endpoints are given their addresses from.</summary>
    public static IReadOnlyList<AddressPool> PoolsOf(NetworkRecord network) => [.. network.Subnets.Select(subnet => new AddressPool
    {
        Subnet = IpPrefix.Parse(subnet.Subnet),
        Range = subnet.Range is { } range ? IpPrefix.Parse(range) : null,
        Gateway = IpAddress.Parse(subnet.Gateway),
        Reserved = [.. subnet.Reserved.Select(address => IpAddress.Parse(address))],
    })];

    /// <summary>Checks what can be checked of an endpoint without looking at the kernel.</summary>
    /// <exception cref="NetworkException">Something makes no sense.</exception>
    public static void Check(EndpointRecord request)
    {
        Demand(request.Container.Length is > 0 and <= 128 && request.Container.All(IsNameLetter), $"\"{request.Container}\" does not name a container: 1 to 128 letters, digits, -, _ or . are needed.");
        Demand(request.Interface.Length is > 0 and <= 15 && request.Interface.All(letter => letter is > ' ' and <= '~' and not '/' and not ':'),
            $"\"{request.Interface}\" cannot be the name of an interface: 1 to 15 characters without space, / and : are needed.");
        Demand(request.Mac is null || (MacAddress.TryParse(request.Mac, out MacAddress mac) && mac.IsUnicast), $"\"{request.Mac}\" is not the MAC address of a station.");
        foreach (string address in request.Addresses)
        {
            Demand(IpAddress.TryParse(address, out _), $"\"{address}\" is not an address.");
        }

        CheckPorts(request.Ports);
    }

    /// <summary>Checks what depends on how an endpoint is attached, once that is settled.</summary>
    /// <exception cref="NetworkException">Something makes no sense.</exception>
    public static void CheckAttachment(NetworkRecord network, EndpointRecord request)
    {
        Demand(AttachKind.ProblemOf(request.Attach, network.Mtu) is null, AttachKind.ProblemOf(request.Attach, network.Mtu) ?? "");
        bool isByMemif = request.Attach == AttachKind.Memif;
        Demand(request.Namespace.Length > 0 || isByMemif, "The network namespace is missing: a path such as /proc/PID/ns/net is needed.");
        Demand(isByMemif || request.Socket.Length == 0, $"{request.Key} is to be attached by {request.Attach}, which has no socket: a name for one belongs to {AttachKind.Memif}.");
        Demand(request.Socket.Length <= MemifSockets.MaxNameLength && request.Socket.All(IsNameLetter) && !request.Socket.StartsWith('.'),
            $"\"{request.Socket}\" cannot name the directory of a socket: 1 to {MemifSockets.MaxNameLength} letters, digits, -, _ or ., and not . first.");
    }

    /// <exception cref="NetworkException">A port is none, or is there twice.</exception>
    public static void CheckPorts(IReadOnlyList<PublishedPort> ports)
    {
        foreach (PublishedPort port in ports)
        {
            string text = Describe(port);
            Demand(port.Protocol is "tcp" or "udp", $"{text}: protocol \"{port.Protocol}\" cannot be published; tcp and udp can.");
            Demand(port.Count is >= 1 and <= MaxPorts, $"{text}: a range has 1 to {MaxPorts} ports.");
            Demand(port.HostPort is >= 1 and <= 65535 && port.HostPort + port.Count - 1 <= 65535, $"{text}: the host's port is not 1 to 65535.");
            Demand(port.Port is >= 1 and <= 65535 && port.Port + port.Count - 1 <= 65535, $"{text}: the container's port is not 1 to 65535.");
            Demand(port.HostAddress.Length == 0 || IpAddress.TryParse(port.HostAddress, out _), $"{text}: \"{port.HostAddress}\" is not an address.");
        }

        for (int i = 0; i < ports.Count; i++)
        {
            for (int j = 0; j < i; j++)
            {
                Demand(!MeetAtHost(ports[i], ports[j]), $"{Describe(ports[i])}: a port of the host is published already by {Describe(ports[j])}.");
            }
        }
    }

    /// <summary>Whether two published ports have a port of the host in common.</summary>
    public static bool MeetAtHost(PublishedPort a, PublishedPort b) =>
        a.Protocol == b.Protocol && a.HostPort < b.HostPort + b.Count && b.HostPort < a.HostPort + a.Count
        && (a.HostAddress == b.HostAddress || IsEveryAddress(a.HostAddress, b.HostAddress) || IsEveryAddress(b.HostAddress, a.HostAddress));

    /// <summary>Whether the first means all addresses of the host, the second, of the same family, among them.</summary>
    private static bool IsEveryAddress(string every, string other) =>
        every.Length == 0 || (IpAddress.Parse(every) is { IsUnspecified: true } all && (other.Length == 0 || IpAddress.Parse(other).Family == all.Family));

    public static string Describe(PublishedPort port) => string.Create(CultureInfo.InvariantCulture,
        $"{(port.HostAddress.Contains(':', StringComparison.Ordinal) ? $"[{port.HostAddress}]" : port.HostAddress)}{(port.HostAddress.Length > 0 ? ":" : "")}{Range(port.HostPort, port.Count)}:{Range(port.Port, port.Count)}/{port.Protocol}");

    private static string Range(int first, int count) => count == 1
        ? first.ToString(CultureInfo.InvariantCulture) : string.Create(CultureInfo.InvariantCulture, $"{first}-{first + count - 1}");

    private static SubnetRecord Complete(SubnetRecord request)
    {
        Demand(IpPrefix.TryParse(request.Subnet, out IpPrefix subnet), $"\"{request.Subnet}\" is not a subnet such as 10.89.0.0/24 or fd00:89::/64.");
        Demand(!subnet.HasHostBits, $"Subnet {subnet} has bits set behind its length; {subnet.Network} may be meant.");
        Demand(subnet.Length >= 4 && subnet.Length <= subnet.Address.BitLength - 2, $"Subnet {subnet} has no room: 2 to {subnet.Address.BitLength - 4} bits of the address are needed for hosts.");
        if (request.Range is { } range)
        {
            Demand(IpPrefix.TryParse(range, out IpPrefix part) && !part.HasHostBits && subnet.Contains(part), $"\"{range}\" is not a range within {subnet}.");
        }

        IpAddress gateway = IpAddress.FromBits(subnet.Family, subnet.First.Bits + 1);
        if (request.Gateway is { Length: > 0 } given)
        {
            Demand(IpAddress.TryParse(given, out gateway) && subnet.Contains(gateway) && gateway != subnet.First, $"\"{given}\" cannot be the gateway of {subnet}.");
        }

        foreach (string reserved in request.Reserved)
        {
            Demand(IpAddress.TryParse(reserved, out IpAddress address) && subnet.Contains(address), $"\"{reserved}\" is not an address of {subnet}.");
        }

        return request with { Subnet = subnet.ToString(), Gateway = gateway.ToString() };
    }

    private static void DemandName(string name, string what) => Demand(
        name.Length is > 0 and <= MaxNameLength && name.All(IsNameLetter) && name[0] is not ('.' or '-') && name is not (SpecComposer.HostPort or SpecComposer.UplinkPort),
        $"\"{name}\" cannot name a {what}: 1 to {MaxNameLength} letters, digits, -, _ or . are needed, and not {SpecComposer.HostPort} or {SpecComposer.UplinkPort}.");

    private static bool IsNameLetter(char letter) => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_' or '.';

    private static void Demand(bool isRight, string otherwise)
    {
        if (!isRight)
        {
            throw new NetworkException(NetworkFault.Invalid, otherwise);
        }
    }
}
