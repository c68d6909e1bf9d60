using Dataplane.Balancing;
using Dataplane.Filtering;
using Dataplane.Packets;

namespace Dataplane.Configuration;

/// <summary>Finds services that are for the same packets without one of them coming before the other.</summary>
/// <remarks>Of prefixes the longer comes first. Of the ports of one prefix those of the service with fewer do, if they are among the other's; where ranges
/// overlap in part nothing could say which is meant.</remarks>
internal sealed class ServiceOverlaps(Checks checks)
{
    private readonly Dictionary<ServiceKey, string> _keys = [];
    private readonly Dictionary<ServiceKey, List<(PortRange Ports, string Path)>> _ranges = [];

    /// <summary>Adds a service; one without address, or with ports that are none, is left out.</summary>
    public void Add(ServiceSpec service, string path)
    {
        if (service.Prefix.Address.IsNone || (service.Port == 0 && service.IsOnePort) || service.Ports.First > service.Ports.Last)
        {
            return;
        }

        var key = ServiceKey.Of(service);
        if (!_keys.TryAdd(key, path))
        {
            checks.Error($"{path}.address", $"is served by {_keys[key]} already, with the same port and protocol", SpecNames.ServiceAddresses(service));
        }
        else if (!service.IsOnePort)
        {
            ServiceKey all = key with { Port = 0, LastPort = 0 };
            if (!_ranges.TryGetValue(all, out List<(PortRange Ports, string Path)>? ranges))
            {
                _ranges.Add(all, ranges = []);
            }

            ranges.Add((service.Ports, path));
        }
    }

    /// <summary>Says which ranges overlap in part, once all services were added.</summary>
    public void Check()
    {
        foreach (List<(PortRange Ports, string Path)> ranges in _ranges.Values.Where(ranges => ranges.Count > 1))
        {
            // By their beginnings, the wider first: a range lies in the last one that is still open, or reaches past its end.
            var open = new Stack<(PortRange Ports, string Path)>();
            foreach ((PortRange Ports, string Path) range in ranges.OrderBy(range => range.Ports.First).ThenByDescending(range => range.Ports.Last))
            {
                while (open.Count > 0 && open.Peek().Ports.Last < range.Ports.First)
                {
                    open.Pop();
                }

                if (open.TryPeek(out (PortRange Ports, string Path) around) && range.Ports.Last > around.Ports.Last)
                {
                    checks.Error($"{range.Path}.port", $"overlaps {around.Ports} of {around.Path} in part, so that neither comes before the other; part them, or put one into the other",
                        range.Ports.ToString());
                }

                open.Push(range);
            }
        }
    }
}
