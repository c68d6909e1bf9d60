using Dataplane.Balancing;
using Dataplane.Packets;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Balancing;

/// <summary>Which of several services a packet is for: the longest prefix, of it the fewest ports. Against a look at each of them.</summary>
public sealed class ServiceTableTests
{
    /// <summary>Each lies in another or apart from it, as the checks ask.</summary>
    private static readonly (int First, int Last)[] s_ranges = [(0, 65535), (1, 1000), (80, 80), (80, 443), (443, 443), (500, 1000), (1001, 65535), (8000, 8999), (8000, 8080), (8999, 8999), (65535, 65535)];

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public void Find_OfAnyServices_IsTheMostSpecific(int family)
    {
        Gen<ServiceSpec> service = from length in Gen.Elements(family == 4 ? new[] { 8, 20, 24, 31, 32 } : [8, 48, 64, 127, 128])
                                   from host in Gen.Choose(0, 5)
                                   from range in Gen.Elements(s_ranges)
                                   from protocol in Gen.Elements<byte>(6, 17)
                                   select Service(new IpPrefix(Address(family, host), length), range, protocol);
        Gen<(int Host, int Port, byte Protocol)> packet = from host in Gen.Choose(0, 7)
                                                          from port in Gen.Elements(0, 1, 79, 80, 81, 443, 444, 499, 500, 1000, 1001, 7999, 8000, 8080, 8081, 8999, 9000, 65534, 65535)
                                                          from protocol in Gen.Elements<byte>(6, 17)
                                                          select (host, port, protocol);
        Prop.ForAll(service.ListOf().ToArbitrary(), packet.ListOf(40).ToArbitrary(), (specs, packets) =>
        {
            ServiceSpec[] all = [.. specs.DistinctBy(ServiceKey.Of)];
            var table = new ServiceTable([.. all.Select(spec => new ServiceRuntime { Spec = spec, All = [], Eligible = [], Schedule = null, Table = null })]);
            return packets.All(sent =>
            {
                IpAddress to = Address(family, sent.Host);
                var key = FlowKey.Create(Address(family, 99), 1, to, (ushort)sent.Port, sent.Protocol);
                ServiceSpec? expected = all.Where(spec => spec.Protocol == sent.Protocol && spec.Serves(to, sent.Port))
                    .OrderByDescending(spec => spec.Prefix.Length).ThenBy(spec => spec.Ports.Last - spec.Ports.First).FirstOrDefault();
                return ReferenceEquals(expected, table.Find(in key)?.Spec);
            });
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));
    }

    private static ServiceSpec Service(IpPrefix prefix, (int First, int Last) ports, byte protocol) => new()
    {
        Name = "x",
        Address = prefix.First,
        PrefixLength = prefix.Length,
        Port = (ushort)ports.First,
        LastPort = (ushort)(ports.First == ports.Last ? 0 : ports.Last),
        Protocol = protocol,
    };

    /// <summary>Hosts next to each other, and some that share no more than eight bits with them.</summary>
    private static IpAddress Address(int family, int host) => IpAddress.Parse((family, host) switch
    {
        (4, < 3) => $"203.0.113.{host}",
        (4, _) => $"203.0.{host}.1",
        (_, < 3) => $"2001:db8:80::{host}",
        _ => $"2001:db8:80:{host}::1",
    });
}
