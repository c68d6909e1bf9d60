using System.Numerics;
using Dataplane.Balancing;
using Dataplane.Nat;
using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Flows;

/// <summary>Says which worker a flow belongs to, from any packet of either direction. Immutable; made when there are several workers.</summary>
/// <remarks>
/// The client's address and port are the one thing that both directions of a translated flow carry: as source of packets to a service, as
/// destination of those from a backend. Their hash chooses the worker. A client's port that must be translated is chosen so that the worker stays
/// the same (<see cref="NatFlows"/>). Of a flow whose source is translated it is the remote end's address and port, for echo the address. Packets that are neither
/// belong to no flow, and to whoever receives them.
/// </remarks>
internal sealed class FlowOwners
{
    /// <summary>In place of a worker: any.</summary>
    public const int Anyone = -1;

    private readonly ServiceTable _services;
    private readonly Place[] _backends;
    private readonly uint _mask;
    private readonly NatTable _nat;
    private readonly bool _ownsAll;

    /// <summary>Notes all backends of the services, and where sources are translated.</summary>
    /// <param name="services">The services.</param>
    /// <param name="nat">The translations.</param>
    /// <param name="departed">Backends that have gone, and whose flows are still there.</param>
    /// <param name="ownsAll">Whether packets that nobody translates belong to flows as well, because rules ask for states.</param>
    public FlowOwners(ServiceTable services, NatTable nat, IReadOnlyList<BackendSlots.Identity> departed, bool ownsAll)
    {
        _services = services;
        _ownsAll = ownsAll;
        _nat = nat;
        HashSet<(IpAddress Address, ushort Port, byte Protocol)> backends =
            [.. services.Services.SelectMany(service => service.All.Select(backend => (backend.Address, backend.Port, service.Spec.Protocol))),
                .. departed.Where(gone => gone.Protocol != 0).Select(gone => (gone.Address, gone.Port, gone.Protocol))];
        _mask = BitOperations.RoundUpToPowerOf2((uint)Math.Max(4, backends.Count * 4)) - 1;
        _backends = new Place[_mask + 1];
        foreach ((IpAddress address, ushort port, byte protocol) in backends)
        {
            ulong transport = Pack(port, protocol, (byte)address.Family);
            uint at = PlaceOf(address.High, address.Low, transport);
            while (_backends[at].Transport != 0)
            {
                at = (at + 1) & _mask;
            }

            _backends[at] = new Place { High = address.High, Low = address.Low, Transport = transport };
        }
    }

    /// <summary>The worker that a packet's flow belongs to, or <see cref="Anyone"/>.</summary>
    /// <param name="key">The packet's.</param>
    /// <param name="port">Port it came by.</param>
    /// <param name="hash">The workers' hash.</param>
    /// <param name="share">Any worker's share.</param>
    public int OwnerOf(in FlowKey key, ushort port, FlowHash hash, WorkerShare share)
    {
        byte protocol = key.Protocol, family = key.Family;
        if (protocol is not (IpProtocols.Tcp or IpProtocols.Udp))
        {
            return protocol is IpProtocols.Icmp or IpProtocols.Icmpv6 ? TranslatedOwnerOf(in key, port, hash, share) : PlainOwnerOf(in key, hash, share);
        }

        return _services.Find(in key) is not null ? share.OwnerOf(hash.OfEndpoint(key.SourceHigh, key.SourceLow, key.SourcePort, protocol))
            : IsBackend(key.SourceHigh, key.SourceLow, Pack(key.SourcePort, protocol, family))
                ? share.OwnerOf(hash.OfEndpoint(key.DestinationHigh, key.DestinationLow, key.DestinationPort, protocol))
                : TranslatedOwnerOf(in key, port, hash, share);
    }

    private int TranslatedOwnerOf(in FlowKey key, ushort port, FlowHash hash, WorkerShare share)
    {
        if (_nat.IsEmpty)
        {
            return PlainOwnerOf(in key, hash, share);
        }

        // The identifier of an echo may be another on the way back, and is no port of the remote end.
        bool hasPorts = key.Protocol is IpProtocols.Tcp or IpProtocols.Udp;
        return _nat.HasAddress(key.Destination)
            ? share.OwnerOf(hash.OfEndpoint(key.SourceHigh, key.SourceLow, hasPorts ? key.SourcePort : (ushort)0, key.Protocol))
            : _nat.MayTranslate(port, key.Source)
                ? share.OwnerOf(hash.OfEndpoint(key.DestinationHigh, key.DestinationLow, hasPorts ? key.DestinationPort : (ushort)0, key.Protocol))
                : PlainOwnerOf(in key, hash, share);
    }

    /// <summary>Of a flow that is only followed, both ends together choose the worker, whichever of them sends.</summary>
    private int PlainOwnerOf(in FlowKey key, FlowHash hash, WorkerShare share)
    {
        if (!_ownsAll)
        {
            return Anyone;
        }

        uint source = hash.OfEndpoint(key.SourceHigh, key.SourceLow, key.SourcePort, key.Protocol);
        return share.OwnerOf(source ^ hash.OfEndpoint(key.DestinationHigh, key.DestinationLow, key.DestinationPort, key.Protocol));
    }

    private bool IsBackend(ulong high, ulong low, ulong transport)
    {
        for (uint at = PlaceOf(high, low, transport); ; at = (at + 1) & _mask)
        {
            ref readonly Place place = ref _backends[at];
            if (place.Transport == transport && place.Low == low && place.High == high)
            {
                return true;
            }

            if (place.Transport == 0)
            {
                return false;
            }
        }
    }

    // Never 0, which marks a free place: there is always a family.
    private static ulong Pack(ushort port, byte protocol, byte family) => ServiceTable.Pack(port, protocol, family);

    private uint PlaceOf(ulong high, ulong low, ulong transport) => ServiceTable.Mix(high, low, transport) & _mask;

    private struct Place
    {
        public ulong High;
        public ulong Low;
        public ulong Transport;
    }
}
