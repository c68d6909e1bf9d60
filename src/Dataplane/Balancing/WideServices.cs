using Dataplane.Packets;

namespace Dataplane.Balancing;

/// <summary>Finds the service of a packet among those with a prefix or with several ports: the longest prefix first, of it the fewest ports. Immutable.</summary>
/// <remarks>Cost: a probe of a hash for each length that any prefix has, and a binary search for the port where the address is found.</remarks>
internal sealed class WideServices
{
    private readonly Level[] _v4;
    private readonly Level[] _v6;

    public WideServices(IReadOnlyList<ServiceRuntime> services)
    {
        Level[] LevelsOf(IpFamily family) =>
            [.. services.Where(service => service.Spec.Address.Family == family).GroupBy(service => service.Spec.Prefix.Length)
                .OrderByDescending(level => level.Key).Select(level => new Level(family, level.Key, [.. level]))];
        (_v4, _v6) = (LevelsOf(IpFamily.V4), LevelsOf(IpFamily.V6));
    }

    /// <summary>The service of a packet, or null.</summary>
    public ServiceRuntime? Find(in FlowKey key)
    {
        foreach (Level level in key.Family == (byte)IpFamily.V4 ? _v4 : _v6)
        {
            if (level.Find(in key) is { } service)
            {
                return service;
            }
        }

        return null;
    }

    /// <summary>The services whose prefixes have one length.</summary>
    private sealed class Level
    {
        private readonly ulong _maskHigh, _maskLow;
        private readonly EndpointMap<int> _places;
        private readonly List<PortServices> _groups = [];

        public Level(IpFamily family, int length, ServiceRuntime[] services)
        {
            IpPrefix ones = new(IpAddress.FromBits(family, family == IpFamily.V4 ? uint.MaxValue : UInt128.MaxValue), length);
            (_maskHigh, _maskLow) = (ones.First.High, ones.First.Low);
            _places = new EndpointMap<int>(services.Length);
            foreach (IGrouping<(IpAddress Address, byte Protocol), ServiceRuntime> group in services.GroupBy(service => (service.Spec.Address, service.Spec.Protocol)))
            {
                _places.Add(group.Key.Address, 0, group.Key.Protocol, out _) = _groups.Count;
                _groups.Add(new PortServices(group));
            }
        }

        public ServiceRuntime? Find(in FlowKey key) =>
            _places.TryFind(key.DestinationHigh & _maskHigh, key.DestinationLow & _maskLow, EndpointMap<int>.Pack(0, key.Protocol, key.Family), out int group)
                ? _groups[group].Find(key.DestinationPort)
                : null;
    }

    /// <summary>The services of one prefix and protocol by port. Of two that overlap, one lies in the other (the checks see to it), and goes first.</summary>
    private sealed class PortServices
    {
        private readonly ushort[] _starts;
        private readonly ServiceRuntime?[] _services;

        public PortServices(IEnumerable<ServiceRuntime> services)
        {
            // Where a range ends, the one around it goes on.
            var starts = new SortedDictionary<ushort, ServiceRuntime?> { [0] = null };
            var open = new Stack<ServiceRuntime>();
            void CloseBefore(int port)
            {
                while (open.Count > 0 && open.Peek().Spec.Ports.Last < port)
                {
                    ushort last = open.Pop().Spec.Ports.Last;
                    if (last < ushort.MaxValue)
                    {
                        starts[(ushort)(last + 1)] = open.Count > 0 ? open.Peek() : null;
                    }
                }
            }

            foreach (ServiceRuntime service in services.OrderBy(service => service.Spec.Ports.First).ThenByDescending(service => service.Spec.Ports.Last))
            {
                CloseBefore(service.Spec.Ports.First);
                starts[service.Spec.Ports.First] = service;
                open.Push(service);
            }

            CloseBefore(ushort.MaxValue + 1);
            _starts = [.. starts.Keys];
            _services = [.. starts.Values];
        }

        public ServiceRuntime? Find(ushort port)
        {
            int at = Array.BinarySearch(_starts, port);
            return _services[at < 0 ? ~at - 1 : at];
        }
    }
}
