using Dataplane.Balancing;
using Dataplane.Packets;
using Dataplane.Pipeline;
using static Dataplane.Tests.Conformance.Say;

namespace Dataplane.Tests.Conformance.Cases;

/// <summary>What becomes of flows when their backend goes: nothing stale remains, and nobody else is touched.</summary>
internal static class ServiceChangeCases
{
    private const CaseNeeds Update = CaseNeeds.Update;
    private const string Rfc = "RFC 2391 3.1";

    public static ConformanceGroup Group { get; } = new("service-changes", Configure, Add);

    private static void Configure(DataplaneBuilder builder)
    {
        foreach ((string family, string address, string prefix) in new[] { ("4", "192.0.2.80", "10.1.0."), ("6", "2001:db8:80::80", "2001:db8:2::") })
        {
            foreach ((string name, int port, RemovePolicy policy) in new[] { ("move", 80, RemovePolicy.Move), ("reset", 81, RemovePolicy.Reset), ("keep", 82, RemovePolicy.Keep) })
            {
                builder.Service($"{name}-tcp{family}", address, port, service => service.Tcp().RoundRobin().OnRemove(policy).Backend(prefix + "11", 8080))
                    .Service($"{name}-udp{family}", address, port, service => service.Udp().RoundRobin().OnRemove(policy).Backend(prefix + "11", 8080));
            }
        }
    }

    private static void Add(ConformanceGroup group)
    {
        AddDrain(group);
        AddRemove(group);
    }

    private static void AddDrain(ConformanceGroup group)
    {
        group.Both("drain-keeps-udp-flows", Rfc, c =>
        {
            To(c, Udp(c.Port(), 80), Udp(c.Port(), 8080), 11);
            Change(c, drain: true, add: true);
            To(c, Udp(c.Port(), 80), Udp(c.Port(), 8080), 11);
            c.Lan(Udp(8080, c.Port())(c.FromLan(c.Host(), c.Client))).ToWan(Udp(80, c.Port())(c.AtWan(c.Service, c.Client)));
        }, Update);
        group.Both("drain-sends-new-flows-elsewhere", Rfc, c =>
        {
            Change(c, drain: true, add: true);
            To(c, Udp(c.Port(), 80), Udp(c.Port(), 8080), 12);
            To(c, Udp(c.Port(1), 80), Udp(c.Port(1), 8080), 12);
        }, Update);
        group.Both("drain-keeps-tcp-connections", Rfc, c =>
        {
            To(c, Tcp(c.Port(), 80, TcpFlags.Syn, 1), Tcp(c.Port(), 8080, TcpFlags.Syn, 1), 11);
            Change(c, drain: true, add: true);
            To(c, Tcp(c.Port(), 80, TcpFlags.Ack, 2, 9, 50), Tcp(c.Port(), 8080, TcpFlags.Ack, 2, 9, 50), 11);
        }, Update);
        group.Both("drain-of-the-only-backend-refuses-new-flows", Rfc, c =>
        {
            To(c, Udp(c.Port(), 80), Udp(c.Port(), 8080), 11);
            Change(c, drain: true, add: false);
            c.Wan(Udp(c.Port(1), 80)(c.FromWan(c.Client, c.Service))).Dropped(DropReason.NoBackend);
            To(c, Udp(c.Port(), 80), Udp(c.Port(), 8080), 11);
        }, Update);
        group.Both("backend-added-moves-nothing", Rfc, c =>
        {
            To(c, Udp(c.Port(), 80), Udp(c.Port(), 8080), 11);
            Change(c, drain: false, add: true);
            To(c, Udp(c.Port(), 80), Udp(c.Port(), 8080), 11);
        }, Update);
    }

    private static void AddRemove(ConformanceGroup group)
    {
        foreach ((string name, ushort port) in new (string, ushort)[] { ("move", 80), ("reset", 81), ("keep", 82) })
        {
            group.Both($"remove-{name}-moves-udp-at-once", Rfc, c =>
            {
                To(c, Udp(c.Port(), port), Udp(c.Port(), 8080), 11);
                Replace(c);
                To(c, Udp(c.Port(), port), Udp(c.Port(), 8080), 12);
            }, Update);
        }

        group.Both("remove-move-moves-tcp", Rfc, c =>
        {
            To(c, Tcp(c.Port(), 80, TcpFlags.Syn, 1), Tcp(c.Port(), 8080, TcpFlags.Syn, 1), 11);
            Replace(c);
            To(c, Tcp(c.Port(), 80, TcpFlags.Ack, 2, 9, 50), Tcp(c.Port(), 8080, TcpFlags.Ack, 2, 9, 50), 12);
        }, Update);
        group.Both("remove-keep-keeps-tcp", Rfc, c =>
        {
            To(c, Tcp(c.Port(), 82, TcpFlags.Syn, 1), Tcp(c.Port(), 8080, TcpFlags.Syn, 1), 11);
            Replace(c);
            To(c, Tcp(c.Port(), 82, TcpFlags.Ack, 2, 9, 50), Tcp(c.Port(), 8080, TcpFlags.Ack, 2, 9, 50), 11);
            To(c, Tcp(c.Port(1), 82, TcpFlags.Syn, 1), Tcp(c.Port(1), 8080, TcpFlags.Syn, 1), 12);
        }, Update);
        group.Both("remove-reset-resets-tcp", "RFC 9293 3.5.2", c =>
        {
            To(c, Tcp(c.Port(), 81, TcpFlags.Syn, 1), Tcp(c.Port(), 8080, TcpFlags.Syn, 1), 11);
            Replace(c);
            PacketBuilder link = PacketBuilder.Ethernet(ConformanceWorld.WanMac, ConformanceWorld.ClientMac);
            link = c.IsV4 ? link.Ipv4(c.Service.ToString(), c.Client.ToString(), 64, dontFragment: true) : link.Ipv6(c.Service.ToString(), c.Client.ToString(), 64);
            c.Wan(Tcp(c.Port(), 81, TcpFlags.Ack, 2, 9, 50)(c.FromWan(c.Client, c.Service))).Refused(DropReason.FlowReset, Tcp(81, c.Port(), TcpFlags.Rst, 9, window: 0)(link).Build());
            To(c, Tcp(c.Port(), 81, TcpFlags.Syn, 70), Tcp(c.Port(), 8080, TcpFlags.Syn, 70), 12);
        }, Update);
        group.Both("answer-of-a-removed-backend-is-not-translated", Rfc, c =>
        {
            To(c, Udp(c.Port(), 80), Udp(c.Port(), 8080), 11);
            Replace(c);
            To(c, Udp(c.Port(), 80), Udp(c.Port(), 8080), 12);
            c.Out(Udp(8080, c.Port()));
        }, Update);
    }

    private static void To(CaseScript c, Func<PacketBuilder, PacketBuilder> body, Func<PacketBuilder, PacketBuilder> arrives, int host) =>
        c.Wan(body(c.FromWan(c.Client, c.Service))).ToLan(arrives(c.AtLan(c.Client, c.Host(host))));

    private static void Change(CaseScript c, bool drain, bool add) => Backends(c, backends => [.. backends.Select(backend => backend with { Drain = drain }), .. add ? [Second(c)] : Array.Empty<BackendSpec>()]);

    private static void Replace(CaseScript c) => Backends(c, _ => [Second(c)]);

    private static BackendSpec Second(CaseScript c) => new() { Address = c.Host(12), Port = 8080 };

    private static void Backends(CaseScript c, Func<IReadOnlyList<BackendSpec>, IReadOnlyList<BackendSpec>> change) => c.Update(spec => spec with
    {
        Services = [.. spec.Services.Select(service => service.Address == c.Service ? service with { Backends = change(service.Backends) } : service)],
    });
}
