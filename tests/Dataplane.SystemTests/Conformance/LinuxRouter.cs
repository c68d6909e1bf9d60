using System.Globalization;
using Dataplane.SystemTests.Support;
using Dataplane.Tests.Conformance;

namespace Dataplane.SystemTests.Conformance;

/// <summary>Makes the kernel of a wire's namespace the router of <see cref="ConformanceWorld"/>.</summary>
internal static class LinuxRouter
{
    /// <summary>Addresses, neighbours and routes, as the engine has them.</summary>
    public static async Task ConfigureAsync(string home, int lanMtuBytes, LinuxRules rules)
    {
        await ChildProgram.RunAsync(home, ["sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=0", "net.ipv6.conf.far-wan.disable_ipv6=1", "net.ipv6.conf.far-lan.disable_ipv6=1",
            "net.ipv6.conf.wan.addr_gen_mode=1", "net.ipv6.conf.lan.addr_gen_mode=1", "net.ipv6.conf.wan.accept_dad=0", "net.ipv6.conf.lan.accept_dad=0",
            "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0",
            "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.wan.rp_filter=0", "net.ipv4.conf.lan.rp_filter=0"]);
        string hosts = string.Concat(Enumerable.Range(11, 3).Select(host => string.Create(CultureInfo.InvariantCulture,
            $"neigh replace 10.1.0.{host} lladdr {ConformanceWorld.ServerMac} dev lan nud permanent\nneigh replace 2001:db8:2::{host} lladdr {ConformanceWorld.ServerMac} dev lan nud permanent\n")));
        await TestNetwork.IpAsync(home, string.Create(CultureInfo.InvariantCulture, $"""
            link set wan address {ConformanceWorld.WanMac} up
            link set lan address {ConformanceWorld.LanMac} mtu {lanMtuBytes} up
            link set far-lan mtu {lanMtuBytes}
            addr replace 198.51.100.1/24 brd + dev wan
            addr replace 2001:db8:1::1/64 dev wan nodad
            addr replace 10.1.0.1/24 brd + dev lan
            addr replace 2001:db8:2::1/64 dev lan nodad
            neigh replace 198.51.100.2 lladdr {ConformanceWorld.ClientMac} dev wan nud permanent
            neigh replace 2001:db8:1::2 lladdr {ConformanceWorld.ClientMac} dev wan nud permanent
            {hosts}route replace 203.0.113.0/24 via 198.51.100.2
            route replace 2001:db8:9::/64 via 2001:db8:1::2
            {rules.Routes}
            """));
        string nat = rules.IsMasquerade ? "chain nat { type nat hook postrouting priority 100; iifname \"lan\" oifname \"wan\" masquerade; }" : "";
        string table = $"table inet conformance {{\nchain forward {{ type filter hook forward priority 0; policy accept;\n{rules.Forward}\n}}\n{nat}\n}}\n";
        (await ChildProgram.RunAsync(home, ["nft", "-f", "-"], table)).MustSucceed();
    }
}
