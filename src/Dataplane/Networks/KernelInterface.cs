using System.Net;
using Dataplane.Native;
using Dataplane.Packets;

namespace Dataplane.Networks;

/// <summary>Sets up interfaces of the kernel in other network namespaces: addresses, routes, up and down. All members need CAP_NET_ADMIN there.</summary>
/// <remarks>All members may be called by any thread. A namespace is null for the process's own, a name as in <c>ip netns list</c>, or a path.</remarks>
public static class KernelInterface
{
    /// <summary>The routing table that everybody looks at (RT_TABLE_MAIN of linux/rtnetlink.h).</summary>
    public const byte MainTable = 254;

    /// <summary>Puts an interface up and gives it addresses and routes; what it has already stays, so that it can be called again.</summary>
    /// <param name="networkNamespace">Where.</param>
    /// <param name="name">The interface.</param>
    /// <param name="settings">What to set.</param>
    /// <exception cref="IOException">The namespace or the interface is not there, or the kernel refused; the message says what.</exception>
    public static void Configure(string? networkNamespace, string name, InterfaceSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        using var control = InterfaceControl.Open(networkNamespace);
        using var netlink = RouteNetlink.Open(networkNamespace);
        NetworkInterfaceInfo found = control.TryRead(name) ?? throw LinuxException.NoInterface(name);
        bool hasIpv6 = settings.Addresses.Any(address => address.Family == IpFamily.V6);
        NamespaceThread.Run(networkNamespace, () =>
        {
            // /proc/sys/net shows the namespace of the thread that opens it.
            SetIpv6(name, "disable_ipv6", hasIpv6 ? "0" : "1", isNeeded: hasIpv6);
            SetIpv6(name, "accept_ra", settings.AcceptRouterAdvertisements ? "2" : "0", isNeeded: false);
            SetIpv6(name, "accept_dad", "0", isNeeded: false);
            return 0;
        });
        control.SetUp(name, true);
        foreach (IpPrefix address in settings.Addresses)
        {
            netlink.AddAddress(found.Index, ToAddress(address.Address), address.Length);
        }

        foreach (InterfaceRoute route in settings.Routes)
        {
            netlink.AddRoute(ToAddress(route.To.First), route.To.Length, route.Via is { } via ? ToAddress(via) : null, found.Index);
        }
    }

    /// <summary>Makes two interfaces that are joined by a wire (veth(4)), both or none: one in this namespace, put up, its peer in another. When one goes, the other does;
    /// if the one here is there already, it is set up again.</summary>
    /// <remarks>
    /// The one here is for a port of the engine, by AF_PACKET or AF_XDP. By AF_PACKET the kernel sees each frame too, and what it sees it is told to leave alone: it has no IPv6 there,
    /// answers no ARP, forwards nothing, and takes nothing from addresses that are not routed there, or for its own addresses in frames to all.
    /// </remarks>
    /// <param name="name">The one here.</param>
    /// <param name="peerNamespace">The namespace of the peer.</param>
    /// <param name="peerName">The name of the peer there.</param>
    /// <param name="peerMac">The hardware address of the peer.</param>
    /// <param name="mtu">The largest layer 3 packet of both, in bytes.</param>
    /// <exception cref="IOException">A name is taken, the namespace is not there, or the kernel refused; the message says what.</exception>
    public static void AddPair(string name, string peerNamespace, string peerName, MacAddress peerMac, int mtu)
    {
        byte[] address = new byte[MacAddress.LengthBytes];
        peerMac.Write(address);
        if (IndexOf(null, name) is null)
        {
            using var netlink = RouteNetlink.Open();
            netlink.AddPair(name, peerName, peerNamespace, address, mtu);
        }

        Seclude(name);
        BringUp(null, name);
    }

    /// <summary>Has the kernel finish the checksums of what it sends by an interface, whose other end is then told nothing of unfinished ones.</summary>
    /// <param name="networkNamespace">Where.</param>
    /// <param name="name">The interface.</param>
    /// <exception cref="IOException">The namespace or the interface is not there, or the kernel refused.</exception>
    public static void FinishChecksums(string? networkNamespace, string name)
    {
        using var control = InterfaceControl.Open(networkNamespace);
        control.SetTransmitChecksums(name, left: false);
    }

    /// <summary>Puts an interface up; with <c>lo</c>, what a namespace that was just made needs first.</summary>
    /// <exception cref="IOException">The namespace or the interface is not there, or the kernel refused.</exception>
    public static void BringUp(string? networkNamespace, string name)
    {
        using var control = InterfaceControl.Open(networkNamespace);
        control.SetUp(name, true);
    }

    /// <summary>Adds routes by an interface, or replaces those for the same destinations.</summary>
    /// <param name="networkNamespace">Where.</param>
    /// <param name="name">The interface.</param>
    /// <param name="routes">The routes.</param>
    /// <param name="table">Routing table, 1 to 254.</param>
    /// <exception cref="IOException">The interface is not there, or the kernel refused.</exception>
    public static void AddRoutes(string? networkNamespace, string name, IReadOnlyList<InterfaceRoute> routes, byte table = MainTable)
    {
        ArgumentNullException.ThrowIfNull(routes);
        using var netlink = RouteNetlink.Open(networkNamespace);
        int index = IndexOf(networkNamespace, name) ?? throw LinuxException.NoInterface(name);
        foreach (InterfaceRoute route in routes)
        {
            netlink.AddRoute(ToAddress(route.To.First), route.To.Length, route.Via is { } via ? ToAddress(via) : null, index, table);
        }
    }

    /// <summary>Removes routes by an interface; those that are not there are no error.</summary>
    /// <param name="networkNamespace">Where.</param>
    /// <param name="name">The interface.</param>
    /// <param name="destinations">Destinations of the routes.</param>
    /// <param name="table">Routing table, 1 to 254.</param>
    /// <exception cref="IOException">The kernel refused.</exception>
    public static void RemoveRoutes(string? networkNamespace, string name, IReadOnlyList<IpPrefix> destinations, byte table = MainTable)
    {
        ArgumentNullException.ThrowIfNull(destinations);
        if (IndexOf(networkNamespace, name) is not { } index)
        {
            return;
        }

        using var netlink = RouteNetlink.Open(networkNamespace);
        foreach (IpPrefix destination in destinations)
        {
            netlink.RemoveRoute(ToAddress(destination.First), destination.Length, index, table);
        }
    }

    /// <summary>Removes an interface.</summary>
    /// <returns>False when the interface or its namespace is not there.</returns>
    /// <exception cref="IOException">The kernel refused.</exception>
    public static bool TryRemove(string? networkNamespace, string name)
    {
        if (networkNamespace is not null && NamespaceIdentity.TryRead(networkNamespace) is null)
        {
            return false;
        }

        if (IndexOf(networkNamespace, name) is not { } index)
        {
            return false;
        }

        using var netlink = RouteNetlink.Open(networkNamespace);
        netlink.RemoveLink(index);
        return true;
    }

    /// <summary>The addresses of an interface, with the lengths of their prefixes; null when there is no such interface.</summary>
    /// <exception cref="IOException">The namespace is not there.</exception>
    public static IReadOnlyList<IpPrefix>? TryReadAddresses(string? networkNamespace, string name)
    {
        if (IndexOf(networkNamespace, name) is not { } index)
        {
            return null;
        }

        using var netlink = RouteNetlink.Open(networkNamespace);
        return [.. netlink.ReadAddresses(index).Select(entry => new IpPrefix(FromAddress(entry.Address), entry.PrefixLength))];
    }

    /// <summary>Where the routes and addresses of a namespace lead; default routes left out.</summary>
    /// <exception cref="IOException">The namespace is not there.</exception>
    public static IReadOnlyList<IpPrefix> ReadReachable(string? networkNamespace)
    {
        using var netlink = RouteNetlink.Open(networkNamespace);
        var all = netlink.ReadRoutes().Concat(netlink.ReadAddresses());
        return [.. all.Select(entry => new IpPrefix(FromAddress(entry.Item1), entry.Item2).Network).Where(prefix => prefix.Length > 0).Distinct()];
    }

    private static int? IndexOf(string? networkNamespace, string name)
    {
        using var control = InterfaceControl.Open(networkNamespace);
        return control.TryRead(name)?.Index;
    }

    /// <summary>Has the kernel leave alone what it receives by an interface.</summary>
    private static void Seclude(string name)
    {
        SetIpv6(name, "disable_ipv6", "1", isNeeded: false);
        foreach ((string setting, string value) in ((string, string)[])[("arp_ignore", "8"), ("rp_filter", "1"), ("drop_unicast_in_l2_multicast", "1"), ("forwarding", "0")])
        {
            try
            {
                File.WriteAllText($"/proc/sys/net/ipv4/conf/{name}/{setting}", value);
            }
            catch (UnauthorizedAccessException refused)
            {
                throw new IOException($"{name} cannot be kept from the host's own traffic: {refused.Message}", refused);
            }
        }
    }

    private static void SetIpv6(string name, string setting, string value, bool isNeeded)
    {
        string path = $"/proc/sys/net/ipv6/conf/{name}/{setting}";
        try
        {
            File.WriteAllText(path, value);
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
        {
            if (isNeeded && (!File.Exists(path) || File.ReadAllText(path).Trim() != value))
            {
                throw new IOException($"{name} cannot have IPv6: {refused.Message}", refused);
            }
        }
    }

    private static IPAddress ToAddress(IpAddress address)
    {
        Span<byte> bytes = stackalloc byte[IpAddress.V6LengthBytes];
        return new IPAddress(bytes[..address.Write(bytes)]);
    }

    private static IpAddress FromAddress(IPAddress address)
    {
        byte[] bytes = address.GetAddressBytes();
        return bytes.Length == IpAddress.V4LengthBytes ? IpAddress.ReadV4(bytes) : IpAddress.ReadV6(bytes);
    }
}
