using Dataplane.Balancing;
using Dataplane.Configuration;
using Dataplane.Filtering;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Routing;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Configuration;

public class SpecWriterTests
{
    [Fact]
    public void ToNode_AnyReadableSpec_ReadsBackTheSame() => Prop.ForAll(RandomSpecs.Seeds, seed =>
    {
        DataplaneSpec spec = new RandomSpecs(seed, isWild: false).Next();
        (DataplaneSpec read, IReadOnlyList<ConfigurationError> errors) = SpecReader.Read(SpecWriter.ToNode(spec));
        Assert.Empty(errors);
        SpecAssert.Equal(spec, read);
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(1000));

    [Fact]
    public void ToYaml_WildSpec_NeverThrows() => Prop.ForAll(RandomSpecs.Seeds, seed =>
    {
        DataplaneSpec spec = new RandomSpecs(seed, isWild: true).Next();
        Assert.NotEmpty(SpecWriter.ToYaml(spec));
        SpecReader.ReadAndValidate(SpecWriter.ToNode(spec));
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(1000));

    [Fact]
    public void ToYaml_Spec_IsWrittenAsPeopleWriteIt()
    {
        var spec = new DataplaneSpec
        {
            Ports =
            [
                new PortSpec { Name = "wan", Kind = PortKind.AfPacket, Interface = "eth0", Mac = MacAddress.Parse("02:00:00:00:00:0a") },
                new PortSpec
                {
                    Name = "no", Kind = PortKind.Memif, Socket = "/run/a b.sock", Role = PortRole.Server, Mac = MacAddress.Parse("02:02:02:02:02:02"),
                },
            ],
            Interfaces = [new InterfaceSpec { Port = "wan", Address = IpPrefix.Parse("2001:db8::1/64"), Vlan = 7 }],
            Routes =
            [
                new RouteSpec { To = IpPrefix.Parse("::/0"), Via = [new NextHopSpec { Address = IpAddress.Parse("2001:db8::") }] },
                new RouteSpec { To = IpPrefix.Parse("10.0.0.0/8"), Reject = RouteReject.Unreachable },
            ],
            Filter = new FilterSpec
            {
                Default = FilterAction.Deny,
                Rules = [new FilterRuleSpec { Protocol = 6, ToPort = new PortRange(22, 23), TcpFlags = new TcpFlagMatch(0x12, 0x02) }],
            },
            Services =
            [
                new ServiceSpec
                {
                    Name = "web", Address = IpAddress.Parse("198.51.100.10"), Port = 443, Balance = BalancePolicy.RoundRobin,
                    Backends = [.. Enumerable.Range(1, 4).Select(i => new BackendSpec { Address = IpAddress.Parse($"10.1.0.{i}"), Port = 8443, Weight = i })],
                },
            ],
            Workers = new WorkerSpec { SpinMicroseconds = 2000, Seed = ulong.MaxValue },
        };

        Assert.Equal("""
            ports:
              wan: { kind: af_packet, interface: eth0, mac: 02:00:00:00:00:0a }
              "no": { kind: memif, socket: "/run/a b.sock", role: server, mac: "02:02:02:02:02:02" }
            interfaces:
              - { port: wan, address: 2001:db8::1/64, vlan: 7 }
            routes:
              - { to: "::/0", via: "2001:db8::" }
              - { to: 10.0.0.0/8, reject: unreachable }
            filter:
              default: deny
              rules:
                - { action: allow, protocol: tcp, to_port: 22-23, tcp_flags: "syn,!ack" }
            services:
              - name: web
                address: 198.51.100.10
                port: 443
                protocol: tcp
                balance: round_robin
                backends:
                  - { address: 10.1.0.1, port: 8443 }
                  - { address: 10.1.0.2, port: 8443, weight: 2 }
                  - { address: 10.1.0.3, port: 8443, weight: 3 }
                  - { address: 10.1.0.4, port: 8443, weight: 4 }
            workers:
              spin: 2ms
              seed: 18446744073709551615

            """, SpecWriter.ToYaml(spec));
    }

    [Fact]
    public void ToYaml_NothingButDefaults_IsAnEmptyMapping() => Assert.Equal("{}\n", SpecWriter.ToYaml(new DataplaneSpec()));
}
