using Dataplane.Packets;

namespace Dataplane.Networks;

/// <summary>The leases of one network while they are being changed. What a change costs does not grow with the leases there are.</summary>
internal sealed class LeaseBook
{
    private readonly Dictionary<IpAddress, AddressLease> _leases = [];
    private readonly Dictionary<string, HashSet<IpAddress>> _byHolder = new(StringComparer.Ordinal);
    private readonly HashSet<IpAddress> _resting = [];
    private readonly Dictionary<string, string> _last = new(StringComparer.Ordinal);

    /// <summary>What is not as it was read.</summary>
    private readonly HashSet<IpAddress> _changed = [];
    private readonly HashSet<string> _changedLast = new(StringComparer.Ordinal);
    private DateTimeOffset _now;
    private TimeSpan _delay;

    public LeaseBook(LeaseFile file) => Apply(file);

    public bool IsChanged => _changed.Count > 0 || _changedLast.Count > 0;

    public IReadOnlyList<AddressLease> Leases => [.. _leases.Values.OrderBy(lease => lease.Address)];

    /// <summary>Begins a change: what has rested long enough is nobody's. A clock that was set back must not make an address rest for ever.</summary>
    public void Begin(DateTimeOffset now, TimeSpan releaseDelay)
    {
        (_now, _delay) = (now, releaseDelay);
        foreach (IpAddress address in _resting.Where(address => _leases[address].Released is { } released && (now - released >= releaseDelay || released > now)).ToArray())
        {
            Remove(address);
        }
    }

    /// <summary>Makes a change that was read.</summary>
    public void Apply(LeaseFile change)
    {
        foreach ((string subnet, string address) in change.Last)
        {
            _last[subnet] = address;
        }

        foreach (AddressLease lease in change.Leases.Select(entry => entry.ToLease()))
        {
            Put(lease);
        }

        foreach (string address in change.Gone ?? [])
        {
            Remove(IpAddress.Parse(address));
        }

        _changed.Clear();
        _changedLast.Clear();
    }

    /// <summary>Everything.</summary>
    public LeaseFile ToFile() => new()
    {
        Last = new Dictionary<string, string>(_last),
        Leases = [.. Leases.Select(ToEntry)],
    };

    /// <summary>What has changed since it was read, or since the last call.</summary>
    public LeaseFile TakeChanges()
    {
        var change = new LeaseFile
        {
            Last = _changedLast.ToDictionary(subnet => subnet, subnet => _last[subnet]),
            Leases = [.. _changed.Where(_leases.ContainsKey).Select(address => ToEntry(_leases[address]))],
            Gone = [.. _changed.Where(address => !_leases.ContainsKey(address)).Select(address => address.ToString())],
        };
        _changed.Clear();
        _changedLast.Clear();
        return change;
    }

    /// <summary>Gives a holder an address of each pool; what it has already, it keeps.</summary>
    /// <exception cref="LeaseException">Something is not to be had; the book is not to be used any more.</exception>
    public IReadOnlyList<IpAddress> Take(string network, IReadOnlyList<AddressPool> pools, string holder, IReadOnlyList<IpAddress> wanted)
    {
        foreach (IpAddress address in wanted)
        {
            if (!pools.Any(pool => pool.Subnet.Contains(address)))
            {
                throw new LeaseException($"{address} is in no subnet of network {network} ({string.Join(", ", pools.Select(pool => pool.Subnet))}).");
            }
        }

        var given = new List<IpAddress>();
        foreach (AddressPool pool in pools)
        {
            IpAddress[] ofPool = [.. wanted.Where(pool.Subnet.Contains)];
            given.Add(ofPool.Length switch
            {
                0 => TakeAny(network, pool, holder),
                1 => TakeThis(network, pool, holder, ofPool[0]),
                _ => throw new LeaseException($"{ofPool[0]} and {ofPool[1]} are both in {pool.Subnet}; an endpoint has one address of each subnet."),
            });
        }

        return given;
    }

    /// <summary>Makes what a holder has, or had until a moment ago, another's.</summary>
    public void Rename(string from, string to)
    {
        foreach (AddressLease lease in LeasesOf(from))
        {
            Put(lease with { Holder = to });
        }
    }

    /// <exception cref="LeaseException">Nothing is free.</exception>
    public IpAddress TakeAny(string network, AddressPool pool, string holder)
    {
        if (FindOf(pool, holder) is { } had)
        {
            return Give(had.Address, holder);
        }

        IpPrefix range = pool.Range ?? pool.Subnet;
        UInt128 first = range.First.Bits, size = range.Last.Bits - first + 1;
        UInt128 start = _last.TryGetValue(pool.Subnet.ToString(), out string? text) && IpAddress.TryParse(text, out IpAddress last) && range.Contains(last)
            ? last.Bits - first + 1 : 0;

        // More addresses than are taken or excluded are never looked at, so that the size of an IPv6 subnet costs nothing.
        UInt128 looks = UInt128.Min(size, (UInt128)(_leases.Count + pool.Reserved.Count + 4));
        for (UInt128 look = 0; look < looks; look++)
        {
            var candidate = IpAddress.FromBits(range.Family, first + ((start + look) % size));
            if (pool.CanGive(candidate) && !_leases.ContainsKey(candidate))
            {
                _last[pool.Subnet.ToString()] = candidate.ToString();
                _changedLast.Add(pool.Subnet.ToString());
                return Give(candidate, holder);
            }
        }

        int resting = _leases.Values.Count(lease => range.Contains(lease.Address) && lease.Released is not null);
        int held = _leases.Values.Count(lease => range.Contains(lease.Address) && lease.Released is null);
        string rest = resting == 0 ? "" : $", {resting} were given back less than {_delay.TotalSeconds:0.###} s ago";
        throw new LeaseException($"Network {network} has no free address in {range}: {held} are in use{rest}. Detach somebody, or use a larger subnet.");
    }

    /// <exception cref="LeaseException">It is not free.</exception>
    public IpAddress TakeThis(string network, AddressPool pool, string holder, IpAddress address)
    {
        if (!pool.CanGive(address))
        {
            string why = address == pool.GatewayInForce ? "the gateway's" : pool.Reserved.Contains(address) ? "reserved" : "no host's";
            throw new LeaseException($"{address} of network {network} cannot be given to {holder}: it is {why}.");
        }

        if (_leases.TryGetValue(address, out AddressLease? lease) && lease.Holder != holder && lease.Released is null)
        {
            throw new LeaseException($"{address} of network {network} is in use by {lease.Holder}.");
        }

        // Who asks for an address by itself may have one that rests; and gives back another of the subnet.
        if (FindOf(pool, holder) is { } other && other.Address != address)
        {
            Put(other with { Released = _now });
        }

        return Give(address, holder);
    }

    /// <summary>Takes back what one holder has.</summary>
    public IReadOnlyList<IpAddress> Release(string holder) => Release(LeasesOf(holder));

    /// <summary>Takes back what those have who are meant.</summary>
    public IReadOnlyList<IpAddress> Release(Func<string, bool> isMeant) => Release(_leases.Values.Where(lease => isMeant(lease.Holder)));

    private IReadOnlyList<IpAddress> Release(IEnumerable<AddressLease> leases)
    {
        AddressLease[] meant = [.. leases.Where(lease => lease.Released is null).OrderBy(lease => lease.Address)];
        foreach (AddressLease lease in meant)
        {
            if (_delay <= TimeSpan.Zero)
            {
                Remove(lease.Address);
            }
            else
            {
                Put(lease with { Released = _now });
            }
        }

        return [.. meant.Select(lease => lease.Address)];
    }

    private AddressLease[] LeasesOf(string holder) =>
        _byHolder.TryGetValue(holder, out HashSet<IpAddress>? addresses) ? [.. addresses.Select(address => _leases[address])] : [];

    private AddressLease? FindOf(AddressPool pool, string holder) =>
        LeasesOf(holder).Where(lease => pool.CanGive(lease.Address)).OrderBy(lease => lease.Released is not null).ThenBy(lease => lease.Address).FirstOrDefault();

    private IpAddress Give(IpAddress address, string holder)
    {
        Put(new AddressLease(address, holder, null));
        return address;
    }

    private void Put(AddressLease lease)
    {
        Remove(lease.Address);
        _leases[lease.Address] = lease;
        if (!_byHolder.TryGetValue(lease.Holder, out HashSet<IpAddress>? addresses))
        {
            _byHolder[lease.Holder] = addresses = [];
        }

        addresses.Add(lease.Address);
        if (lease.Released is not null)
        {
            _resting.Add(lease.Address);
        }
    }

    private void Remove(IpAddress address)
    {
        _changed.Add(address);
        _resting.Remove(address);
        if (_leases.Remove(address, out AddressLease? lease) && _byHolder.TryGetValue(lease.Holder, out HashSet<IpAddress>? addresses)
            && addresses.Remove(address) && addresses.Count == 0)
        {
            _byHolder.Remove(lease.Holder);
        }
    }

    private static LeaseEntry ToEntry(AddressLease lease) => new(lease.Address.ToString(), lease.Holder, lease.Released);
}
