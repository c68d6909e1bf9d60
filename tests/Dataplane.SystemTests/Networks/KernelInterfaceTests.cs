using Dataplane.Native;
using Dataplane.Native.Tests;
using Dataplane.Networks;
using Dataplane.Packets;

namespace Dataplane.SystemTests.Networks;

/// <summary>Interfaces in other namespaces, set up by netlink, as the kernel's own tool sees them.</summary>
public sealed class KernelInterfaceTests
{
    [PrivilegedFact]
    public void Configure_TapInANamespace_HasAddressesAndRoutesAtOnce()
    {
        using NetworkNamespace home = NetworkNamespace.Create("kif");
        using TapDevice device = TapDevice.Open("eth0", new TapOptions { NetworkNamespace = home.Name, BringUp = false });
        var settings = new InterfaceSettings
        {
            Addresses = [IpPrefix.Parse("10.7.0.2/24"), IpPrefix.Parse("fd00:7::2/64")],
            Routes = [new InterfaceRoute(IpPrefix.AllV4, IpAddress.Parse("10.7.0.1")), new InterfaceRoute(IpPrefix.AllV6, IpAddress.Parse("fd00:7::1"))],
        };
        KernelInterface.Configure(home.Name, "eth0", settings);
        KernelInterface.Configure(home.Name, "eth0", settings);
        string addresses = home.Execute("ip", "addr", "show", "eth0");
        Assert.Contains("inet 10.7.0.2/24", addresses, StringComparison.Ordinal);
        Assert.Contains("inet6 fd00:7::2/64", addresses, StringComparison.Ordinal);
        Assert.DoesNotContain("tentative", addresses.Split("fd00:7::2")[1].Split('\n')[0], StringComparison.Ordinal);
        Assert.Contains("default via 10.7.0.1 dev eth0", home.Execute("ip", "route"), StringComparison.Ordinal);
        Assert.Contains("default via fd00:7::1 dev eth0", home.Execute("ip", "-6", "route"), StringComparison.Ordinal);
        Assert.Contains(IpPrefix.Parse("10.7.0.2/24"), KernelInterface.TryReadAddresses(home.Name, "eth0")!);
        Assert.Contains(IpPrefix.Parse("10.7.0.0/24"), KernelInterface.ReadReachable(home.Name));
    }

    [PrivilegedFact]
    public void AddRoutes_ThenRemove_LeavesNone()
    {
        using NetworkNamespace home = NetworkNamespace.Create("kif");
        using TapDevice device = TapDevice.Open("dp0", new TapOptions { NetworkNamespace = home.Name });
        KernelInterface.Configure(home.Name, "dp0", new InterfaceSettings { Addresses = [IpPrefix.Parse("10.7.0.1/30")] });
        KernelInterface.AddRoutes(home.Name, "dp0", [new InterfaceRoute(IpPrefix.Parse("172.18.0.0/16"), IpAddress.Parse("10.7.0.2"))]);
        Assert.Contains("172.18.0.0/16 via 10.7.0.2", home.Execute("ip", "route"), StringComparison.Ordinal);
        KernelInterface.RemoveRoutes(home.Name, "dp0", [IpPrefix.Parse("172.18.0.0/16"), IpPrefix.Parse("172.19.0.0/16")]);
        Assert.DoesNotContain("172.18.0.0/16", home.Execute("ip", "route"), StringComparison.Ordinal);
    }

    [PrivilegedFact]
    public void TryRemove_OnceAndAgain_TellsWhetherItWasThere()
    {
        using NetworkNamespace home = NetworkNamespace.Create("kif");
        using (TapDevice.Open("eth0", new TapOptions { NetworkNamespace = home.Name, Persist = true }))
        {
        }

        Assert.True(KernelInterface.TryRemove(home.Name, "eth0"));
        Assert.False(KernelInterface.TryRemove(home.Name, "eth0"));
        Assert.False(KernelInterface.TryRemove("dpnative-never-made", "eth0"));
    }

    [PrivilegedFact]
    public void TryReadIdentity_NamespaceThatIsGone_IsNull()
    {
        string name, path;
        using (NetworkNamespace home = NetworkNamespace.Create("kif"))
        {
            name = home.Name;
            path = $"/var/run/netns/{name}";
            Assert.StartsWith("net:[", NamespaceIdentity.TryRead(name), StringComparison.Ordinal);
            Assert.Equal(NamespaceIdentity.TryRead(name), NamespaceIdentity.TryRead(path));
            Assert.NotEqual(NamespaceIdentity.TryRead("/proc/self/ns/net"), NamespaceIdentity.TryRead(name));
        }

        Assert.Null(NamespaceIdentity.TryRead(name));
        Assert.Null(NamespaceIdentity.TryRead("/proc/self/status"));
    }
}
