using System.Globalization;
using Dataplane.Gateway.Networks;
using Dataplane.Packets;

namespace Dataplane.Gateway.Compose;

// What the network service would refuse, found before anything is asked of it: with its line, and while nothing has been changed yet.
internal sealed partial class ComposeReader
{
    private void CheckNetworks(List<ComposeNetwork> networks, List<ComposeService> services)
    {
        var whole = new List<NetworkRecord>();
        foreach (ComposeNetwork network in networks.Where(network => !network.IsExternal))
        {
            string path = $"networks.{network.Key}";
            try
            {
                whole.Add(NetworkRequests.Complete(network.Record, "", whole, []));
                CheckAddresses(network, services);
            }
            catch (NetworkException refused)
            {
                Error(path, $"cannot be made: {refused.Message}");
            }
        }
    }

    /// <summary>Fixed addresses are hosts of the network's subnets, and each is one replica's.</summary>
    private void CheckAddresses(ComposeNetwork network, List<ComposeService> services)
    {
        var taken = new Dictionary<string, string>();
        foreach ((ComposeService service, ComposeAttachment attachment) in services.SelectMany(service => service.Attachments.Select(attachment => (service, attachment)))
            .Where(pair => pair.attachment.Network == network.Key))
        {
            string path = $"services.{service.Name}.networks.{network.Key}";
            foreach (string text in attachment.Addresses)
            {
                if (IpAddress.TryParse(text, out IpAddress address))
                {
                    CheckAddress($"{path}.{(address.Family == IpFamily.V4 ? "ipv4_address" : "ipv6_address")}", network, address);
                    CheckOwner(path, address.ToString(), service.Name, taken);
                }
            }

            if (attachment.Mac is { } mac && MacAddress.TryParse(mac, out MacAddress station))
            {
                CheckOwner($"{path}.mac_address", station.ToString(), service.Name, taken);
            }
        }
    }

    private void CheckAddress(string path, ComposeNetwork network, IpAddress address)
    {
        if (network.Record.Subnets.FirstOrDefault(subnet => IpPrefix.TryParse(subnet.Subnet, out IpPrefix prefix) && prefix.Contains(address)) is not { } subnet)
        {
            string subnets = string.Join(", ", network.Record.Subnets.Select(other => other.Subnet));
            Error(path, subnets.Length == 0 ? $"needs a subnet that it is of: ipam of networks.{network.Key} names one" : $"is in no subnet of networks.{network.Key} ({subnets})", address.ToString());
        }
        else if (subnet.Gateway is { } gateway && IpAddress.TryParse(gateway, out IpAddress router) && router == address)
        {
            Error(path, $"is the gateway of networks.{network.Key}", address.ToString());
        }
    }

    private void CheckOwner(string path, string address, string service, Dictionary<string, string> taken)
    {
        if (!taken.TryAdd(address, service))
        {
            Error(path, $"is given to {taken[address]} as well; one replica can have it", address);
        }
    }

    /// <summary>What each service is called and has by itself, and which ports of the host two of them want.</summary>
    private void CheckPlaces(List<ComposeService> services)
    {
        foreach (ComposeService service in services)
        {
            CheckRequest($"services.{service.Name}", new EndpointRecord(string.Create(CultureInfo.InvariantCulture, $"{_project}-{service.Name}-1"), "eth0"));
            foreach (ComposeAttachment attachment in service.Attachments)
            {
                CheckRequest($"services.{service.Name}.networks.{attachment.Network}", new EndpointRecord("container", "eth0") { Addresses = attachment.Addresses, Mac = attachment.Mac });
            }
        }

        ComposeService[] published = [.. services.Where(service => service.Ports.Count > 0 && service.Replicas > 0)];
        for (int i = 0; i < published.Length; i++)
        {
            for (int j = 0; j < i; j++)
            {
                foreach (PublishedPort port in published[i].Ports.Where(port => published[j].Ports.Any(other => NetworkRequests.MeetAtHost(port, other))))
                {
                    Error($"services.{published[i].Name}.ports", $"publishes a port of the host that {published[j].Name} publishes as well", NetworkRequests.Describe(port));
                }
            }
        }

        for (int i = 0; i < services.Count; i++)
        {
            try
            {
                NetworkRequests.CheckPorts(services[i].Ports);
            }
            catch (NetworkException refused)
            {
                Error($"services.{services[i].Name}.ports", refused.Message);
            }
        }
    }

    private void CheckRequest(string path, EndpointRecord request)
    {
        try
        {
            NetworkRequests.Check(request);
        }
        catch (NetworkException refused)
        {
            Error(path, refused.Message);
        }
    }
}
