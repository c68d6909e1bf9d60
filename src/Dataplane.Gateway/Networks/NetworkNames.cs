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

    /// <summary>The server of a network: containers by name, alias and <c>NAME.NETWORK</c>, and their addresses back.</summary>
    /// <param name="view">The network and who is attached.</param>
    /// <param name="upstreams">Who is asked for other names; nobody is for an internal network, from which questions would be a way out.</param>
    public static NameServerSpec ServerOf(NetworkView view, IReadOnlyList<IPEndPoint> upstreams)
    {
        var zones = new Dictionary<string, List<NameRecord>>(StringComparer.OrdinalIgnoreCase);
        foreach (EndpointRecord endpoint in view.Endpoints)
        {
            string[] names = [.. endpoint.Aliases.Prepend(endpoint.Name).Where(IsName).Select(name => name.ToLowerInvariant()).Distinct()];
            foreach (IpAddress address in endpoint.Addresses.Select(text => IpAddress.Parse(text)))
            {
                foreach (string name in names)
                {
                    Add(zones, name, NameRecord.Of(name, address));
                    if (IsName(view.Network.Name))
                    {
                        Add(zones, view.Network.Name, NameRecord.Of($"{name}.{view.Network.Name}", address));
                    }
                }

                if (names.Length > 0)
                {
                    NameRecord back = NameRecord.Reverse(address, IsName(view.Network.Name) ? $"{names[0]}.{view.Network.Name}" : names[0]);
                    Add(zones, back.Name, back);
                }
            }
        }

        IPAddress[] own = [.. view.Network.Subnets.Select(subnet => IPAddress.Parse(subnet.Gateway!))];
        return new NameServerSpec
        {
            Name = view.Network.Name,
            Addresses = [.. view.Network.Subnets.Select(subnet => IpAddress.Parse(subnet.Gateway))],
            Zones = [.. zones.Select(zone => new ZoneSpec { Name = zone.Key, Records = zone.Value })],
            Upstreams = view.Network.Internal ? [] : [.. upstreams.Where(upstream => !own.Contains(upstream.Address))],
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

    private static void Add(Dictionary<string, List<NameRecord>> zones, string zone, NameRecord record)
    {
        if (!zones.TryGetValue(zone, out List<NameRecord>? records))
        {
            zones[zone] = records = [];
        }

        if (!records.Contains(record))
        {
            records.Add(record);
        }
    }

    private static bool IsName(string text) => text.Length is > 0 and <= MaxNameLength && text.Split('.').All(label =>
        label.Length is > 0 and <= MaxLabelLength && label.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_'));
}
