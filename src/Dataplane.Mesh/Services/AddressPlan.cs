using Dataplane.Packets;

namespace Dataplane.Mesh.Services;

/// <summary>Which addresses services have: those they name, else one of each range. Services can come and go one by one where that changes no address of another.</summary>
internal sealed class AddressPlan
{
    private readonly Func<MeshServiceSpec, bool> _wants;
    private readonly Func<MeshServiceSpec, IReadOnlyList<IpAddress>> _named;
    private readonly HashSet<IpAddress> _fixed, _reserved;
    private readonly VirtualAddresses[] _ranges;

    /// <summary>How many services name an address.</summary>
    private readonly Dictionary<IpAddress, int> _naming = [];

    /// <summary>Gives all services addresses.</summary>
    /// <param name="ranges">The ranges.</param>
    /// <param name="taken">Addresses that are no service's.</param>
    /// <param name="services">The services.</param>
    /// <param name="wants">Which of them want addresses.</param>
    /// <param name="named">The addresses that a service names.</param>
    public AddressPlan(IReadOnlyList<IpPrefix> ranges, IEnumerable<IpAddress> taken, IEnumerable<MeshServiceSpec> services, Func<MeshServiceSpec, bool> wants,
        Func<MeshServiceSpec, IReadOnlyList<IpAddress>> named)
    {
        (_wants, _named, _fixed) = (wants, named, [.. taken]);
        MeshServiceSpec[] wanting = [.. services.Where(wants)];
        foreach (IpAddress address in wanting.SelectMany(named))
        {
            _naming[address] = _naming.GetValueOrDefault(address) + 1;
        }

        _reserved = [.. _fixed, .. _naming.Keys];
        string[] others = [.. wanting.Where(service => named(service).Count == 0).Select(service => service.Key)];
        _ranges = [.. ranges.Select(range => new VirtualAddresses(range, _reserved, others))];
    }

    /// <summary>The addresses of a service; none: it wants none, or there is no place for it.</summary>
    public IReadOnlyList<IpAddress> Of(MeshServiceSpec service, string key)
    {
        if (!_wants(service))
        {
            return [];
        }

        if (_named(service) is { Count: > 0 } named)
        {
            return named;
        }

        var own = new List<IpAddress>(_ranges.Length);
        foreach (VirtualAddresses range in _ranges)
        {
            if (range.Given.TryGetValue(key, out IpAddress address))
            {
                own.Add(address);
            }
        }

        return own;
    }

    /// <summary>Adds a service.</summary>
    /// <returns>False when another service would have another address then; the plan is good for nothing any more.</returns>
    public bool TryAdd(MeshServiceSpec service, string key)
    {
        if (!_wants(service))
        {
            return true;
        }

        if (_named(service).Count == 0)
        {
            return Array.TrueForAll(_ranges, range => range.TryAdd(key, _reserved));
        }

        foreach (IpAddress address in _named(service))
        {
            _naming[address] = _naming.GetValueOrDefault(address) + 1;
            if (_reserved.Add(address) && !Array.TrueForAll(_ranges, range => range.MayReserve(address)))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Removes a service that was added.</summary>
    /// <returns>As <see cref="TryAdd"/>.</returns>
    public bool TryRemove(MeshServiceSpec service, string key)
    {
        if (!_wants(service))
        {
            return true;
        }

        if (_named(service).Count == 0)
        {
            return Array.TrueForAll(_ranges, range => range.TryRemove(key));
        }

        foreach (IpAddress address in _named(service))
        {
            if (--_naming[address] > 0)
            {
                continue;
            }

            _naming.Remove(address);
            if (!_fixed.Contains(address) && _reserved.Remove(address) && !Array.TrueForAll(_ranges, range => range.MayFree(address)))
            {
                return false;
            }
        }

        return true;
    }
}
