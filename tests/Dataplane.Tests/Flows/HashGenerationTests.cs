using Dataplane.Balancing;
using Dataplane.Packets;
using Dataplane.Telemetry;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Reference;

namespace Dataplane.Tests.Flows;

/// <summary>Size of the table, seed, fields and policy change under live flows: none moves, and the receipt says what moved instead.</summary>
public sealed class HashGenerationTests
{
    private const int FlowsOfEach = 2500;

    private static readonly (string Name, Func<ServiceSpec, ServiceSpec> Change)[] s_changes =
    [
        ("size", service => service with { TableSize = 251 }),
        ("seed", service => service with { HashSeed = 7 }),
        ("fields", service => service with { Hash = HashFields.Source }),
        ("policy", service => service with { Balance = BalancePolicy.Rendezvous }),
        ("policy without hash", service => service with { Balance = BalancePolicy.RoundRobin }),
        ("all, and back", service => service with { TableSize = 1021, HashSeed = 9, Hash = HashFields.SourceDestination, Balance = BalancePolicy.Maglev }),
    ];

    /// <summary>TCP and UDP, IPv4 and IPv6: 2,500 flows of each at a time.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task TenThousandLiveFlows_AnyChange_MovesNone(int workers)
    {
        await using TestPlane plane = TestPlane.Create(builder =>
        {
            builder.Workers(spec => spec with { FlowEntries = 65_536, Count = workers });
            foreach (ServiceNet net in new[] { ServiceNet.V4, ServiceNet.V6 })
            {
                net.Add(builder, net == ServiceNet.V4 ? "tcp4" : "tcp6", 80, tcp: true, BalancePolicy.Maglev, 11, 12, 13);
                net.Add(builder, net == ServiceNet.V4 ? "udp4" : "udp6", 80, tcp: false, BalancePolicy.Maglev, 11, 12, 13);
            }
        });
        Dictionary<(string, int, int), string> before = SendAll(plane, TcpFlags.Syn);
        Assert.Equal(4 * FlowsOfEach, before.Count);
        Assert.Equal(6, before.Values.Distinct().Count());
        foreach ((string name, Func<ServiceSpec, ServiceSpec> change) in s_changes)
        {
            DataplaneSpec next = plane.Engine.Spec with { Services = [.. plane.Engine.Spec.Services.Select(change)] };
            ChangeReceipt foretold = await plane.Engine.PreviewAsync(next), receipt = await plane.Engine.UpdateAsync(next);
            Assert.Equal(new FlowChange(4 * FlowsOfEach, 0, 0, 0), receipt.Flows);
            Assert.Equal((foretold.Flows, 0, 0), (receipt.Flows, receipt.Backends.Count, foretold.Backends.Count));
            Assert.Equal(["tcp4", "udp4", "tcp6", "udp6"], receipt.Services.Select(service => service.Service));
            Assert.All(receipt.Services, service => Assert.Equal((true, FlowsOfEach), (service.IsNewGeneration, (int)service.FlowsKept)));
            Assert.Equal(receipt.Services.Select(Facts), foretold.Services.Select(Facts));
            Assert.All(receipt.Services, service => Assert.InRange(service.SlotsMoved, 1, service.Slots));
            Assert.True(before.OrderBy(flow => flow.Key).SequenceEqual(SendAll(plane, TcpFlags.Ack).OrderBy(flow => flow.Key)), name);
        }
    }

    /// <summary>Without room for flows the hash alone leads: as many connections move as the receipt says slots do.</summary>
    [Theory]
    [InlineData(4, 0)]
    [InlineData(6, 1)]
    [InlineData(4, 3)]
    [InlineData(6, 2)]
    public async Task NoRoomForFlows_WhatTheHashAloneLeads_MovesAsToldAndNoOther(int family, int number)
    {
        var net = ServiceNet.Of(family);
        await using TestPlane plane = net.Create(policy: BalancePolicy.Maglev, flowEntries: 1024, hosts: [11, 12, 13]);
        var known = new Dictionary<ushort, int>();
        for (ushort port = 1000; plane.Engine.ReadFigures().FlowEntries + (2 * TestPlane.Workers) <= plane.Engine.ReadFigures().FlowCapacity; port++)
        {
            known[port] = ServiceFlowLifeTests.Connect(plane, net, port);
        }

        // Of many clients: another one goes elsewhere by the client's address too.
        int[] Stateless() => [.. Enumerable.Range(0, 1500).Select(i => net.HostOf(plane.SendForOne("wan",
            PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ip(Client(family, i), net.Service, 64).Tcp(30_000, 80).Build(), "lan")))];
        int[] before = Stateless();
        Func<ServiceSpec, ServiceSpec> change = s_changes[number].Change;
        ServiceChange told = Assert.Single((await plane.Engine.UpdateAsync(spec => spec with { Services = [change(spec.Services[0])] })).Services);
        int[] after = Stateless();
        Assert.InRange(before.Zip(after).Count(pair => pair.First != pair.Second) / 1500.0, (told.SlotsMoved / (double)told.Slots) - 0.05, (told.SlotsMoved / (double)told.Slots) + 0.05);
        Assert.Equal((known.Count, 3000L), ((int)told.FlowsKept, plane.Engine.ReadFigures().StatelessPackets));
        Assert.All(known, flow => Assert.Equal(flow.Value, net.HostOf(plane.SendForOne("wan", net.FromClient().Tcp(flow.Key, 80, TcpFlags.Ack).Build(), "lan"))));
    }

    /// <summary>Of one size and another, the slots that lead elsewhere are those of the hashes that do: counted one hash in four thousand.</summary>
    [Theory]
    [InlineData(251, 257)]
    [InlineData(65537, 251)]
    [InlineData(1021, 65537)]
    [InlineData(251, 251)]
    public void Compare_OfTwoSizes_CountsHashesThatLeadElsewhere(int before, int after)
    {
        ServiceRuntime was = Runtime(before), now = Runtime(after);
        long moved = 0;
        const int Step = 4096;
        for (long hash = Step / 2; hash < 1L << 32; hash += Step)
        {
            moved += was.Table!.Lookup((uint)hash) != now.Table!.Lookup((uint)hash) ? 1 : 0;
        }

        ServiceChange told = HashGeneration.Compare(was, now, []);
        double expected = moved * (double)Step / (1L << 32) * after;
        Assert.InRange(told.SlotsMoved, expected - 1 - (after * 0.005), expected + 1 + (after * 0.005));
        Assert.Equal(before == after, told.SlotsMoved == 0);
        Assert.InRange(told.MinimumSlotsMoved, 0, 4 + (after / before));
    }

    /// <summary>A client and an address of a prefix: one backend, whatever the ports; another address of the prefix, another backend.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task SourceAndDestination_ChooseTogether(int family)
    {
        var net = ServiceNet.Of(family);
        await using TestPlane plane = TestPlane.Create(builder => builder.Service("wide", family == 4 ? "203.0.113.0/24" : "2001:db8:80::/64",
            service => service.Hash(HashFields.SourceDestination).BackendAtSamePort(net.Backend(11).ToString()).BackendAtSamePort(net.Backend(12).ToString())));
        var used = new List<int>();
        for (int host = 1; host < 24; host++)
        {
            IpAddress asked = IpAddress.Parse(family == 4 ? $"203.0.113.{host}" : $"2001:db8:80::{host}");
            used.Add(Assert.Single(Enumerable.Range(1000, 6).Select(port => net.HostOf(plane.SendForOne("wan",
                PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ip(net.Client, asked, 64).Tcp((ushort)port, (ushort)(port / 2)).Build(), "lan"))).Distinct()));
        }

        Assert.InRange(used.Count(host => host == 11), 4, 19);
        Assert.Equal("source_destination", plane.Engine.Explain(net.FromClient().Tcp(1, 2).Build(), "wan").Steps.Single(step => step.Stage == "balance").Values["hash"]);
    }

    private static (string, int, int, int, bool, long) Facts(ServiceChange change) =>
        (change.Service, change.Slots, change.SlotsMoved, change.MinimumSlotsMoved, change.IsNewGeneration, change.FlowsKept);

    private static IpAddress Client(int family, int i) => IpAddress.Parse(family == 4 ? $"192.0.{i >> 8}.{i & 255}" : $"2001:db8:99::{i:x}");

    private static ServiceRuntime Runtime(int size)
    {
        BackendRuntime[] backends = [.. Enumerable.Range(0, 5).Select(i => new BackendRuntime
        {
            Slot = i,
            Generation = 1,
            Address = IpAddress.FromV4(0x0A000000 + (uint)i),
            Port = 80,
            Weight = 1 + i,
            Share = 1 + i,
            Counter = new BackendCounter(),
        })];
        return new ServiceRuntime
        {
            Spec = new ServiceSpec { Name = "x", Address = IpAddress.FromV4(1), Port = 80, TableSize = size },
            All = backends,
            Eligible = backends,
            Schedule = null,
            Table = MaglevTable.Build([.. backends.Select(backend => new MaglevMember(MaglevIdentity.Of(backend.Address, backend.Port), backend.Share))], size),
        };
    }

    /// <summary>A packet of each flow, many at a time: by protocol, family and client's port, the backend.</summary>
    private static Dictionary<(string Address, int Protocol, int Port), string> SendAll(TestPlane plane, TcpFlags flags)
    {
        var hosts = new Dictionary<(string, int, int), string>();
        for (int i = 0; i < FlowsOfEach; i++)
        {
            ushort port = (ushort)(2000 + i);
            foreach (ServiceNet net in new[] { ServiceNet.V4, ServiceNet.V6 })
            {
                Assert.True(plane["wan"].TrySend(net.FromClient().Tcp(port, 80, flags).Build()));
                Assert.True(plane["wan"].TrySend(net.FromClient().Udp(port, 80).Build()));
            }

            if (i % 20 == 19)
            {
                foreach ((string _, byte[] frame) in plane.Run())
                {
                    ReferencePacket packet = ReferenceDecoder.Decode(frame);
                    hosts.Add((packet.Source, packet.Protocol, packet.SourcePort), packet.Destination);
                }
            }
        }

        return hosts;
    }
}
