using System.Globalization;
using System.Text.Json;
using Dataplane.Gateway.CommandLine;
using Dataplane.Gateway.Networks;

namespace Dataplane.Gateway.Commands.Network;

/// <summary>Makes a network.</summary>
internal sealed class NetworkCreateCommand : Command
{
    private static readonly Option s_subnet = new("--subnet", "PREFIX", "address range; without one, a free one of Docker's default pools") { IsRepeatable = true };
    private static readonly Option s_gateway = new("--gateway", "ADDR", "gateway in a subnet; its first address by default") { IsRepeatable = true };
    private static readonly Option s_range = new("--ip-range", "PREFIX", "part of a subnet that addresses are given from") { IsRepeatable = true };
    private static readonly Option s_reserve = new("--reserve", "ADDR", "address that is given to nobody") { IsRepeatable = true };
    private static readonly Option s_ipv6 = new("--ipv6", "", "choose an IPv6 subnet as well, where none is given");
    private static readonly Option s_internal = new("--internal", "", "no way out and none in");
    private static readonly Option s_isolate = new("--isolate", "", "endpoints reach the gateway only, not each other");
    private static readonly Option s_advertise = new("--router-advertisements", "", "the gateway advertises itself over IPv6, with name servers and MTU");
    private static readonly Option s_dhcp = new("--dhcp", "", "containers that ask by DHCP or DHCPv6 are told their addresses");
    private static readonly Option s_search = new("--search", "DOMAIN", "domain for short names that is told in both ways") { IsRepeatable = true };
    private static readonly Option s_mtu = new("--mtu", "BYTES", "largest packet, 576 to 9000; 1500 by default");
    private static readonly Option s_underlay = new("--underlay", "KIND", "how hosts that share it carry its frames: vxlan (the default), or tls for encrypted links");
    private static readonly Option s_attach = new("--attach", "KIND", "how endpoints are attached: tap (the default), veth, veth_xdp, memif");
    private static readonly Option s_reach = new("--reach", "NETWORK", "network that this one and it reach each other with") { IsRepeatable = true };

    public override string Name => "network create";

    public override string Summary => "make a network";

    public override IReadOnlyList<string> Positionals => ["NAME"];

    public override IReadOnlyList<Option> Options =>
        [s_subnet, s_gateway, s_range, s_reserve, s_ipv6, s_internal, s_isolate, s_mtu, s_attach, s_reach, s_advertise, s_dhcp, s_search, s_underlay, NetworkOptions.Socket, NetworkOptions.Json];

    public override async Task<int> RunAsync(Arguments arguments, Output output)
    {
        string[] Within(Option option, string subnet) => [.. arguments.GetAll(option).Where(text => NetworkOptions.Prefix(s_subnet, subnet).Contains(
            option == s_range ? NetworkOptions.Prefix(option, text).Address : NetworkOptions.Address(option, text)))];
        foreach ((Option option, int most) in ((Option, int)[])[(s_gateway, 1), (s_range, 1), (s_reserve, int.MaxValue)])
        {
            DemandWithin(arguments, option, most, Within);
        }

        var request = new NetworkRecord(arguments.Positionals[0])
        {
            Subnets = [.. arguments.GetAll(s_subnet).Select(subnet => new SubnetRecord(subnet)
            {
                Gateway = Within(s_gateway, subnet).FirstOrDefault(),
                Range = Within(s_range, subnet).FirstOrDefault(),
                Reserved = Within(s_reserve, subnet),
            })],
            Ipv6 = arguments.Has(s_ipv6),
            Internal = arguments.Has(s_internal),
            Isolate = arguments.Has(s_isolate),
            RouterAdvertisements = arguments.Has(s_advertise),
            Dhcp = arguments.Has(s_dhcp),
            Search = [.. arguments.GetAll(s_search)],
            Mtu = (int)(arguments.GetNumber(s_mtu, 576, 9000) ?? 1500),
            Reach = [.. arguments.GetAll(s_reach)],
            Underlay = arguments.Get(s_underlay),
            Attach = arguments.Get(s_attach) ?? "",
        };
        using var client = new ControlClient(NetworkOptions.SocketOf(arguments));
        NetworkView made = await client.CreateAsync(request).ConfigureAwait(false);
        await output.Out.WriteLineAsync(arguments.Has(NetworkOptions.Json)
            ? JsonSerializer.Serialize(made, NetworkJson.Default.NetworkView)
            : $"{made.Network.Name} {string.Join(' ', made.Network.Subnets.Select(subnet => subnet.Subnet))}").ConfigureAwait(false);
        return ExitCode.Ok;
    }

    /// <summary>What belongs to no subnet that is named would be lost without a word.</summary>
    private static void DemandWithin(Arguments arguments, Option option, int most, Func<Option, string, string[]> within)
    {
        IReadOnlyList<string> subnets = [.. arguments.GetAll(s_subnet)];
        string[] known = [.. subnets.SelectMany(subnet => within(option, subnet))];
        if (arguments.GetAll(option).FirstOrDefault(text => !known.Contains(text)) is { } lost)
        {
            throw new UsageException(subnets.Count == 0
                ? $"{option.Name} {lost}: belongs to a subnet; name it by {s_subnet.Name}."
                : $"{option.Name} {lost}: is in no subnet of the network ({string.Join(", ", subnets)}).");
        }

        if (subnets.FirstOrDefault(subnet => within(option, subnet).Length > most) is { } twice)
        {
            throw new UsageException($"{option.Name}: there are several for {twice} ({string.Join(", ", within(option, twice))}); one is possible.");
        }
    }
}

/// <summary>Lists networks.</summary>
internal sealed class NetworkListCommand : Command
{
    public override string Name => "network ls";

    public override string Summary => "list networks, and what is open on the host";

    public override IReadOnlyList<Option> Options => [NetworkOptions.Socket, NetworkOptions.Json];

    public override async Task<int> RunAsync(Arguments arguments, Output output)
    {
        using var client = new ControlClient(NetworkOptions.SocketOf(arguments));
        NetworkView[] all = await client.ListAsync().ConfigureAwait(false);
        if (arguments.Has(NetworkOptions.Json))
        {
            await output.Out.WriteLineAsync(JsonSerializer.Serialize(all, NetworkJson.Default.NetworkViewArray)).ConfigureAwait(false);
            return ExitCode.Ok;
        }

        await output.Out.WriteLineAsync("NAME                 SUBNETS                                  ENDPOINTS  FLAGS").ConfigureAwait(false);
        foreach (NetworkView view in all)
        {
            string flags = string.Join(' ', ((string?[])[view.Network.Internal ? "internal" : null, view.Network.Isolate ? "isolate" : null]).OfType<string>());
            await output.Out.WriteLineAsync(string.Create(CultureInfo.InvariantCulture,
                $"{view.Network.Name,-20} {string.Join(' ', view.Network.Subnets.Select(subnet => subnet.Subnet)),-40} {view.Endpoints.Count,9}  {flags}").TrimEnd()).ConfigureAwait(false);
        }

        ServiceStatus status = await client.StatusAsync().ConfigureAwait(false);
        foreach (string open in status.Open)
        {
            await output.Out.WriteLineAsync($"open: {open}").ConfigureAwait(false);
        }

        foreach (LinkStatus link in status.Links)
        {
            await output.Out.WriteLineAsync($"link to {link.Host} ({link.Address}): {(link.IsUp ? "up" : "down")}, {link.Detail}").ConfigureAwait(false);
        }

        if (status.LastRefusal.Length > 0)
        {
            await output.Out.WriteLineAsync($"refused: {string.Join(", ", status.Refused.Select(each => $"{each.Key} {each.Value}"))}; the last: {status.LastRefusal}").ConfigureAwait(false);
        }

        if (status.Detail.Length > 0)
        {
            await output.Out.WriteLineAsync(status.Detail).ConfigureAwait(false);
        }

        return ExitCode.Ok;
    }
}

/// <summary>Shows a network and who is attached.</summary>
internal sealed class NetworkInspectCommand : Command
{
    public override string Name => "network inspect";

    public override string Summary => "print a network and who is attached, as JSON";

    public override IReadOnlyList<string> Positionals => ["NAME"];

    public override IReadOnlyList<Option> Options => [NetworkOptions.Socket];

    public override async Task<int> RunAsync(Arguments arguments, Output output)
    {
        using var client = new ControlClient(NetworkOptions.SocketOf(arguments));
        NetworkView view = await client.GetAsync(arguments.Positionals[0]).ConfigureAwait(false);
        await output.Out.WriteLineAsync(JsonSerializer.Serialize(view, NetworkJson.Default.NetworkView)).ConfigureAwait(false);
        return ExitCode.Ok;
    }
}

/// <summary>Removes a network.</summary>
internal sealed class NetworkRemoveCommand : Command
{
    public override string Name => "network rm";

    public override string Summary => "remove a network that nobody is attached to";

    public override IReadOnlyList<string> Positionals => ["NAME"];

    public override IReadOnlyList<Option> Options => [NetworkOptions.Socket];

    public override async Task<int> RunAsync(Arguments arguments, Output output)
    {
        using var client = new ControlClient(NetworkOptions.SocketOf(arguments));
        await client.RemoveAsync(arguments.Positionals[0]).ConfigureAwait(false);
        await output.Out.WriteLineAsync(arguments.Positionals[0]).ConfigureAwait(false);
        return ExitCode.Ok;
    }
}

/// <summary>Attaches a network namespace.</summary>
internal sealed class NetworkAttachCommand : Command
{
    internal static readonly Option Container = new("--container", "ID", "who is attached; the name of the namespace by default, or PID of /proc/PID/ns/net");
    internal static readonly Option Interface = new("--ifname", "NAME", "name of the interface, eth0 by default");
    private static readonly Option s_namespace = new("--netns", "PATH", "network namespace: a path such as /proc/PID/ns/net, or a name of ip netns; by memif it may be left out");
    private static readonly Option s_address = new("--ip", "ADDR", "address that it must have") { IsRepeatable = true };
    private static readonly Option s_mac = new("--mac", "MAC", "MAC address that it must have");
    private static readonly Option s_name = new("--name", "NAME", "name that others of the network find it by; the container by default");
    private static readonly Option s_attach = new("--attach", "KIND", "how: tap, veth, veth_xdp or memif; as the network says by default");
    private static readonly Option s_memif = new("--memif", "NAME", "attached by memif: name of the directory that the socket is in; one is made up by default");
    private static readonly Option s_publish = new("--publish", "[HOST:]PORT:PORT[/udp]", "port of the host that leads to it; ranges as 8000-8010:80-90") { IsRepeatable = true };

    public override string Name => "network attach";

    public override string Summary => "give a network namespace an interface on a network";

    public override IReadOnlyList<string> Positionals => ["NETWORK"];

    public override IReadOnlyList<Option> Options => [s_namespace, Interface, Container, s_address, s_mac, s_name, s_attach, s_memif, s_publish, NetworkOptions.Socket, NetworkOptions.Json];

    public override async Task<int> RunAsync(Arguments arguments, Output output)
    {
        string path = arguments.Get(s_namespace) ?? "";
        string container = arguments.Get(Container) ?? NameOf(path);
        if (container.Length == 0)
        {
            throw new UsageException($"{s_namespace.Name} or, for what is attached by memif, {Container.Name} is needed: nothing says who is attached.");
        }

        var request = new EndpointRecord(container, arguments.Get(Interface) ?? "eth0")
        {
            Namespace = path.Length == 0 || path.Contains('/', StringComparison.Ordinal) ? path : "/var/run/netns/" + path,
            Name = arguments.Get(s_name) ?? container,
            Addresses = [.. arguments.GetAll(s_address)],
            Mac = arguments.Get(s_mac),
            Attach = arguments.Get(s_attach) ?? "",
            Socket = arguments.Get(s_memif) ?? "",
            Ports = [.. arguments.GetAll(s_publish).Select(NetworkOptions.Publish)],
        };
        using var client = new ControlClient(NetworkOptions.SocketOf(arguments));
        AttachReply made = await client.AttachAsync(arguments.Positionals[0], request).ConfigureAwait(false);
        await output.Out.WriteLineAsync(arguments.Has(NetworkOptions.Json)
            ? JsonSerializer.Serialize(made, NetworkJson.Default.AttachReply)
            : $"{made.Endpoint.Key} {made.Endpoint.Mac} {string.Join(' ', made.Endpoint.Addresses.Append(made.Endpoint.Socket).Where(text => text.Length > 0))}").ConfigureAwait(false);
        return ExitCode.Ok;
    }

    /// <summary>What tells one namespace from another: <c>/proc/PID/ns/net</c> is "net" for every container.</summary>
    internal static string NameOf(string path) =>
        path.Split('/') is ["", "proc", var process, .., "ns", "net"] ? process : Path.GetFileName(path);
}

/// <summary>Detaches an endpoint.</summary>
internal sealed class NetworkDetachCommand : Command
{
    public override string Name => "network detach";

    public override string Summary => "take an endpoint's interface away; one that is not attached is no error";

    public override IReadOnlyList<string> Positionals => ["NETWORK", "CONTAINER"];

    public override IReadOnlyList<Option> Options => [NetworkAttachCommand.Interface, NetworkOptions.Socket];

    public override async Task<int> RunAsync(Arguments arguments, Output output)
    {
        using var client = new ControlClient(NetworkOptions.SocketOf(arguments));
        Removed gone = await client.DetachAsync(arguments.Positionals[0], arguments.Positionals[1], arguments.Get(NetworkAttachCommand.Interface) ?? "eth0").ConfigureAwait(false);
        await output.Out.WriteLineAsync(gone.Keys.Count == 0 ? "was not attached" : gone.Keys[0]).ConfigureAwait(false);
        return ExitCode.Ok;
    }
}

/// <summary>Changes what is published of an endpoint.</summary>
internal sealed class NetworkPublishCommand : Command
{
    private static readonly Option s_publish = new("--publish", "[HOST:]PORT:PORT[/udp]", "port of the host that leads to it; none: nothing is published any more") { IsRepeatable = true };

    public override string Name => "network publish";

    public override string Summary => "set the published ports of an endpoint, while it runs";

    public override IReadOnlyList<string> Positionals => ["NETWORK", "CONTAINER"];

    public override IReadOnlyList<Option> Options => [s_publish, NetworkAttachCommand.Interface, NetworkOptions.Socket];

    public override async Task<int> RunAsync(Arguments arguments, Output output)
    {
        using var client = new ControlClient(NetworkOptions.SocketOf(arguments));
        EndpointRecord now = await client.PublishAsync(arguments.Positionals[0], arguments.Positionals[1], arguments.Get(NetworkAttachCommand.Interface) ?? "eth0",
            [.. arguments.GetAll(s_publish).Select(NetworkOptions.Publish)]).ConfigureAwait(false);
        await output.Out.WriteLineAsync($"{now.Key}{string.Concat(now.Ports.Select(port => " " + NetworkRequests.Describe(port)))}").ConfigureAwait(false);
        return ExitCode.Ok;
    }
}
