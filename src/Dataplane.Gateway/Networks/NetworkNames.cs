using System.Net;
using Dataplane.Names;
using Dataplane.Packets;

namespace Dataplane.Gateway.Networks;

/// <summary>The names of a network: its name server, at its gateways, knows who is attached to it and nobody else.</summary>
internal static class NetworkNames
{
    private const int MaxUpstreams = 3;
    private const int MaxLabelLength = 63;
    private const int MaxNameLength = 200;

    /// <summary>What an endpoint adds to the names of its network, and to which zone: its name, its aliases, all of them as <c>NAME.NETWORK</c>, and its addresses back.</summary>
    public static IReadOnlyList<(string Zone, NameRecord Record)> RecordsOf(NetworkRecord network, EndpointRecord endpoint, IReadOnlyList<IpAddress> addresses)
    {
        var records = new List<(string, NameRecord)>();
        string[] names = [.. endpoint.Aliases.Prepend(endpoint.Name).Where(IsName).Select(name => name.ToLowerInvariant()).Distinct()];
        foreach (IpAddress address in addresses)
        {
            foreach (string name in names)
            {
                records.Add((name, NameRecord.Of(name, address)));
                if (IsName(network.Name))
                {
                    records.Add((network.Name, NameRecord.Of($"{name}.{network.Name}", address)));
                }
            }

            if (names.Length > 0)
            {
                NameRecord back = NameRecord.Reverse(address, IsName(network.Name) ? $"{names[0]}.{network.Name}" : names[0]);
                records.Add((back.Name, back));
            }
        }

        return records;
    }

    /// <summary>The server of a network.</summary>
    /// <param name="network">The network.</param>
    /// <param name="zones">What its endpoints add.</param>
    /// <param name="upstreams">Who is asked for other names; nobody is for an internal network, from which questions would be a way out.</param>
    public static NameServerSpec ServerOf(NetworkRecord network, IReadOnlyList<ZoneSpec> zones, IReadOnlyList<IPEndPoint> upstreams)
    {
        IPAddress[] own = [.. network.Subnets.Select(subnet => IPAddress.Parse(subnet.Gateway!))];
        return new NameServerSpec
        {
            Name = network.Name,
            Addresses = [.. network.Subnets.Select(subnet => IpAddress.Parse(subnet.Gateway))],
            Zones = zones,
            Upstreams = network.Internal ? [] : [.. upstreams.Where(upstream => !own.Contains(upstream.Address))],
        };
    }

    /// <summary>The name servers of the host, as <c>/etc/resolv.conf</c> has them (resolv.conf(5)): three at most.</summary>
    public static IReadOnlyList<IPEndPoint> UpstreamsOf(IEnumerable<string> lines)
    {
        var result = new List<IPEndPoint>();
        foreach (string[] words in lines.Select(line => line.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries)))
        {
            // An address with a zone, such as fe80::1%eth0, is of a link of the host's own.
            if (words.Length >= 2 && words[0] == "nameserver" && IPAddress.TryParse(words[1], out IPAddress? address) && address is not { IsIPv6LinkLocal: true })
            {
                result.Add(new IPEndPoint(address, 53));
            }
        }

        return [.. result.Distinct().Take(MaxUpstreams)];
    }

    private static bool IsName(string text) => text.Length is > 0 and <= MaxNameLength && text.Split('.').All(label =>
        label.Length is > 0 and <= MaxLabelLength && label.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_'));
}
