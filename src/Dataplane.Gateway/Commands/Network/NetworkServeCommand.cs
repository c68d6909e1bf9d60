using System.Runtime.InteropServices;
using Dataplane.Gateway.CommandLine;
using Dataplane.Gateway.Networks;
using Dataplane.Packets;
using Dataplane.Ports;

namespace Dataplane.Gateway.Commands.Network;

/// <summary>Runs the network service until it is told to stop.</summary>
internal sealed class NetworkServeCommand : Command
{
    private static readonly Option s_state = new("--state", "DIR", $"where networks, endpoints and leases are kept; {ServeOptions.DefaultState} by default");
    private static readonly Option s_memif = new("--memif-directory", "DIR", $"where the sockets of endpoints attached by memif are, a directory each; {ServeOptions.DefaultMemif} by default");
    private static readonly Option s_host = new("--host-interface", "NAME", "the host's end of its link to the containers, dp0 by default; none: there is no such link");
    private static readonly Option s_link = new("--host-link", "ADDR/LEN", "the host's address on that link, the engine has the next; 100.127.255.253/30 and fd64:7064::1/126 by default") { IsRepeatable = true };
    private static readonly Option s_uplink = new("--uplink", "NAME", "interface by which containers reach the outside, and the outside their published ports");
    private static readonly Option s_kind = new("--uplink-kind", "KIND", "af_packet (the default) or af_xdp");
    private static readonly Option s_address = new("--uplink-address", "ADDR/LEN", "address of the engine there, which nobody else has") { IsRepeatable = true };
    private static readonly Option s_gateway = new("--uplink-gateway", "ADDR", "next router there") { IsRepeatable = true };

    private static readonly Option s_etcd = new("--etcd", "URL", "member of the etcd cluster that holds the networks which hosts share, such as http://192.0.2.5:2379") { IsRepeatable = true };
    private static readonly Option s_prefix = new("--etcd-prefix", "PREFIX", "what the keys there begin with, /dataplane/networks/ by default");
    private static readonly Option s_name = new("--host-name", "NAME", "name of this host among those, that of the machine by default");
    private static readonly Option s_timeout = new("--host-timeout", "SECONDS", "after so long without a word of a host its containers may be attached elsewhere, 10 by default");
    private static readonly Option s_tlsLink = new("--tls-link", "ADDR:PORT", "address of this host at which TLS links to other hosts end, for networks with the underlay tls");
    private static readonly Option s_certificate = new("--tls-certificate", "FILE", "this host's certificate, PEM; read again for every connection");
    private static readonly Option s_key = new("--tls-key", "FILE", "its private key");
    private static readonly Option s_ca = new("--tls-ca", "FILE", "the authorities that the certificates of all hosts come from");
    private static readonly Option s_certificateName = new("--tls-name", "PATTERN", "name in the certificate of a host, {host} by default: its --host-name; such as {host}.nodes.example.org");
    private static readonly Option s_tunnel = new("--tunnel", "ADDR", "address of the engine at which the tunnels from other hosts end, the first of the uplink by default");

    public override string Name => "network serve";

    public override string Summary => "run the container networks: engine, control socket, restart without loss";

    public override string Details => """
        Prints "ready" alone on a line when every network forwards. Networks, endpoints and leases are kept: after a crash, the next service
        takes over the interfaces in the containers as they are, connections included.

        The host reaches the containers, and they the host, by the link dp0. To the outside there are two ways:
          --uplink eth0 --uplink-address 192.0.2.50/24 --uplink-gateway 192.0.2.1
              The engine is a host of its own on that network. Containers leave with its address; published ports are open at it, and the
              container sees the client's address. Nothing of the host's kernel or firewall is involved.
          without --uplink
              What leaves goes to the host, which forwards it if it is a router (net.ipv4.ip_forward=1, and a rule that masquerades the
              networks' ranges). Published ports are open at the host's addresses for its own programs; other clients are relayed, and the
              container sees the host's address on the link in place of theirs.

        Several hosts share networks by etcd:
          --etcd http://192.0.2.5:2379 --etcd http://192.0.2.6:2379 --uplink eth0 --uplink-address 192.0.2.50/24
              A network that one makes is there at all; containers reach each other by VXLAN between the hosts' uplinks, by address and by name, and
              keep their addresses when they move. While etcd does not answer everything that runs goes on, and changes wait.
          --tls-link 192.0.2.11:4790 --tls-certificate host.pem --tls-key host.key --tls-ca ca.pem
              Networks made with --underlay tls go by one TLS 1.3 link for each pair of hosts, with certificates on both sides.
        """;

    public override IReadOnlyList<Option> Options => [NetworkOptions.Socket, s_state, s_memif, s_host, s_link, s_uplink, s_kind, s_address, s_gateway, s_etcd, s_prefix, s_name, s_timeout, s_tunnel,
        s_tlsLink, s_certificate, s_key, s_ca, s_certificateName];

    public override async Task<int> RunAsync(Arguments arguments, Output output)
    {
        ServeOptions options = Read(arguments);
        var print = new LinePrinter(output.Out);
        using var signals = new Signals(PosixSignal.SIGTERM, PosixSignal.SIGINT, PosixSignal.SIGQUIT);
        ContainerNetworks networks = await ContainerNetworks.StartAsync(options, print.Line).ConfigureAwait(false);
        await using (networks.ConfigureAwait(false))
        {
            await using ControlServer server = await ControlServer.StartAsync(NetworkOptions.SocketOf(arguments), networks).ConfigureAwait(false);
            print.Line("ready");
            await Task.WhenAny(networks.Completion, signals.NextAsync().AsTask()).ConfigureAwait(false);
        }

        foreach (string line in AccountingReport.Lines(networks.Accounting))
        {
            print.Line(line);
        }

        if (networks.Completion.IsFaulted)
        {
            await output.Error.WriteLineAsync($"dataplane network serve: the worker died: {networks.Completion.Exception.InnerException}").ConfigureAwait(false);
            return ExitCode.Failed;
        }

        return ExitCode.Ok;
    }

    private static ServeOptions Read(Arguments arguments)
    {
        var defaults = new ServeOptions();
        IpPrefix[] links = [.. arguments.GetAll(s_link).Select(text => NetworkOptions.Prefix(s_link, text))];
        var options = new ServeOptions
        {
            StateDirectory = arguments.Get(s_state) ?? defaults.StateDirectory,
            MemifDirectory = arguments.Get(s_memif) ?? defaults.MemifDirectory,
            HostInterface = arguments.Get(s_host) switch { null => defaults.HostInterface, "none" => "", { } name => name },
            HostLinks = links.Length > 0 ? links : defaults.HostLinks,
            Uplink = arguments.Get(s_uplink) ?? "",
            UplinkKind = arguments.Get(s_kind) switch
            {
                null or "af_packet" => PortKind.AfPacket,
                "af_xdp" => PortKind.AfXdp,
                { } other => throw new UsageException($"{s_kind.Name} \"{other}\": is not af_packet or af_xdp."),
            },
            UplinkAddresses = [.. arguments.GetAll(s_address).Select(text => NetworkOptions.Prefix(s_address, text))],
            UplinkGateways = [.. arguments.GetAll(s_gateway).Select(text => NetworkOptions.Address(s_gateway, text))],
        };
        options = options with
        {
            Etcd = [.. arguments.GetAll(s_etcd)],
            HostTimeout = TimeSpan.FromSeconds(arguments.GetNumber(s_timeout, 2, 3600) ?? 10),
            EtcdPrefix = arguments.Get(s_prefix) ?? defaults.EtcdPrefix,
            HostName = arguments.Get(s_name) ?? defaults.HostName,
            Tunnel = arguments.Get(s_tunnel) is { } tunnel ? NetworkOptions.Address(s_tunnel, tunnel) : options.UplinkAddresses.Select(prefix => prefix.Address).FirstOrDefault(),
            Links = ReadLinks(arguments),
        };
        CheckShared(options);
        if (MemifSockets.ProblemOf(options.MemifDirectory) is { } problem)
        {
            throw new UsageException($"{s_memif.Name} {problem}");
        }

        if (options.HostInterface.Length == 0 && options.Uplink.Length == 0)
        {
            throw new UsageException($"{s_host.Name} none without {s_uplink.Name}: the engine would have no port.");
        }

        return options.Uplink.Length > 0 == options.UplinkAddresses.Count > 0
            ? options
            : throw new UsageException($"{s_uplink.Name} and {s_address.Name} belong together: the engine needs an address of its own there.");
    }

    private static LinkOptions? ReadLinks(Arguments arguments)
    {
        string?[] parts = [arguments.Get(s_tlsLink), arguments.Get(s_certificate), arguments.Get(s_key), arguments.Get(s_ca)];
        if (Array.TrueForAll(parts, part => part is null) && arguments.Get(s_certificateName) is null)
        {
            return null;
        }

        if (parts is not [{ } link, { } certificate, { } key, { } ca])
        {
            throw new UsageException($"{s_tlsLink.Name}, {s_certificate.Name}, {s_key.Name} and {s_ca.Name} belong together: both ends of a link show a certificate.");
        }

        if (!System.Net.IPEndPoint.TryParse(link, out System.Net.IPEndPoint? address) || address.Port == 0 || address.Address.Equals(System.Net.IPAddress.Any) || address.Address.Equals(System.Net.IPAddress.IPv6Any))
        {
            throw new UsageException($"{s_tlsLink.Name} \"{link}\": is not an address of this host with a port, such as 192.0.2.11:4790 or [2001:db8::11]:4790; other hosts connect to it.");
        }

        var options = new LinkOptions(address, certificate, key, ca);
        string name = arguments.Get(s_certificateName) ?? options.Name;
        return name.Contains(LinkOptions.HostMark, StringComparison.Ordinal)
            ? options with { Name = name }
            : throw new UsageException($"{s_certificateName.Name} \"{name}\": has no {LinkOptions.HostMark} in it; each host has a name of its own.");
    }

    private static void CheckShared(ServeOptions options)
    {
        if (options.Etcd.Count == 0)
        {
            if (options.Links is not null)
            {
                throw new UsageException($"{s_tlsLink.Name} without {s_etcd.Name}: there are no other hosts that links could lead to.");
            }

            return;
        }

        foreach (string member in options.Etcd)
        {
            if (!Uri.TryCreate(member, UriKind.Absolute, out Uri? uri) || uri.Scheme is not ("http" or "https"))
            {
                throw new UsageException($"{s_etcd.Name} \"{member}\": is not an address such as http://192.0.2.5:2379.");
            }
        }

        bool hasNoTunnel = options.Tunnel.IsNone && options.Links is not null;
        if (!hasNoTunnel && !options.UplinkAddresses.Any(prefix => prefix.Address == options.Tunnel))
        {
            throw new UsageException($"{s_etcd.Name}: tunnels to other hosts end at an address of the uplink; give {s_uplink.Name} and {s_address.Name}, and as {s_tunnel.Name} one of these, or {s_tlsLink.Name}.");
        }

        if (!options.HostName.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_' or '.') || options.HostName.Length is 0 or > 64)
        {
            throw new UsageException($"{s_name.Name} \"{options.HostName}\": cannot name a host; 1 to 64 letters, digits, -, _ or . are needed.");
        }
    }
}
