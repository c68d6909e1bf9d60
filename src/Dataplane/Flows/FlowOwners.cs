using Dataplane.Balancing;
using Dataplane.Filtering;
using Dataplane.Nat;
using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Flows;

/// <summary>Says which worker a flow belongs to, from any packet of either direction. Immutable; made when there are several workers.</summary>
/// <remarks>
/// The client's address and port are the one thing that both directions of a translated flow carry: as source of packets to a service, as
/// destination of those from a backend. Their hash chooses the worker. A client's port that must be translated is chosen so that the worker stays
/// the same (<see cref="NatFlows"/>). Of a flow whose source is translated it is the remote end's address and port, for echo the address; of one that uses a mapped port that port. Packets that are neither
/// belong to no flow, and to whoever receives them.
/// </remarks>
internal sealed class FlowOwners
{
    /// <summary>In place of a worker: any.</summary>
    public const int Anyone = -1;

    private readonly ServiceTable _services;

    /// <summary>Backends, and at which ports: one, or port 0 and a range for those that get packets at the ports they were sent to.</summary>
    private readonly EndpointMap<PortRange> _backends;
    private readonly bool _hasKept;
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
        BackendSlots.Identity[] backends =
            [.. services.Services.SelectMany(service => service.Spec.Backends.Select(backend => ServiceCompiler.IdentityOf(service.Spec, backend))),
                .. departed.Where(gone => gone.Protocol != 0)];
        _backends = new EndpointMap<PortRange>(backends.Length);
        foreach (BackendSlots.Identity backend in backends)
        {
            ref PortRange ports = ref _backends.Add(backend.Address, backend.Port, backend.Protocol, out bool isNew);
            PortRange own = backend.Port == 0 ? ServiceKey.Of(backend).Ports : new PortRange(backend.Port, backend.Port);
            ports = isNew ? own : new PortRange(Math.Min(ports.First, own.First), Math.Max(ports.Last, own.Last));
            _hasKept |= backend.Port == 0;
        }
    }

    /// <summary>The worker that a packet's flow belongs to, or <see cref="Anyone"/>.</summary>
    /// <param name="key">The packet's.</param>
    /// <param name="port">Port it came by.</param>
    /// <param name="hash">The workers' hash.</param>
    /// <param name="share">Any worker's share.</param>
    public int OwnerOf(in FlowKey key, ushort port, FlowHash hash, WorkerShare share)
    {
        byte protocol = key.Protocol;
        if (protocol is not (IpProtocols.Tcp or IpProtocols.Udp))
        {
            return protocol is IpProtocols.Icmp or IpProtocols.Icmpv6 ? TranslatedOwnerOf(in key, port, hash, share) : PlainOwnerOf(in key, hash, share);
        }

        return _services.Find(in key) is not null ? share.OwnerOf(hash.OfEndpoint(key.SourceHigh, key.SourceLow, key.SourcePort, protocol))
            : IsBackend(key.SourceHigh, key.SourceLow, key.SourcePort, protocol, key.Family)
                ? share.OwnerOf(hash.OfEndpoint(key.DestinationHigh, key.DestinationLow, key.DestinationPort, protocol))
                : TranslatedOwnerOf(in key, port, hash, share);
    }

    private int TranslatedOwnerOf(in FlowKey key, ushort port, FlowHash hash, WorkerShare share)
    {
        if (_nat.IsEmpty)
        {
            return PlainOwnerOf(in key, hash, share);
        }

        if (_nat.FindNat64(port, in key) is { } rule)
        {
            return Nat64OwnerOf(in key, rule, hash, share);
        }

        if (_nat.HasMappings && MappedOwnerOf(in key, port, share) is var owner and not Anyone)
        {
            return owner;
        }

        // The identifier of an echo may be another on the way back, and is no port of the remote end.
        bool hasPorts = key.Protocol is IpProtocols.Tcp or IpProtocols.Udp;
        return _nat.HasAddress(key.Destination)
            ? share.OwnerOf(hash.OfEndpoint(key.SourceHigh, key.SourceLow, hasPorts ? key.SourcePort : (ushort)0, key.Protocol))
            : _nat.MayTranslate(port, key.Source)
                ? share.OwnerOf(hash.OfEndpoint(key.DestinationHigh, key.DestinationLow, hasPorts ? key.DestinationPort : (ushort)0, key.Protocol))
                : PlainOwnerOf(in key, hash, share);
    }

    /// <summary>What leaves as IPv4 belongs to whom its answers, which come as IPv4, belong to: by the remote end as it is outside, or by the port.</summary>
    private static int Nat64OwnerOf(in FlowKey key, NatRule rule, FlowHash hash, WorkerShare share)
    {
        IpAddress remote = rule.RemoteOf(key.Destination);
        return rule.IsMapped ? share.OwnerOfPort(key.SourcePort)
            : key.Protocol == IpProtocols.Icmpv6 ? share.OwnerOf(hash.OfEndpoint(remote.High, remote.Low, 0, IpProtocols.Icmp))
            : share.OwnerOf(hash.OfEndpoint(remote.High, remote.Low, key.DestinationPort, key.Protocol));
    }

    /// <summary>Of ports that are mapped towards everybody, it is the inside port that says so on the way out, and the outside one on the way in (<see cref="MappedPorts"/>).</summary>
    private int MappedOwnerOf(in FlowKey key, ushort port, WorkerShare share)
    {
        // What comes from a mapped address is on its way from one inside host to another, and has been translated already.
        bool isOutward = !_nat.IsMapped(key.Source) && _nat.FindInside(port, key.Source) is { IsMapped: true };
        return isOutward ? share.OwnerOfPort(key.SourcePort) : _nat.IsMapped(key.Destination) ? share.OwnerOfPort(key.DestinationPort) : Anyone;
    }

    /// <summary>Of a flow that is only followed, both ends together choose the worker, whichever of them sends; unless one of them is a backend, whose packets
    /// always belong to the worker of the other. Two backends that speak to each other past their services meet two workers, which cannot follow them.</summary>
    private int PlainOwnerOf(in FlowKey key, FlowHash hash, WorkerShare share)
    {
        if (!_ownsAll)
        {
            return Anyone;
        }

        uint source = hash.OfEndpoint(key.SourceHigh, key.SourceLow, key.SourcePort, key.Protocol);
        if (IsBackend(key.DestinationHigh, key.DestinationLow, key.DestinationPort, key.Protocol, key.Family))
        {
            return share.OwnerOf(source);
        }

        return share.OwnerOf(source ^ hash.OfEndpoint(key.DestinationHigh, key.DestinationLow, key.DestinationPort, key.Protocol));
    }

    private bool IsBackend(ulong high, ulong low, ushort port, byte protocol, byte family) =>
        _backends.TryFind(high, low, EndpointMap<PortRange>.Pack(port, protocol, family), out PortRange ports)
        || (_hasKept && _backends.TryFind(high, low, EndpointMap<PortRange>.Pack(0, protocol, family), out ports) && ports.Contains(port));
}
