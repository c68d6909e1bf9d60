using Dataplane.Packets;

namespace Dataplane.Networks;

/// <summary>The leases of one network while they are being changed.</summary>
internal sealed class LeaseBook
{
    private readonly Dictionary<IpAddress, AddressLease> _leases = [];
    private readonly Dictionary<string, string> _last;
    private readonly DateTimeOffset _now;
    private readonly TimeSpan _delay;

    public LeaseBook(LeaseFile file, DateTimeOffset now, TimeSpan releaseDelay)
    {
        _last = file.Last;
        _now = now;
        _delay = releaseDelay;
        foreach (AddressLease lease in file.Leases.Select(entry => entry.ToLease()))
        {
            // What has rested long enough is nobody's. A clock that was set back must not make an address rest for ever.
            if (lease.Released is { } released && (now - released >= releaseDelay || released > now))
            {
                IsChanged = true;
                continue;
            }

            _leases[lease.Address] = lease;
        }
    }

    public bool IsChanged { get; private set; }

    public IReadOnlyList<AddressLease> Leases => [.. _leases.Values.OrderBy(lease => lease.Address)];

    public LeaseFile ToFile() => new()
    {
        Last = _last,
        Leases = [.. Leases.Select(lease => new LeaseEntry(lease.Address.ToString(), lease.Holder, lease.Released))],
    };

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
        foreach (AddressLease lease in Leases.Where(lease => lease.Holder == from))
        {
            _leases[lease.Address] = lease with { Holder = to };
            IsChanged = true;
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
            _leases[other.Address] = other with { Released = _now };
        }

        return Give(address, holder);
    }

    public IReadOnlyList<IpAddress> Release(Func<string, bool> isMeant)
    {
        AddressLease[] meant = [.. Leases.Where(lease => lease.Released is null && isMeant(lease.Holder))];
        foreach (AddressLease lease in meant)
        {
            if (_delay <= TimeSpan.Zero)
            {
                _leases.Remove(lease.Address);
            }
            else
            {
                _leases[lease.Address] = lease with { Released = _now };
            }

            IsChanged = true;
        }

        return [.. meant.Select(lease => lease.Address)];
    }

    private AddressLease? FindOf(AddressPool pool, string holder) =>
        _leases.Values.Where(lease => lease.Holder == holder && pool.CanGive(lease.Address)).OrderBy(lease => lease.Released is not null).FirstOrDefault();

    private IpAddress Give(IpAddress address, string holder)
    {
        _leases[address] = new AddressLease(address, holder, null);
        IsChanged = true;
        return address;
    }
}
