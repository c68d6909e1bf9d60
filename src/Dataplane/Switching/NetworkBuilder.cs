using Dataplane.Configuration;
using Dataplane.Packets;

namespace Dataplane.Switching;

/// <summary>Describes one network for <see cref="DataplaneBuilder"/>.</summary>
/// <remarks>Not safe for several threads at a time.</remarks>
public sealed class NetworkBuilder
{
    private readonly string _path;
    private readonly List<ConfigurationError> _errors;
    private readonly List<IpPrefix> _subnets = [];
    private readonly List<IpAddress> _gateways = [];
    private readonly List<string> _reach = [];
    private readonly List<EndpointSpec> _endpoints = [];
    private NetworkSpec _spec;

    internal NetworkBuilder(string name, string path, List<ConfigurationError> errors)
    {
        _spec = new NetworkSpec { Name = name };
        _path = path;
        _errors = errors;
    }

    /// <summary>Adds a subnet, such as <c>10.89.0.0/24</c>, with its gateway; null: its first address.</summary>
    public NetworkBuilder Subnet(string subnet, string? gateway = null)
    {
        _subnets.Add(TextReading.Prefix(subnet, ConfigPath.Index($"{_path}.subnets", _subnets.Count), _errors));
        if (gateway is not null)
        {
            _gateways.Add(TextReading.Address(gateway, ConfigPath.Index($"{_path}.gateways", _gateways.Count), _errors));
        }

        return this;
    }

    /// <summary>Sets the gateway's hardware address.</summary>
    public NetworkBuilder Mac(string mac)
    {
        _spec = _spec with { Mac = TextReading.Mac(mac, $"{_path}.mac", _errors) };
        return this;
    }

    /// <summary>Sets the largest layer 3 packet in bytes, 576 to 9000.</summary>
    public NetworkBuilder Mtu(int mtu)
    {
        _spec = _spec with { Mtu = mtu };
        return this;
    }

    /// <summary>Leaves the network without a way out.</summary>
    public NetworkBuilder Internal()
    {
        _spec = _spec with { Internal = true };
        return this;
    }

    /// <summary>Keeps the endpoints from reaching each other.</summary>
    public NetworkBuilder Isolate()
    {
        _spec = _spec with { Isolate = true };
        return this;
    }

    /// <summary>Lets the network and others reach each other.</summary>
    public NetworkBuilder Reach(params string[] networks)
    {
        ArgumentNullException.ThrowIfNull(networks);
        _reach.AddRange(networks);
        return this;
    }

    /// <summary>Tells endpoints of these name servers, by router advertisements and DHCP.</summary>
    public NetworkBuilder Dns(params string[] servers)
    {
        ArgumentNullException.ThrowIfNull(servers);
        _spec = _spec with { Dns = [.. servers.Select((server, index) => TextReading.Address(server, ConfigPath.Index($"{_path}.dns", index), _errors))] };
        return this;
    }

    /// <summary>Tells endpoints of these domains for short names, by router advertisements and DHCP.</summary>
    public NetworkBuilder Search(params string[] domains)
    {
        ArgumentNullException.ThrowIfNull(domains);
        _spec = _spec with { Search = [.. domains] };
        return this;
    }

    /// <summary>Has the gateway advertise itself over IPv6; null: with the defaults.</summary>
    public NetworkBuilder RouterAdvertisements(RouterAdvertisementSpec? advertisements = null)
    {
        _spec = _spec with { RouterAdvertisements = advertisements ?? new RouterAdvertisementSpec() };
        return this;
    }

    /// <summary>Answers endpoints that ask by DHCP; null: with the defaults.</summary>
    public NetworkBuilder Dhcp(DhcpSpec? dhcp = null)
    {
        _spec = _spec with { Dhcp = dhcp ?? new DhcpSpec() };
        return this;
    }

    /// <summary>Attaches an endpoint.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="port">Name of its port.</param>
    /// <param name="mac">Its hardware address.</param>
    /// <param name="addresses">Its addresses.</param>
    public NetworkBuilder Endpoint(string name, string port, string mac, params string[] addresses)
    {
        ArgumentNullException.ThrowIfNull(addresses);
        string path = ConfigPath.Index($"{_path}.endpoints", _endpoints.Count);
        return Endpoint(new EndpointSpec
        {
            Name = name,
            Port = port,
            Mac = TextReading.Mac(mac, $"{path}.mac", _errors),
            Addresses = [.. addresses.Select((address, index) => TextReading.Address(address, ConfigPath.Index($"{path}.addresses", index), _errors))],
        });
    }

    /// <summary>Attaches an endpoint.</summary>
    public NetworkBuilder Endpoint(EndpointSpec endpoint)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        _endpoints.Add(endpoint);
        return this;
    }

    internal NetworkSpec Build() =>
        _spec with { Subnets = [.. _subnets], Gateways = [.. _gateways], Reach = [.. _reach], Endpoints = [.. _endpoints] };
}
