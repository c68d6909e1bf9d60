using Dataplane.Packets;
using Dataplane.Pipeline;
using static Dataplane.Tests.Conformance.Say;

namespace Dataplane.Tests.Conformance.Cases;

/// <summary>Addresses that no packet through a router may have.</summary>
internal static class AddressCases
{
    public static ConformanceGroup Group { get; } = new("addresses", _ => { }, Add) { Linux = new LinuxRules(Routes: "route add blackhole 10.1.0.0/32\n") };

    private static void Add(ConformanceGroup group)
    {
        Source(group, "this-network", "RFC 1812 5.3.7", "0.0.0.1", linux: "takes 0.0.0.0/8 for ordinary addresses (since 5.3)");
        Source(group, "unspecified", "RFC 1122 3.2.1.3", "0.0.0.0");
        Source(group, "loopback", "RFC 1812 5.3.7", "127.0.0.1");
        Source(group, "multicast", "RFC 1812 5.3.7", "224.0.0.9");
        Source(group, "class-e", "RFC 1812 5.3.7", "240.0.0.1", linux: "takes class E for ordinary addresses");
        Source(group, "limited-broadcast", "RFC 1122 3.2.1.3", "255.255.255.255");
        Source(group, "link-local", "RFC 3927 2.7", "169.254.1.1", linux: "forwards link-local addresses of IPv4");
        Source(group, "unspecified", "RFC 4291 2.5.2", "::");
        Source(group, "loopback", "RFC 4291 2.5.3", "::1");
        Source(group, "multicast", "RFC 4291 2.7", "ff02::1");
        Source(group, "ipv4-mapped", "RFC 4291 2.5.5.2", "::ffff:198.51.100.2", linux: "forwards IPv4-mapped addresses");
        Source(group, "link-local", "RFC 4291 2.5.6", "fe80::2");
        group.Both("own-address-as-source-outside", "RFC 1812 5.3.8", "RFC 2827 4", c => c.Wan(Udp(c.Port(), 53)(c.FromWan(c.Gateway, c.Host()))).Dropped(DropReason.OwnSource),
            linux: "forwards packets of IPv6 under its own address");
        group.Both("own-inside-address-as-source-outside", "RFC 1812 5.3.8", "RFC 2827 4", c => c.Wan(Udp(c.Port(), 53)(c.FromWan(c.LanGateway, c.Host()))).Dropped(DropReason.OwnSource),
            linux: "forwards packets of IPv6 under its own address");
        Destination(group, "this-network", "RFC 1812 5.3.7", "0.0.0.1", DropReason.MartianDestination, linux: "has no route to 0.0.0.0/8 and says so");
        Destination(group, "unspecified", "RFC 1122 3.2.1.3", "0.0.0.0", DropReason.MartianDestination);
        Destination(group, "loopback", "RFC 1812 5.3.7", "127.0.0.1", DropReason.MartianDestination);
        Destination(group, "class-e", "RFC 1112 4", "250.0.0.1", DropReason.MartianDestination, linux: "has no route to class E and says so");
        Destination(group, "limited-broadcast", "RFC 1812 5.3.5.1", "255.255.255.255", DropReason.Broadcast);
        Destination(group, "directed-broadcast", "RFC 2644 4", "10.1.0.255", DropReason.Broadcast);
        Destination(group, "network-address", "RFC 1812 5.3.5.2", "10.1.0.0", DropReason.Broadcast);
        Destination(group, "multicast-of-the-link", "RFC 5771 4", "224.0.0.5", DropReason.Multicast);
        Destination(group, "multicast", "RFC 1812 5.2.1.3", "239.1.1.1", DropReason.Multicast);
        Destination(group, "link-local", "RFC 3927 2.7", "169.254.1.1", DropReason.NoRoute, isTold: true);
        Destination(group, "loopback", "RFC 4291 2.5.3", "::1", DropReason.MartianDestination);
        Destination(group, "unspecified", "RFC 4291 2.5.2", "::", DropReason.MartianDestination, linux: "has no route to the unspecified address and says so");
        Destination(group, "ipv4-mapped", "RFC 4291 2.5.5.2", "::ffff:10.1.0.11", DropReason.MartianDestination, linux: "has no route to IPv4-mapped addresses and says so");
        Destination(group, "multicast-of-the-link", "RFC 4291 2.7.1", "ff02::5", DropReason.Multicast);
        Destination(group, "multicast-of-the-site", "RFC 4291 2.7", "ff05::2", DropReason.Multicast);
    }

    private static void Source(ConformanceGroup group, string what, string rfc, string address, string? linux = null)
    {
        var source = IpAddress.Parse(address);
        void Steps(CaseScript c) => c.Wan(Udp(c.Port(), 53)(c.FromWan(source, c.Host()))).Dropped(DropReason.MartianSource);
        Add(group, $"source-{what}", rfc, source, Steps, linux);
    }

    private static void Destination(ConformanceGroup group, string what, string rfc, string address, DropReason reason, string? linux = null, bool isTold = false)
    {
        var destination = IpAddress.Parse(address);
        void Steps(CaseScript c)
        {
            byte[] frame = Udp(c.Port(), 53)(c.FromWan(c.Client, destination)).Build();
            if (isTold)
            {
                c.Wan(frame).Refused(reason, c.OwnErrorToWan(IcmpError.NoRoute, frame));
            }
            else
            {
                c.Wan(frame).Dropped(reason);
            }
        }

        Add(group, $"destination-{what}", rfc, destination, Steps, linux);
    }

    private static void Add(ConformanceGroup group, string rule, string rfc, IpAddress address, Action<CaseScript> steps, string? linux)
    {
        if (address.IsIpv4)
        {
            group.V4(rule, rfc, steps, linux: linux);
        }
        else
        {
            group.V6(rule, rfc, steps, linux: linux);
        }
    }
}
